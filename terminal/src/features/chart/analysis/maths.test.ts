import { describe, expect, it } from "vitest";
import { aroon, atr, donchian, ema, hma, ichimoku, keltner, rsi, sma, stochastic, stochRsi, superTrend, trueRange, wma, type Bar } from "./maths";

/** Candles as [high, low, close]; the open plays no part. */
const bars = (...rows: readonly (readonly [number, number, number])[]): Bar[] => rows.map(([high, low, close]) => ({ open: close, high, low, close }));
const flat = (...closes: readonly number[]): Bar[] => closes.map((close) => ({ open: close, high: close, low: close, close }));

describe("means, by hand", () => {
  it("simple: only full windows, and none over a hole", () => {
    expect(sma([1, 2, 3, 4], 3)).toEqual([null, null, 2, 3]);
    expect(sma([null, 2, 4, 6], 2)).toEqual([null, null, 3, 5]);
  });

  it("weighted: (1*1 + 2*2 + 6*3) / 6", () => {
    expect(wma([1, 2, 6], 3)).toEqual([null, null, 23 / 6]);
  });

  it("exponential: begins with the mean, then moves by 2/(n+1)", () => {
    expect(ema([2, 4, 6, 10], 3)).toEqual([null, null, 4, 7]);
  });

  it("Hull of 4: weighted mean over 2 of twice the half less the whole", () => {
    const values = hma(flat(1, 2, 4, 8, 16), 4);
    // Halves over 2: 5/3, 10/3, 20/3, 40/3; wholes over 4: 4.9, 9.8; raised: 8.4333.., 16.8666..
    expect(values.slice(0, 4)).toEqual([null, null, null, null]);
    expect(values[4]).toBeCloseTo((8.433333 * 1 + 16.866667 * 2) / 3, 4);
  });
});

describe("ranges, by hand", () => {
  const rows = bars([10, 8, 9], [12, 9, 11], [11, 6, 7], [9, 7, 8]);

  it("true range counts the jump from the close before", () => {
    expect(trueRange(rows)).toEqual([2, 3, 5, 2]);
    expect(trueRange(bars([10, 8, 8], [14, 12, 13]))).toEqual([2, 6]);
  });

  it("ATR of 2: mean of the first two, then half of the way", () => {
    expect(atr(rows, 2)).toEqual([null, 2.5, 3.75, 2.875]);
  });

  it("Keltner stands twice the range around the mean", () => {
    expect(keltner(rows, 2, 2, 2)[1]).toEqual({ upper: 15, middle: 10, lower: 5 });
    expect(keltner(rows, 2, 2, 2)[0]).toEqual({ upper: null, middle: null, lower: null });
  });

  it("Donchian is the highest high and the lowest low", () => {
    expect(donchian(rows, 3)[2]).toEqual({ upper: 12, middle: 9, lower: 6 });
    expect(donchian(rows, 3)[1]).toEqual({ upper: null, middle: null, lower: null });
  });
});

describe("oscillators, by hand", () => {
  it("stochastic: place in the window, then two means", () => {
    const rows = bars([10, 0, 5], [10, 0, 8], [20, 0, 10], [20, 10, 15]);
    // Raw over 2: 80, 50, 75; K over 2: 65, 62.5; D over 2: 63.75.
    expect(stochastic(rows, 2, 2, 2)).toEqual([
      { k: null, d: null }, { k: null, d: null }, { k: 65, d: null }, { k: 62.5, d: 63.75 },
    ]);
  });

  it("stochastic of a flat market is in the middle, not broken", () => {
    expect(stochastic(flat(5, 5, 5), 2, 1, 1)[2]).toEqual({ k: 50, d: 50 });
  });

  it("RSI of 2: gains over gains and losses, smoothed by half", () => {
    const values = rsi(flat(10, 12, 11, 14), 2);
    // Gains 2, 0, 3; losses 0, 1, 0: first means 1 and 0.5; then 2 and 0.25.
    expect(values[2]).toBeCloseTo(66.6667, 3);
    expect(values[3]).toBeCloseTo(88.8889, 3);
    expect(values.slice(0, 2)).toEqual([null, null]);
  });

  it("stochastic RSI lies at 100 where the RSI is the highest of its window", () => {
    const lines = stochRsi(flat(10, 12, 11, 14, 13), 2, 2, 1, 1);
    expect(lines[3]).toEqual({ k: 100, d: 100 });
    expect(lines[4]).toEqual({ k: 0, d: 0 });
    expect(lines[2]).toEqual({ k: null, d: null });
  });

  it("Aroon: 100 for a new extreme, less for each step since", () => {
    const rows = bars([5, 1, 3], [9, 2, 4], [6, 0, 3], [7, 3, 5], [8, 4, 6]);
    expect(aroon(rows, 4)[4]).toEqual({ up: 25, down: 50 });
    expect(aroon(rows, 4)[3]).toEqual({ up: null, down: null });
  });
});

describe("trends, by hand", () => {
  it("Ichimoku: middles of windows, spans from before, the close from after", () => {
    const rows = bars([4, 2, 3], [6, 2, 5], [8, 4, 6], [10, 6, 9], [12, 6, 10]);
    const cloud = ichimoku(rows, 1, 2, 3);
    expect(cloud[2]).toEqual({ conversion: 6, base: 5, spanA: null, spanB: null, lagging: 10 });
    expect(cloud[3]).toEqual({ conversion: 8, base: 7, spanA: 4, spanB: null, lagging: null });
    expect(cloud[4]).toEqual({ conversion: 9, base: 9, spanA: 5.5, spanB: 5, lagging: null });
  });

  it("SuperTrend follows below a rise and changes side when the close falls through", () => {
    const rows = bars([11, 9, 10], [13, 11, 12], [15, 13, 14], [9, 7, 8]);
    // Ranges 2, 3, 3, 7; smoothed over 1 they stay; stops 10 - 2, then 12 - 3, then 14 - 3; 8 < 11 turns to 8 + 7.
    expect(superTrend(rows, 1, 1)).toEqual([
      { up: 8, down: null }, { up: 9, down: null }, { up: 11, down: null }, { up: null, down: 15 },
    ]);
  });
});
