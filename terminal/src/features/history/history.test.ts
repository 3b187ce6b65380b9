import { describe, expect, it } from "vitest";
import type { Page } from "@/api/schema";
import { orderWith } from "@/test-data";
import { Cancelled, cell, csv, ORDER_COLUMNS, readAll } from "./export";
import { dayOf, dayStart, presetDays, presetOf, spanOf } from "./period";
import { DEFAULTS, ordersQuery } from "./query";

describe("days in a zone", () => {
  it("begin at midnight there, also on days when clocks change", () => {
    expect(dayStart("2026-11-30", "utc")).toBe(Date.UTC(2026, 10, 30));
    expect(dayStart("2026-11-30", "Asia/Kathmandu")).toBe(Date.UTC(2026, 10, 29, 18, 15));
    expect(dayStart("2026-03-29", "Europe/Madrid")).toBe(Date.UTC(2026, 2, 28, 23));
    expect(dayStart("2026-03-30", "Europe/Madrid")).toBe(Date.UTC(2026, 2, 29, 22));
    expect(dayOf(Date.UTC(2026, 10, 29, 19), "Asia/Kathmandu")).toBe("2026-11-30");
    expect(dayStart("soon", "utc")).toBeNull();
  });

  it("make a span that holds the whole last day", () => {
    expect(spanOf({ from: "2026-11-01", to: "2026-11-30" }, "utc")).toEqual({ from: "2026-11-01T00:00:00.000Z", to: "2026-12-01T00:00:00.000Z" });
    expect(spanOf({ from: "", to: "" }, "utc")).toEqual({});
  });

  it("know the preset that they are", () => {
    const now = Date.UTC(2026, 10, 30, 12);
    expect(presetDays("week", now, "utc")).toEqual({ from: "2026-11-24", to: "2026-11-30" });
    expect(presetOf({ from: "2026-11-24", to: "2026-11-30" }, now, "utc")).toBe("week");
    expect(presetOf({ from: "2026-11-23", to: "2026-11-30" }, now, "utc")).toBeNull();
  });
});

describe("what the address asks the API for", () => {
  it("names one ledger always and leaves out words that no filter knows", () => {
    expect(ordersQuery(DEFAULTS, "demo", "utc")).toEqual({ ledger: "demo", state: "settled" });
    expect(ordersQuery({ ...DEFAULTS, result: "won", direction: "sideways", symbol: "EURUSD" }, "real", "utc")).toEqual({ ledger: "real", result: "won", symbol: "EURUSD" });
  });
});

describe("a list as a file", () => {
  const page = (from: number, next: string | null): Page<number> => ({ data: [from, from + 1], next_cursor: next });

  it("is read to its end", async () => {
    const seen: number[] = [];
    const rows = await readAll((cursor) => Promise.resolve(cursor === undefined ? page(1, "b") : page(3, null)), (count) => seen.push(count), new AbortController().signal);
    expect([rows, seen]).toEqual([[1, 2, 3, 4], [2, 4]]);
  });

  it("can be given up between pages, and is then no file", async () => {
    const own = new AbortController();
    const reading = readAll(() => { own.abort(); return Promise.resolve(page(1, "b")); }, () => undefined, own.signal);
    await expect(reading).rejects.toBeInstanceOf(Cancelled);
  });

  it("keeps money as it came, quotes what must be, and lets no text become a formula", () => {
    expect([cell("-10.00"), cell("=1+1"), cell("-A1"), cell('say "x", y'), cell(null)]).toEqual(["-10.00", "'=1+1", "'-A1", '"say ""x"", y"', ""]);
    const text = csv([orderWith({ state: "lost", payout: "0.00", profit: "-10.00", close_price: "1.08500" })], ORDER_COLUMNS);
    const [head, line, rest] = text.split("\r\n");
    expect(head?.split(",")).toContain("profit");
    expect(line?.split(",")[head?.split(",").indexOf("profit") ?? -1]).toBe("-10.00");
    expect(line).toContain(",10.00,85,");
    expect(rest).toBe("");
  });
});
