import { describe, expect, it } from "vitest";
import { CandleSeries, TickSeries, tickPoint, type Candle } from "@/lib/candles";
import { plottedSlot } from "./lightweight-series";
import { tableRows } from "./table-rows";
import { gapBetween, Timeline } from "./timeline";

const candle = (startMs: number, close = 1): Candle => ({ startMs, open: close, high: close, low: close, close });

function timelineOver(starts: readonly number[], roomy = true) {
  const series = new CandleSeries(1000);
  series.merge(starts.map((start) => candle(start)));
  const timeline = new Timeline(series, 1000, 3000, roomy);
  timeline.reset();
  return { series, timeline };
}

describe("gaps", () => {
  it("are silences longer than the symbol's terms allow, and nothing shorter", () => {
    expect(gapBetween(candle(0), candle(4000), 1000, 3000)).toBeNull();
    expect(gapBetween(candle(0), candle(4001), 1000, 3000)).toEqual({ fromMs: 1000, toMs: 4001 });
  });

  it("take room on the axis, but never more than a few slots", () => {
    expect(timelineOver([0, 1000, 6000]).timeline.slots.map((slot) => [slot.atMs, slot.candle !== null])).toEqual([
      [0, true], [1000, true], [2000, false], [3000, false], [4000, false], [5000, false], [6000, true],
    ]);
    expect(timelineOver([0, 900_000_000]).timeline.slots).toHaveLength(10);
  });

  it("are remembered without room where the engine has none to give", () => {
    const { timeline } = timelineOver([0, 9000], false);
    expect(timeline.slots).toHaveLength(2);
    expect(timeline.gaps).toEqual([{ fromMs: 1000, toMs: 9000 }]);
  });

  it("are not bridged by a line: the stroke ends at the last candle before them", () => {
    const { slots } = timelineOver([0, 9000, 10_000]).timeline;
    const plotted = slots.map((slot, index) => plottedSlot(slot, slots[index + 1], "line", 0));
    expect(plotted[0]).toMatchObject({ value: 1, color: "transparent" });
    expect(plotted.at(-2)).toEqual({ time: 9, value: 1 });
    expect(plotted.slice(1, -2).every((each) => !("value" in each))).toBe(true);
  });

  it("are named in the table beside the candle that ended them", () => {
    const rows = tableRows(timelineOver([0, 9000, 10_000]).timeline.slots, 0, 50);
    expect(rows.map((row) => [row.candle.startMs, row.silentMs])).toEqual([[10_000, 0], [9000, 8000], [0, 0]]);
  });
});

describe("timeline", () => {
  it("grows with the newest candle and opens a gap as it comes", () => {
    const { series, timeline } = timelineOver([0]);
    const grown = series.add({ seq: 1, atMs: 500, price: 7 });
    expect(timeline.take(grown as Candle)).toHaveLength(1);
    const fresh = series.add({ seq: 2, atMs: 6000, price: 8 });
    expect(timeline.take(fresh as Candle).map((slot) => slot.candle === null)).toEqual([true, true, true, true, true, false]);
    expect(timeline.slots).toHaveLength(7);
  });

  it("places instants among candles, inside gaps and beyond the end", () => {
    const { timeline } = timelineOver([0, 3000, 10_000]);
    expect(timeline.positionOf(500)).toBe(0);
    expect(timeline.positionOf(2000)).toBe(0.5);
    expect(timeline.positionOf(7000)).toBe(4.5);
    expect(timeline.positionOf(10_500)).toBe(8);
    expect(timeline.positionOf(12_500)).toBe(10);
  });

  it("places a single tick at its very instant", () => {
    const series = new TickSeries();
    series.merge([tickPoint({ seq: 1, atMs: 1000, price: 1 }), tickPoint({ seq: 2, atMs: 2000, price: 2 })]);
    const timeline = new Timeline(series, 0, 3000);
    timeline.reset();
    expect(timeline.positionOf(1000)).toBe(0);
    expect(timeline.positionOf(1500)).toBe(0.5);
    expect(timeline.positionOf(4000)).toBe(3);
  });
});
