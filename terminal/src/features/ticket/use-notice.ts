import { computed, type ComputedRef } from "vue";
import { useI18n } from "vue-i18n";
import type { IconName } from "@/design/icons";
import { useFormats } from "@/lib/formats";
import { parseInstant } from "@/lib/time";
import { useAllowance } from "@/stores/allowance";
import { useClock } from "@/stores/clock";
import { useExpiry } from "@/stores/expiry";
import { useMarket } from "@/stores/market";
import { usePreferences } from "@/stores/preferences";
import { useSymbols } from "@/stores/symbols";
import { useTicket, type BuyBlock, type Refusal } from "@/stores/ticket";
import { useWallets } from "@/stores/wallets";
import { expiryRemedy, fundsRemedy, remedyFor, type Remedy, type Situation } from "./remedies";
import { useSituation } from "./use-situation";

export interface TicketMessage {
  title: string;
  body: string;
  icon: IconName;
  remedy: Remedy | null;
  /** A message about the last order can be put away; one about the market stands as long as it is true. */
  closable: boolean;
}

/** What helps while buying is off. */
function blockRemedy(block: BuyBlock, situation: Situation): Remedy | null {
  switch (block) {
    case "no_wallet": return { kind: "demo" };
    case "banned": return { kind: "history" };
    case "excluded":
    case "on_break": return { kind: "limits" };
    case "halted":
    case "close_only":
    case "closed":
    case "late": return { kind: "asset" };
    case "expiry": return expiryRemedy(situation);
    case "no_funds": return fundsRemedy(situation);
    default: return null;
  }
}

function stakeRemedy(fault: string, situation: Situation): Remedy | null {
  if (fault === "above") return { kind: "stake", stake: situation.symbol.max_stake };
  if (fault === "funds") return fundsRemedy(situation);
  return { kind: "stake", stake: situation.symbol.min_stake };
}

/** What the ticket has to say above its buttons: about the last order, or why nothing can be bought now. */
export function useNotice(): ComputedRef<TicketMessage | null> {
  const { t, te } = useI18n();
  const formats = useFormats();
  const [ticket, market, symbols, preferences, wallets] = [useTicket(), useMarket(), useSymbols(), usePreferences(), useWallets()];
  const [allowance, expiry, clock] = [useAllowance(), useExpiry(), useClock()];
  const situation = useSituation();
  const secondMs = computed(() => Math.floor(clock.nowMs / 1000) * 1000);

  const words = computed(() => {
    const symbol = symbols.selected;
    const code = symbol?.code ?? "";
    const opens = symbol?.next_open ? parseInstant(symbol.next_open) : null;
    const barred = allowance.barred;
    return {
      symbol: code,
      account: t(`account.${preferences.ledger}`),
      age: formats.age(Math.floor((market.age ?? 0) / 100) * 100),
      limit: formats.age(symbol?.max_tick_age_ms ?? 0),
      reason: symbol?.state_reason ? symbol.state_reason : t("ticket.block.noReason", { symbol: code }),
      time: opens === null ? t("ticket.block.later") : `${formats.dateTime(opens)} ${formats.zone(opens)}`,
      until: barred && "untilMs" in barred ? `${formats.dateTime(barred.untilMs)} ${formats.zone(barred.untilMs)}` : "",
      from: formats.duration(symbol?.min_duration_s ?? 0),
      to: formats.duration(symbol?.max_duration_s ?? 0),
      balance: formats.amount(wallets.current?.balance ?? "0.00"),
      min: formats.amount(symbol?.min_stake ?? "0"),
      currency: wallets.currency,
    };
  });

  function refused(refusal: Refusal): TicketMessage {
    const key = `refusal.${refusal.code.replaceAll(".", "_")}`;
    const waitS = refusal.againAtMs === null ? 0 : Math.ceil((refusal.againAtMs - secondMs.value) / 1000);
    const why = te(key) ? t(key, words.value) : refusal.detail;
    const wait = waitS > 0 ? ` ${t("ticket.waitFor", { length: formats.duration(waitS) })}` : "";
    return { title: t("ticket.refused"), body: `${why}${wait} ${t("ticket.kept")}`, icon: "warn", remedy: situation.value && waitS <= 0 ? remedyFor(refusal, situation.value) : null, closable: true };
  }

  function blocked(block: BuyBlock): TicketMessage {
    const title = `${t("ticket.block.title")}: ${t(`ticket.block.${block}`)}`;
    const now = situation.value;
    if (block === "stake") return { title, body: "", icon: "warn", remedy: now && ticket.stakeFault ? stakeRemedy(ticket.stakeFault, now) : null, closable: false };
    if (block === "expiry" && expiry.fault !== "out_of_range") return { title, body: t("ticket.block.sessionBody", words.value), icon: "pause", remedy: now && expiryRemedy(now), closable: false };
    return { title, body: t(`ticket.block.${block}Body`, words.value), icon: block === "late" || block === "cut_off" ? "warn" : "pause", remedy: now && blockRemedy(block, now), closable: false };
  }

  function asking(direction: "up" | "down"): TicketMessage {
    const ends = ticket.expiresAt;
    const values = {
      symbol: symbols.selected?.code ?? "", direction: t(`positions.direction.${direction}`), stake: formats.amount(ticket.stake ?? ""), currency: wallets.currency,
      expiry: ends === null ? formats.duration(preferences.durationS) : `${formats.clock(ends)} ${formats.zone(ends)}`,
    };
    return { title: t("ticket.ask"), body: t(ends === null ? "ticket.askDuration" : "ticket.askClock", values), icon: "wallet", remedy: null, closable: true };
  }

  return computed(() => {
    const { phase } = ticket;
    if (phase.kind === "unconfirmed") return { title: t("ticket.unconfirmed"), body: t("ticket.unconfirmedBody"), icon: "wait", remedy: null, closable: false };
    if (ticket.block !== null) return blocked(ticket.block);
    if (phase.kind === "refused") return refused(phase.refusal);
    if (phase.kind === "confirming") return asking(phase.direction);
    if (phase.kind === "untaken") return { title: t("ticket.untaken"), body: t("ticket.untakenBody"), icon: "warn", remedy: { kind: "buy_again" }, closable: true };
    return null;
  });
}
