import type { SymbolRecord, Wallet } from "@/api/schema";
import { faultOf, nextExpiries, type ExpiryBounds } from "@/lib/expiries";
import { compareAmounts, fromMinor, isAmount, toMinor } from "@/lib/money";
import type { Refusal } from "@/stores/ticket";

/** What would work instead of a refused order. `buy_*` sends an order at once and says so; the others only change the ticket. */
export type Remedy =
  | { kind: "stake"; stake: string }
  | { kind: "duration"; seconds: number }
  | { kind: "expiry"; at: number }
  | { kind: "buy_payout"; percent: number }
  | { kind: "buy_price"; price: string }
  | { kind: "buy_again" }
  | { kind: "asset" | "demo" | "refill" | "limits" | "wallet" | "history" | "tournaments" | "reload" };

export interface Situation {
  symbol: SymbolRecord;
  wallet: Wallet | null;
  stake: string | null;
  scale: number;
  durationS: number;
  mode: "duration" | "clock";
  bounds: ExpiryBounds;
  nowMs: number;
  price: string | null;
  /** What the tightest own limit on money leaves; null where none is set. */
  left: string | null;
}

/** The largest stake not above `most` that the symbol takes; null when there is none. */
function fittingStake(most: string, { symbol, scale }: Situation): Remedy | null {
  const capped = compareAmounts(most, symbol.max_stake) > 0 ? symbol.max_stake : most;
  if (compareAmounts(capped, symbol.min_stake) < 0) return null;
  return { kind: "stake", stake: fromMinor(toMinor(capped, scale), scale) };
}

/** Money is short: the stake that the balance covers, else where more comes from. */
export function fundsRemedy(situation: Situation): Remedy {
  const { wallet } = situation;
  const stake = wallet ? fittingStake(wallet.balance, situation) : null;
  if (stake) return stake;
  if (wallet?.ledger === "tournament") return { kind: "tournaments" };
  return { kind: wallet?.ledger === "demo" ? "refill" : "wallet" };
}

/** The nearest expiry that can be bought: a duration within the bounds, or the next valid instant of the clock. */
export function expiryRemedy({ mode, symbol, durationS, bounds, nowMs }: Situation): Remedy {
  if (mode === "clock") {
    const at = nextExpiries(nowMs, bounds, 1)[0];
    return at === undefined ? { kind: "asset" } : { kind: "expiry", at };
  }
  const ends = bounds.sessionEndMs;
  const longest = ends === null ? symbol.max_duration_s : Math.min(symbol.max_duration_s, Math.floor((ends - nowMs) / 1000) - 1);
  if (longest < symbol.min_duration_s) return { kind: "asset" };
  return { kind: "duration", seconds: Math.min(longest, Math.max(symbol.min_duration_s, durationS)) };
}

function outsideSession(situation: Situation): Remedy {
  const { bounds, nowMs, mode } = situation;
  const ends = bounds.sessionEndMs;
  if (mode === "clock" && ends !== null && faultOf(ends, nowMs, bounds) === null) return { kind: "expiry", at: ends };
  return expiryRemedy(situation);
}

/** A stake with the decimals that the currency has not cut off. */
function roundedStake(sent: string, situation: Situation): Remedy {
  const cut = situation.scale === 0 ? sent.replace(/\..*$/, "") : sent.replace(new RegExp(`(\\.\\d{${String(situation.scale)}})\\d+$`), "$1");
  const stake = isAmount(cut, situation.scale) ? fittingStake(cut, situation) : null;
  return stake ?? { kind: "stake", stake: situation.symbol.min_stake };
}

function halfStake(sent: string, situation: Situation): Remedy {
  const half = fromMinor(toMinor(sent, situation.scale) / 2n, situation.scale);
  return fittingStake(half, situation) ?? { kind: "asset" };
}

const OWN_MONEY = new Set(["limit.loss_day", "limit.loss_7d", "limit.loss_30d", "limit.stake_day"]);
const SIMPLE: Record<string, Remedy["kind"] & ("asset" | "demo" | "limits" | "wallet" | "history" | "tournaments" | "reload")> = {
  "account.banned": "history",
  "account.excluded": "limits",
  "account.on_break": "limits",
  "account.unverified": "demo",
  "account.jurisdiction": "history",
  "wallet.unknown": "reload",
  "wallet.symbol_not_allowed": "asset",
  "symbol.unknown": "asset",
  "symbol.not_offered": "asset",
  "market.closed": "asset",
  "market.halted": "asset",
  "market.close_only": "asset",
  "limit.open_orders": "limits",
  "limit.session": "limits",
  "request.invalid": "reload",
  "order.direction.invalid": "reload",
  "auth.required": "reload",
  "auth.csrf": "reload",
};

/** What would work after a refusal; every code has an answer, and one we do not know may be tried again. */
export function remedyFor({ code, sent }: Refusal, situation: Situation): Remedy {
  const simple = SIMPLE[code];
  if (simple) return { kind: simple };
  if (OWN_MONEY.has(code)) return (situation.left === null ? null : fittingStake(situation.left, situation)) ?? { kind: "limits" };
  switch (code) {
    case "wallet.insufficient_funds": return fundsRemedy(situation);
    case "wallet.not_tradable": return { kind: situation.wallet?.ledger === "tournament" ? "tournaments" : "demo" };
    case "order.stake.precision": return roundedStake(sent.stake, situation);
    case "order.stake.below_minimum": return { kind: "stake", stake: situation.symbol.min_stake };
    case "order.stake.above_maximum": return { kind: "stake", stake: situation.symbol.max_stake };
    case "order.duration.out_of_range":
    case "order.expiry.past_deadline": return expiryRemedy(situation);
    case "order.expiry.outside_session": return outsideSession(situation);
    case "order.payout_moved": return { kind: "buy_payout", percent: situation.symbol.payout_percent };
    case "order.price_moved": return situation.price === null ? { kind: "buy_again" } : { kind: "buy_price", price: situation.price };
    case "exposure.symbol": return halfStake(sent.stake, situation);
    default: return { kind: "buy_again" };
  }
}
