import type { Order } from "@/api/schema";
import { fromMinor, profitMinor, scaleOf, toMinor } from "@/lib/money";
import { toScaled } from "@/lib/price";

export type Standing =
  | { kind: "wins" | "loses" | "ties"; profit: string }
  | { kind: "late" | "pending" | "settling" | "unknown" };

export interface StandingInput {
  order: Order;
  price: string | null;
  scale: number;
  nowMs: number;
  expiresMs: number;
  late: boolean;
  cutOff: boolean;
}

/** What an open order would come to at the present price; a word, never a guess, where that is not known. */
export function standingOf({ order, price, scale, nowMs, expiresMs, late, cutOff }: StandingInput): Standing {
  if (cutOff) return { kind: "pending" };
  if (nowMs >= expiresMs) return { kind: "settling" };
  if (late) return { kind: "late" };
  if (price === null || order.open_price === null) return { kind: "unknown" };
  const moved = toScaled(price, scale) - toScaled(order.open_price, scale);
  const money = scaleOf(order.stake);
  const stake = toMinor(order.stake, money);
  if (moved === 0) return { kind: "ties", profit: fromMinor(0n, money) };
  const wins = moved > 0 === (order.direction === "up");
  return wins
    ? { kind: "wins", profit: fromMinor(profitMinor(stake, order.payout_percent), money) }
    : { kind: "loses", profit: fromMinor(-stake, money) };
}

/** Sum of the profits of all standings as plain decimal text; null as soon as one of them is not known. */
export function sumOf(standings: readonly Standing[], scale: number): string | null {
  let sum = 0n;
  for (const standing of standings) {
    if (!("profit" in standing)) return null;
    sum += toMinor(standing.profit, scale);
  }
  return fromMinor(sum, scale);
}
