/** The published rules of entry and settlement, written again from their words (docs/rules): pure functions. */

import { decimalOf, dividedHalfEven } from "./decimal";

export const TRIMMED_WINDOW_MS = 10_000;

export type State = "won" | "lost" | "tied" | "refunded";
export type Reason = "no_entry_tick" | "price_moved" | "feed_closed" | "no_tick" | "stale_tick" | "revision";

/** A tick as the rules see it. */
export interface RuleTick {
  seq: number;
  atMs: number;
  price: bigint;
  revision: number;
}

export interface EntryTerms {
  untilMs: number;
  revision: number;
  priceScale: number;
  expectedPrice: string | null;
  maxPriceDrift: string | null;
}

/** Whether a price lies further from the expected one than the drift allows; guards may be finer than the scale. */
export function priceDrifted(price: bigint, scale: number, expected: string | null, drift: string | null): boolean {
  const [middle, width] = [decimalOf(expected ?? ""), decimalOf(drift ?? "")];
  if (!middle || !width) return false;
  const places = Math.max(scale, middle.places, width.places);
  const raised = (digits: bigint, from: number): bigint => digits * 10n ** BigInt(places - from);
  const apart = raised(price, scale) - raised(middle.digits, middle.places);
  return (apart < 0n ? -apart : apart) > raised(width.digits, width.places);
}

/** Why the tick that follows an order under `next_tick/1` does not open it; null when it does. */
export function entryRefund(terms: EntryTerms, tick: RuleTick | null): Reason | null {
  if (tick === null || tick.atMs > terms.untilMs) return "no_entry_tick";
  if (tick.revision !== terms.revision) return "revision";
  return priceDrifted(tick.price, terms.priceScale, terms.expectedPrice, terms.maxPriceDrift) ? "price_moved" : null;
}

/** The mean without the floor(3n / 10) highest and lowest of n prices, rounded once, half to even. */
export function trimmedMean(prices: readonly bigint[]): bigint {
  const dropped = Math.floor((3 * prices.length) / 10);
  const sorted = [...prices].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  const kept = sorted.slice(dropped, sorted.length - dropped);
  return dividedHalfEven(kept.reduce((sum, each) => sum + each, 0n), BigInt(kept.length));
}

export interface Terms {
  direction: "up" | "down";
  stake: bigint;
  payoutPercent: number;
  expiresMs: number;
  maxTickAgeMs: number;
  revision: number;
  openPrice: bigint;
  settlementRule: string;
}

/** What the log and the feed say about an expiry. */
export interface Facts {
  /** The last tick with a time at or before the expiry. */
  tick: RuleTick | null;
  /** The ticks of the ten seconds up to the expiry. */
  window: readonly RuleTick[];
  feedClosed: boolean;
  emergency: boolean;
}

export interface Outcome {
  state: State;
  reason: Reason | null;
  /** The evidence tick, where one counts. */
  tick: RuleTick | null;
  closePrice: bigint | null;
  payout: bigint;
}

export function profitOfWin(stake: bigint, payoutPercent: number): bigint {
  return (stake * BigInt(payoutPercent)) / 100n;
}

function refunded(terms: Terms, tick: RuleTick | null, reason: Reason): Outcome {
  // A price of another revision may have another scale: it is no closing price of this order.
  const closePrice = tick !== null && tick.revision === terms.revision ? tick.price : null;
  return { state: "refunded", reason, tick, closePrice, payout: terms.stake };
}

function decided(terms: Terms, tick: RuleTick, closePrice: bigint): Outcome {
  const moved = closePrice - terms.openPrice;
  if (moved === 0n) return { state: "tied", reason: null, tick, closePrice, payout: terms.stake };
  const right = moved > 0n === (terms.direction === "up");
  const payout = right ? terms.stake + profitOfWin(terms.stake, terms.payoutPercent) : 0n;
  return { state: right ? "won" : "lost", reason: null, tick, closePrice, payout };
}

/** How an order ends. The first line that applies decides, in the order of the published table. */
export function outcome(terms: Terms, facts: Facts): Outcome {
  const trimmed = terms.settlementRule === "trimmed_mean_10s/1";
  const tick = trimmed ? (facts.window.at(-1) ?? null) : facts.tick;
  if (facts.emergency) return refunded(terms, tick, "revision");
  if (facts.feedClosed) return refunded(terms, tick, "feed_closed");
  if (tick === null) return refunded(terms, null, "no_tick");
  if (terms.expiresMs - tick.atMs > terms.maxTickAgeMs) return refunded(terms, tick, "stale_tick");
  const counted = trimmed ? facts.window : [tick];
  if (counted.some((each) => each.revision !== terms.revision)) return refunded(terms, tick, "revision");
  return decided(terms, tick, trimmed ? trimmedMean(facts.window.map((each) => each.price)) : tick.price);
}
