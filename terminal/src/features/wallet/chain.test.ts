import { describe, expect, it } from "vitest";
import type { WalletEntry, WalletPeriod } from "@/api/schema";
import { chainOf, periodAddsUp } from "./chain";

const line = (no: number, amount: string, after: string): WalletEntry => ({ no, amount, balance_after: after, at: "", kind: "", detail: "", reference: "", note: null });
const lines = [line(3, "18.50", "10008.50"), line(2, "-10.00", "9990.00"), line(1, "10000.00", "10000.00")];

describe("a statement checked line by line", () => {
  it("checks all lines when the balance before the oldest is known, and all but that one when not", () => {
    expect(chainOf(lines, "0.00")).toEqual({ checked: 3, all: 3, broken: null });
    expect(chainOf(lines, null)).toEqual({ checked: 2, all: 3, broken: null });
  });

  it("names the line whose balance does not follow, down to the last cent", () => {
    const wrong = [line(3, "18.50", "10008.51"), ...lines.slice(1)];
    expect(chainOf(wrong, "0.00")).toEqual({ checked: 2, all: 3, broken: 3 });
  });

  it("sees a missing line even where the amounts happen to fit", () => {
    expect(chainOf([line(4, "0.00", "9990.00"), ...lines.slice(1)], null).broken).toBe(4);
  });

  it("does not lose a cent that no float holds", () => {
    expect(chainOf([line(2, "0.01", "90071992547409.93"), line(1, "90071992547409.92", "90071992547409.92")], "0.00").broken).toBeNull();
    expect(chainOf([line(2, "0.01", "90071992547409.92"), line(1, "90071992547409.92", "90071992547409.92")], "0.00").broken).toBe(2);
  });
});

it("holds opening and sums against the closing balance", () => {
  const period: WalletPeriod = { from: null, to: null, currency: "USD", opening: "0.00", closing: "9990.00", entries: 2, sums: [{ kind: "demo.grant", detail: "grant", count: 1, amount: "10000.00" }, { kind: "order.stake", detail: "stake", count: 1, amount: "-10.00" }] };
  expect(periodAddsUp(period)).toBe(true);
  expect(periodAddsUp({ ...period, closing: "9990.01" })).toBe(false);
});
