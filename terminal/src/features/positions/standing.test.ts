import { describe, expect, it } from "vitest";
import { orderWith } from "@/test-data";
import { standingOf, sumOf, type StandingInput } from "./standing";

const input = (changes: Partial<StandingInput> = {}): StandingInput => ({
  order: orderWith(), price: "1.08536", scale: 5, nowMs: 0, expiresMs: 60_000, late: false, cutOff: false, ...changes,
});

describe("if it ended now", () => {
  it("wins, loses and ties by the opening price", () => {
    expect(standingOf(input())).toEqual({ kind: "wins", profit: "8.50" });
    expect(standingOf(input({ order: orderWith({ direction: "down" }) }))).toEqual({ kind: "loses", profit: "-10.00" });
    expect(standingOf(input({ price: "1.08512" }))).toEqual({ kind: "ties", profit: "0.00" });
  });

  it("is unknown while the price is late, never a guess", () => {
    expect(standingOf(input({ late: true }))).toEqual({ kind: "late" });
  });

  it("is pending while the line is cut, even after expiry", () => {
    expect(standingOf(input({ cutOff: true, nowMs: 90_000 }))).toEqual({ kind: "pending" });
  });

  it("is settling from expiry to the result", () => {
    expect(standingOf(input({ nowMs: 60_000 }))).toEqual({ kind: "settling" });
  });

  it("sums only what is known", () => {
    expect(sumOf([{ kind: "wins", profit: "8.50" }, { kind: "loses", profit: "-10.00" }], 2)).toBe("-1.50");
    expect(sumOf([{ kind: "wins", profit: "8.50" }, { kind: "late" }], 2)).toBeNull();
  });
});
