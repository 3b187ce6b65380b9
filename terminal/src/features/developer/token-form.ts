import type { Ledger, Scope, TokenWanted } from "@/api/schema";
import { typedAmount } from "@/lib/formats";
import { isAmount, toMinor } from "@/lib/money";
import { toInstant } from "@/lib/time";

export const SCOPES = ["read", "trade", "withdraw", "tokens"] as const satisfies readonly Scope[];
export const LEDGERS = ["demo", "real", "tournament"] as const satisfies readonly Ledger[];
/** How long a token may last; 0 is for ever. */
export const DAYS = [7, 30, 90, 365, 0] as const;

const DAY_MS = 86_400_000;

export interface TokenForm {
  name: string;
  scopes: Scope[];
  ledgers: Ledger[];
  days: string;
  stakeCap: string;
  lossCap: string;
  ips: string;
}

/** A token that can do little: it reads and trades on Demo and ends after a while. */
export const formBlank = (): TokenForm => ({ name: "", scopes: ["read", "trade"], ledgers: ["demo"], days: "90", stakeCap: "", lossCap: "", ips: "" });

const isCap = (text: string): boolean => text.trim() === "" || (isAmount(typedAmount(text)) && toMinor(typedAmount(text)) > 0n);

/** Fields that cannot be sent, each with the key of its message. */
export function formFaults(form: TokenForm): [keyof TokenForm, string][] {
  const faults: [keyof TokenForm, string][] = [];
  if (form.scopes.length === 0) faults.push(["scopes", "developer.form.noScope"]);
  if (form.ledgers.length === 0) faults.push(["ledgers", "developer.form.noLedger"]);
  if (!isCap(form.stakeCap)) faults.push(["stakeCap", "faults.amount"]);
  if (!isCap(form.lossCap)) faults.push(["lossCap", "faults.amount"]);
  return faults;
}

/** The request for the token; all accounts together are no bond at all. */
export function tokenWanted(form: TokenForm, nowMs: number): TokenWanted {
  const cap = (text: string): string | null => (text.trim() === "" ? null : typedAmount(text));
  return {
    name: form.name.trim(),
    scopes: [...form.scopes],
    ledgers: form.ledgers.length === LEDGERS.length ? null : [...form.ledgers],
    ips: form.ips.split(/[\s,;]+/).filter((each) => each !== ""),
    expires_at: form.days === "0" ? null : toInstant(nowMs + Number(form.days) * DAY_MS),
    stake_day_cap: cap(form.stakeCap),
    loss_day_cap: cap(form.lossCap),
  };
}
