import { describe, expect, it } from "vitest";
import type { Candle } from "@/lib/candles";
import { HeikinAshi } from "./heikin-ashi";

const candle = (startMs: number, open: number, high: number, low: number, close: number): Candle => ({ startMs, open, high, low, close });

describe("Heikin-Ashi", () => {
  const candles = [candle(0, 10, 14, 8, 12), candle(1000, 12, 18, 12, 16), candle(2000, 16, 16, 8, 10)];

  it("averages as computed by hand", () => {
    expect(new HeikinAshi().reset(candles)).toEqual([
      candle(0, 11, 14, 8, 11),
      candle(1000, 11, 18, 11, 14.5),
      candle(2000, 12.75, 16, 8, 12.5),
    ]);
  });

  it("gives the same whether a candle comes whole or grows tick by tick", () => {
    const live = new HeikinAshi();
    live.reset(candles.slice(0, 2));
    live.take(candle(2000, 16, 16, 16, 16));
    live.take(candle(2000, 16, 16, 8, 9));
    expect(live.take(candles[2] as Candle)).toEqual(candle(2000, 12.75, 16, 8, 12.5));
    expect(live.take(candle(3000, 10, 10, 10, 10)).open).toBe(12.625);
  });
});
