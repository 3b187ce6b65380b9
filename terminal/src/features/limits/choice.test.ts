import { describe, expect, it } from "vitest";
import type { OwnLimit } from "@/api/schema";
import { effectOf, limitTyped, shareOf } from "./choice";

const limit = (set: OwnLimit["set"], waiting = false): OwnLimit => ({
  set,
  used: "0.00",
  left: set,
  pending: waiting ? { value: "500.00", confirm_from: "2026-12-01T00:00:00Z", confirm_until: "2026-12-08T00:00:00Z" } : null,
});

describe("what a wanted limit comes to", () => {
  it.each([
    [null, "100.00", "first"],
    ["100.00", "99.99", "tighter"],
    ["100.00", "100", "same"],
    ["100.00", "100.01", "looser"],
    ["100.00", null, "looser"],
    [null, null, "same"],
    [5, 4, "tighter"],
    [5, 6, "looser"],
  ] as const)("from %s to %s is %s", (now, wanted, effect) => {
    expect(effectOf(limit(now), wanted)).toBe(effect);
  });

  it("drops a waiting change when the value that holds is asked for", () => {
    expect(effectOf(limit("100.00", true), "100.00")).toBe("keep-same");
  });

  it("compares amounts beyond exact floats", () => {
    expect(effectOf(limit("90071992547409.93"), "90071992547409.92")).toBe("tighter");
  });
});

describe("typed limits", () => {
  it.each([
    ["loss_day", "12,5", "12.5"],
    ["loss_day", "1 000.00", "1000.00"],
    ["loss_day", "0", undefined],
    ["loss_day", "1.234", undefined],
    ["loss_day", "-5", undefined],
    ["open_orders", "7", 7],
    ["open_orders", "0", undefined],
    ["open_orders", "100001", undefined],
    ["session", "1440", 1440],
    ["session", "1441", undefined],
    ["session", "1.5", undefined],
  ] as const)("%s %s is %s", (name, text, value) => {
    expect(limitTyped(name, text)).toBe(value);
  });

  it("draws nothing for a limit that is not set, and no negative share after winnings", () => {
    expect(shareOf(limit(null))).toBeNull();
    expect(shareOf({ ...limit("100.00"), used: "-20.00" })).toBe(0);
  });
});
