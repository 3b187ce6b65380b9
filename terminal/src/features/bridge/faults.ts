import { ApiProblem } from "@/api/problem";
import { faultWords } from "@/lib/fault-words";

type Translate = (key: string) => string;

/** What the bridge's own refusals are in our words. */
const KNOWN = ["ea.installation_exists", "ea.installations_full", "ea.keys_full", "ea.key_ended", "ea.strategies_full", "ea.aliases_full", "ea.hook.refused", "limits.changed", "limits.not_stopped", "wallet.unknown", "auth.ledger"];

/** What to say about a failed request of the bridge; a lost race says what to do. */
export function bridgeFault(error: unknown, t: Translate): string {
  if (error instanceof ApiProblem && KNOWN.includes(error.code)) return t(`bridge.fault.${error.code.replaceAll(".", "_")}`);
  return faultWords(error, t);
}
