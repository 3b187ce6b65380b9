import { describe, expect, it } from "vitest";
import { decimalText, dividedHalfEven, midOf, unitsOf } from "./decimal";
import { entryRefund, outcome, trimmedMean, type Facts, type RuleTick, type Terms } from "./rules";

interface VectorTick {
  seq: number;
  at: string;
  price: string;
  revision: number;
}
interface Vector {
  name: string;
  order: Record<string, never> & { direction: "up" | "down"; stake: string; payout_percent: number; price_scale: number; revision: number; max_tick_age_ms: number; accepted_at: string; expires_at: string; after_seq: number; expected_price: string | null; max_price_drift: string | null; open_tick: VectorTick };
  ticks: VectorTick[];
  declarations?: { at: string; closed: boolean }[];
  emergency_revisions?: { number: number; since: string }[];
  watermark: string;
  expected: { state: string; reason: string | null; close_tick: VectorTick | null; close_price: string | null; payout: string | null; open_tick: VectorTick | null };
}

const files = import.meta.glob<string>("../../../../../docs/rules/vectors/*.json", { query: "?raw", import: "default", eager: true });

function vectors(name: string): Vector[] {
  const [, text = ""] = Object.entries(files).find(([path]) => path.endsWith(`/${name}.json`)) ?? [];
  return (JSON.parse(text) as { vectors: Vector[] }).vectors;
}

const ruleTick = (tick: VectorTick, scale: number): RuleTick => ({ seq: tick.seq, atMs: Date.parse(tick.at), price: unitsOf(tick.price, scale) ?? unitsOf(tick.price, 18) ?? 0n, revision: tick.revision });

function factsOf({ order, ticks, declarations = [], emergency_revisions = [] }: Vector): Facts {
  const expiresMs = Date.parse(order.expires_at);
  const seen = ticks.map((each) => ruleTick(each, order.price_scale)).filter((each) => each.atMs <= expiresMs);
  const said = declarations.map((each, at) => ({ ...each, at, atMs: Date.parse(each.at) })).filter((each) => each.atMs <= expiresMs);
  said.sort((left, right) => left.atMs - right.atMs || left.at - right.at);
  return {
    tick: seen.at(-1) ?? null,
    window: seen.filter((each) => each.atMs > expiresMs - 10_000),
    feedClosed: said.at(-1)?.closed ?? false,
    emergency: emergency_revisions.some((each) => each.number > order.revision && Date.parse(each.since) <= expiresMs),
  };
}

describe.each(["last_tick", "trimmed_mean_10s"])("settlement by the published vectors of %s/1", (rule) => {
  const settled = vectors(`settlement_${rule}_1`).filter((each) => each.expected.state !== "open");

  it.each(settled.map((each) => [each.name, each] as const))("%s", (_, vector) => {
    const { order, expected } = vector;
    const terms: Terms = {
      direction: order.direction,
      stake: unitsOf(order.stake, 2) ?? 0n,
      payoutPercent: order.payout_percent,
      expiresMs: Date.parse(order.expires_at),
      maxTickAgeMs: order.max_tick_age_ms,
      revision: order.revision,
      openPrice: unitsOf(order.open_tick.price, order.price_scale) ?? 0n,
      settlementRule: `${rule}/1`,
    };
    const made = outcome(terms, factsOf(vector));
    expect({
      state: made.state,
      reason: made.reason,
      close: made.closePrice === null ? null : decimalText(made.closePrice, order.price_scale),
      tick: made.closePrice === null ? null : (made.tick?.seq ?? null),
      payout: decimalText(made.payout, 2),
    }).toEqual({ state: expected.state, reason: expected.reason, close: expected.close_price, tick: expected.close_tick?.seq ?? null, payout: expected.payout });
  });
});

describe("entry by the published vectors of next_tick/1", () => {
  it.each(vectors("entry_next_tick_1").filter((each) => each.expected.state !== "waiting").map((each) => [each.name, each] as const))("%s", (_, { order, ticks, expected }) => {
    const terms = {
      untilMs: Math.min(Date.parse(order.accepted_at) + order.max_tick_age_ms, Date.parse(order.expires_at)),
      revision: order.revision,
      priceScale: order.price_scale,
      expectedPrice: order.expected_price,
      maxPriceDrift: order.max_price_drift,
    };
    const next = ticks.find((each) => each.seq === order.after_seq + 1);
    expect(entryRefund(terms, next ? ruleTick(next, order.price_scale) : null)).toBe(expected.reason);
  });
});

describe("decimals", () => {
  it("rounds half to even, once", () => {
    expect([3n, 5n, 7n, 10n].map((each) => dividedHalfEven(each, 2n))).toEqual([2n, 2n, 4n, 5n]);
    expect(trimmedMean([108499n, 108513n, 108514n, 109999n])).toBe(108514n);
    expect(trimmedMean([108512n, 108513n])).toBe(108512n);
    expect(midOf("1.08512", "1.08513", 5)).toBe(108512n);
    expect(midOf("1.08513", "1.08514", 5)).toBe(108514n);
    expect(midOf("1.0851", "1.086", 2)).toBe(109n);
    expect(midOf("1e5", "1", 2)).toBeNull();
  });
});
