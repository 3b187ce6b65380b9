import { describe, expect, it } from "vitest";
import { en } from "@/i18n/en";
import { symbolWith, walletWith } from "@/test-data";
import { remedyFor, type Remedy, type Situation } from "./remedies";

const now = Date.parse("2026-11-20T14:34:12.000Z");
const situation = (changes: Partial<Situation> = {}): Situation => ({
  symbol: symbolWith(), wallet: walletWith(), stake: "10.00", scale: 2, durationS: 30, mode: "duration", nowMs: now, price: "1.08536", left: null,
  bounds: { minS: 5, maxS: 86_400, deadlineS: 10, sessionEndMs: null }, ...changes,
});
const after = (code: string, changes: Partial<Situation> = {}, stake = "10.00"): Remedy =>
  remedyFor({ code, detail: "", againAtMs: null, sent: { client_order_id: "c1", symbol: "EURUSD", direction: "up", stake } }, situation(changes));

/** Every code that the contract lets an order be refused with. */
const CODES = [
  "account.banned", "account.excluded", "account.on_break", "account.unverified", "account.jurisdiction", "wallet.unknown", "wallet.not_tradable", "wallet.symbol_not_allowed",
  "wallet.insufficient_funds", "symbol.unknown", "symbol.not_offered", "order.direction.invalid", "order.stake.precision", "order.stake.below_minimum", "order.stake.above_maximum",
  "order.duration.out_of_range", "order.expiry.outside_session", "order.expiry.past_deadline", "order.payout_moved", "order.price_moved", "order.client_order_id.reused", "order.busy",
  "market.closed", "market.halted", "market.close_only", "market.stale", "limit.loss_day", "limit.loss_7d", "limit.loss_30d", "limit.stake_day", "limit.open_orders", "limit.session",
  "exposure.symbol", "rate.limited", "request.invalid",
];

describe("what would work after a refusal", () => {
  it.each(CODES)("%s is told in words and answered with something to do", (code) => {
    expect(Object.keys(en.refusal)).toContain(code.replaceAll(".", "_"));
    expect(after(code).kind).toBeTruthy();
  });

  it("sets a stake that fits: the bounds, the balance, what an own limit leaves", () => {
    expect(after("order.stake.below_minimum")).toEqual({ kind: "stake", stake: "1.00" });
    expect(after("order.stake.above_maximum")).toEqual({ kind: "stake", stake: "1000.00" });
    expect(after("wallet.insufficient_funds", { wallet: walletWith({ balance: "7.40" }) })).toEqual({ kind: "stake", stake: "7.40" });
    expect(after("limit.loss_day", { left: "3.50" })).toEqual({ kind: "stake", stake: "3.50" });
    expect(after("exposure.symbol")).toEqual({ kind: "stake", stake: "5.00" });
    expect(after("order.stake.precision", {}, "10.555")).toEqual({ kind: "stake", stake: "10.55" });
  });

  it("points to where money or room comes from when no stake fits", () => {
    expect(after("wallet.insufficient_funds", { wallet: walletWith({ balance: "0.40" }) })).toEqual({ kind: "refill" });
    expect(after("wallet.insufficient_funds", { wallet: walletWith({ ledger: "real", balance: "0.00" }) })).toEqual({ kind: "wallet" });
    expect(after("limit.stake_day", { left: "0.40" })).toEqual({ kind: "limits" });
  });

  it("offers the nearest duration, the next instant of the clock, or the end of the session", () => {
    expect(after("order.duration.out_of_range", { symbol: symbolWith({ min_duration_s: 60 }) })).toEqual({ kind: "duration", seconds: 60 });
    expect(after("order.expiry.past_deadline", { mode: "clock" })).toEqual({ kind: "expiry", at: Date.parse("2026-11-20T14:35:00.000Z") });
    const sessionEndMs = now + 60_000;
    expect(after("order.expiry.outside_session", { mode: "clock", bounds: { ...situation().bounds, sessionEndMs } })).toEqual({ kind: "expiry", at: sessionEndMs });
    expect(after("order.expiry.outside_session", { durationS: 300, bounds: { ...situation().bounds, sessionEndMs } })).toEqual({ kind: "duration", seconds: 59 });
  });

  it("buys at what there is now when payout or price moved", () => {
    expect(after("order.payout_moved", { symbol: symbolWith({ payout_percent: 82 }) })).toEqual({ kind: "buy_payout", percent: 82 });
    expect(after("order.price_moved")).toEqual({ kind: "buy_price", price: "1.08536" });
  });
});
