/** Candles built on the client exactly as the server builds them: aligned to the epoch by the tick's own time. */

export const INTERVALS = ["1s", "5s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"] as const;
export type Interval = (typeof INTERVALS)[number];

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function intervalMs(interval: Interval): number {
  const unit = interval.slice(-1) as keyof typeof UNIT_MS;
  return Number(interval.slice(0, -1)) * UNIT_MS[unit];
}

/** A tick at `start` belongs to the candle of `start`. */
export function candleStart(atMs: number, widthMs: number): number {
  return Math.floor(atMs / widthMs) * widthMs;
}

/** Prices are scaled integers. */
export interface Candle {
  startMs: number;
  open: number;
  high: number;
  low: number;
  close: number;
}

export interface PlainTick {
  atMs: number;
  price: number;
}

export class CandleSeries {
  private items: Candle[] = [];
  private lastTickMs = Number.NEGATIVE_INFINITY;

  constructor(readonly widthMs: number) {}

  get candles(): readonly Candle[] {
    return this.items;
  }

  get last(): Candle | undefined {
    return this.items.at(-1);
  }

  /** Add a live tick; answers the changed candle, or null when the tick is older than what is drawn. */
  add(tick: PlainTick): Candle | null {
    if (tick.atMs < this.lastTickMs) return null;
    const startMs = candleStart(tick.atMs, this.widthMs);
    const last = this.items.at(-1);
    if (last && startMs < last.startMs) return null;
    this.lastTickMs = tick.atMs;
    if (last?.startMs === startMs) {
      last.high = Math.max(last.high, tick.price);
      last.low = Math.min(last.low, tick.price);
      last.close = tick.price;
      return last;
    }
    const fresh = { startMs, open: tick.price, high: tick.price, low: tick.price, close: tick.price };
    this.items.push(fresh);
    return fresh;
  }

  /**
   * Merge candles read from the server, ascending. They replace ours where both exist, because live
   * ticks may be thinned under pressure; only the newest candle keeps the close of a live tick.
   */
  merge(read: readonly Candle[]): void {
    if (read.length === 0) return;
    const live = this.items.at(-1);
    const byStart = new Map(this.items.map((candle) => [candle.startMs, candle]));
    for (const candle of read) byStart.set(candle.startMs, { ...candle });
    if (live && Number.isFinite(this.lastTickMs)) byStart.set(live.startMs, joined(live, byStart.get(live.startMs)));
    this.items = [...byStart.values()].sort((a, b) => a.startMs - b.startMs);
  }

  /** Position of an instant on the axis of candles; 0.5 past an index is the edge between two candles. */
  positionOf(atMs: number): number {
    const count = this.items.length;
    if (count === 0) return 0;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.items[middle]?.startMs ?? 0) <= atMs) low = middle;
      else high = middle - 1;
    }
    const past = (atMs - (this.items[low]?.startMs ?? 0)) / this.widthMs;
    const isLast = low === count - 1;
    return low - 0.5 + (isLast ? past : Math.min(past, 1));
  }
}

function joined(live: Candle, read: Candle | undefined): Candle {
  if (!read) return live;
  return {
    startMs: live.startMs,
    open: read.open,
    high: Math.max(read.high, live.high),
    low: Math.min(read.low, live.low),
    close: live.close,
  };
}
