import type { Candle } from "@/lib/candles";

/** Heikin-Ashi candles: averages of the real ones. They are drawn, never traded on or spoken as prices. */
export class HeikinAshi {
  private items: Candle[] = [];

  reset(candles: readonly Candle[]): readonly Candle[] {
    this.items = [];
    for (const candle of candles) this.items.push(averaged(candle, this.items.at(-1)));
    return this.items;
  }

  /** The average of the newest candle, whether it grew or began. */
  take(candle: Candle): Candle {
    if (this.items.at(-1)?.startMs === candle.startMs) this.items.pop();
    const made = averaged(candle, this.items.at(-1));
    this.items.push(made);
    return made;
  }
}

function averaged(candle: Candle, before: Candle | undefined): Candle {
  const close = (candle.open + candle.high + candle.low + candle.close) / 4;
  const open = before ? (before.open + before.close) / 2 : (candle.open + candle.close) / 2;
  return { startMs: candle.startMs, open, high: Math.max(candle.high, open, close), low: Math.min(candle.low, open, close), close };
}
