import { describe, expect, it } from "vitest";
import { candleStart, CandleSeries, intervalMs, tickPoint, TickSeries } from "./candles";

const tick = (atMs: number, price: number, seq = atMs) => ({ seq, atMs, price });
const candle = (startMs: number, open: number, high: number, low: number, close: number) => ({ startMs, open, high, low, close });

describe("candles from ticks", () => {
  it("give a tick at the start of an interval to that interval, aligned to the epoch", () => {
    expect(candleStart(15_000, intervalMs("15s"))).toBe(15_000);
    expect(candleStart(14_999, intervalMs("15s"))).toBe(0);
    expect(candleStart(86_400_000 + 5, intervalMs("1d"))).toBe(86_400_000);
  });

  it("grow and begin like the server's", () => {
    const series = new CandleSeries(1000);
    [tick(1000, 5), tick(1400, 7), tick(1999, 4), tick(2000, 6)].forEach((each) => series.add(each));
    expect(series.candles).toEqual([candle(1000, 5, 7, 4, 4), candle(2000, 6, 6, 6, 6)]);
  });

  it("ignore a tick older than the newest one drawn", () => {
    const series = new CandleSeries(1000);
    series.add(tick(2500, 6));
    expect(series.add(tick(2400, 9))).toBeNull();
    expect(series.add(tick(1000, 9))).toBeNull();
    expect(series.candles).toEqual([candle(2000, 6, 6, 6, 6)]);
  });

  it("take the server's candles over thinned live ones, and keep the newest live close", () => {
    const series = new CandleSeries(1000);
    [tick(1000, 5), tick(2000, 6), tick(2500, 8)].forEach((each) => series.add(each));
    series.merge([candle(0, 1, 1, 1, 1), candle(1000, 5, 9, 3, 4), candle(2000, 6, 7, 2, 7)]);
    expect(series.candles).toEqual([candle(0, 1, 1, 1, 1), candle(1000, 5, 9, 3, 4), candle(2000, 6, 8, 2, 8)]);
  });

  it("continue the candle that history ended with", () => {
    const series = new CandleSeries(1000);
    series.merge([candle(2000, 6, 7, 5, 7)]);
    series.add(tick(2900, 9));
    expect(series.last).toEqual(candle(2000, 6, 9, 5, 9));
  });

  it("forget the oldest beyond the most that is kept", () => {
    const series = new CandleSeries(1000);
    series.merge([0, 1000, 2000, 3000].map((start) => candle(start, 1, 1, 1, 1)));
    expect(series.trim(4)).toBe(false);
    expect(series.trim(2)).toBe(true);
    expect(series.candles.map((each) => each.startMs)).toEqual([2000, 3000]);
  });
});

describe("single ticks", () => {
  it("are kept once by their number, in order, whether read or live", () => {
    const series = new TickSeries();
    series.add(tick(1000, 5, 10));
    series.add(tick(1200, 6, 11));
    expect(series.add(tick(1200, 6, 11))).toBeNull();
    series.merge([tick(800, 4, 9), tick(1000, 5, 10)].map(tickPoint));
    expect(series.candles.map((each) => each.seq)).toEqual([9, 10, 11]);
  });

  it("stay apart on the axis when they share a millisecond", () => {
    const series = new TickSeries();
    series.add(tick(1000, 5, 1));
    series.add(tick(1000, 6, 2));
    series.add(tick(1000, 7, 3));
    const places = series.candles.map((each) => each.startMs);
    expect(new Set(places).size).toBe(3);
    expect(Math.round(places[2] ?? 0)).toBe(1000);
  });
});
