import { describe, expect, it } from "vitest";
import type { Receipt } from "@/api/schema";
import { closingRows, meanOf, openingRows, timeline, trimMarks, windowRows, type Row } from "./receipt-view";

/** The published examples: receipts of every kind, as the platform signs them. */
const texts = import.meta.glob<string>("../../../../docs/fairness/vectors/*.json", { query: "?raw", import: "default", eager: true });
const vector = (name: string): Receipt => JSON.parse(texts[`../../../../docs/fairness/vectors/${name}.json`] ?? "null") as Receipt;
const drawn = (rows: readonly Row[]): string[] => rows.map((row) => (row.kind === "edge" ? `-- ${row.edge}` : `${String(row.seq)}${row.mark === null ? "" : ` ${row.mark}`}`));

describe("the ticks of a receipt, with the boundary between them", () => {
  it("draws acceptance and expiry after the chosen tick under last_tick/1", () => {
    const receipt = vector("won");
    expect(drawn(openingRows(receipt))).toEqual(["40", "41 opening", "-- accepted", "42"]);
    expect(drawn(closingRows(receipt))).toEqual(["81", "82 closing", "-- expiry", "83"]);
  });

  it("draws the acceptance before the chosen tick under next_tick/1", () => {
    const rows = drawn(openingRows(vector("next-tick")));
    const at = rows.indexOf("-- accepted");
    expect(rows[at + 1]).toMatch(/ opening$/);
    expect(rows[at - 1]).not.toMatch(/ opening$/);
  });

  it("shows the time limit and what came too late when nothing opened the order", () => {
    const rows = drawn(openingRows(vector("no-entry-tick")));
    expect(rows).toContain("-- limit");
    expect(rows.some((row) => row.endsWith(" opening"))).toBe(false);
  });

  it("marks the tick that was too far from the expected price", () => {
    expect(drawn(openingRows(vector("price-moved"))).some((row) => row.endsWith(" moved"))).toBe(true);
  });

  it("marks a last tick that is too old, and calls no tick closing then", () => {
    const rows = drawn(closingRows(vector("stale")));
    expect(rows.some((row) => row.endsWith(" old"))).toBe(true);
    expect(rows.some((row) => row.endsWith(" closing"))).toBe(false);
  });

  it("has no closing ticks while the order is open", () => {
    expect(closingRows(vector("open"))).toEqual([]);
  });
});

describe("the trimmed mean", () => {
  it("leaves out floor(3n / 10) on each side and gives the receipt's own closing price", () => {
    const receipt = vector("mean");
    const mean = meanOf(receipt);
    expect(mean).toMatchObject({ count: 14, dropped: 4, kept: 6, mean: receipt.order.close_price });
    const rows = drawn(windowRows(receipt));
    expect(rows.filter((row) => row.endsWith(" lowest"))).toHaveLength(4);
    expect(rows.filter((row) => row.endsWith(" highest"))).toHaveLength(4);
    expect([rows[1], rows.at(-2)]).toEqual(["-- window", "-- expiry"]);
  });

  it("leaves out nothing of three ticks, and one on each side of four", () => {
    expect(trimMarks([3n, 1n, 2n])).toEqual(["kept", "kept", "kept"]);
    expect(trimMarks([3n, 1n, 2n, 2n])).toEqual(["highest", "lowest", "kept", "kept"]);
  });
});

describe("the timeline", () => {
  it("tells each step's distance from acceptance or expiry", () => {
    const receipt = vector("won");
    const steps = timeline(receipt.order, receipt);
    expect(steps.map((step) => [step.name, step.offsetMs])).toEqual([
      ["openTick", 0], ["accepted", 0], ["closeTick", 0], ["expired", 30_000], ["passed", 45], ["settled", 60],
    ]);
  });

  it("ends a refund at the entry before the expiry, which it never reached", () => {
    const receipt = vector("price-moved");
    const early = { ...receipt.order, settled_at: receipt.order.entered_at };
    expect(timeline(early, receipt).map((step) => step.name)).not.toContain("expired");
  });
});
