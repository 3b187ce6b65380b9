/** Candles built on the client exactly as the server builds them: aligned to the epoch by the tick's own time. */

export const INTERVALS = ["1s", "5s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"] as const;
export type Interval = (typeof INTERVALS)[number];

/** What a chart can plot: single ticks, or candles of an interval. */
export const PLOTS = ["tick", ...INTERVALS] as const;
export type Plot = (typeof PLOTS)[number];

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
  seq: number;
  atMs: number;
  price: number;
}

/** What a chart keeps in memory of one symbol; bounded by `trim`. */
export interface Series {
  readonly candles: readonly Candle[];
  readonly last: Candle | undefined;
  /** Time that one place on the axis stands for. */
  readonly stepMs: number;
  /** Add a live tick; answers the changed candle, or null when the tick is older than what is drawn. */
  add(tick: PlainTick): Candle | null;
  /** Merge what the server stores, ascending. */
  merge(read: readonly Candle[]): void;
  /** Forget the oldest beyond so many; answers whether anything went. */
  trim(keep: number): boolean;
}

export class CandleSeries implements Series {
  private items: Candle[] = [];
  private lastTickMs = Number.NEGATIVE_INFINITY;

  constructor(readonly widthMs: number) {}

  get candles(): readonly Candle[] {
    return this.items;
  }

  get last(): Candle | undefined {
    return this.items.at(-1);
  }

  get stepMs(): number {
    return this.widthMs;
  }

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

  trim(keep: number): boolean {
    if (this.items.length <= keep) return false;
    this.items = this.items.slice(this.items.length - keep);
    return true;
  }
}

/** A single tick, plotted as a candle without a body; ticks of one millisecond stay apart by their numbers. */
export interface TickPoint extends Candle {
  seq: number;
}

export function tickPoint({ seq, atMs, price }: PlainTick): TickPoint {
  return { seq, startMs: atMs, open: price, high: price, low: price, close: price };
}

const STEP_OVER = 60;
/** Distance at which ticks of the same millisecond are drawn; the axis needs rising places. */
const NUDGE_MS = 1 / 256;

export class TickSeries implements Series {
  private items: TickPoint[] = [];

  get candles(): readonly TickPoint[] {
    return this.items;
  }

  get last(): TickPoint | undefined {
    return this.items.at(-1);
  }

  get stepMs(): number {
    const newest = this.items.slice(-STEP_OVER);
    const [first, last] = [newest[0], newest.at(-1)];
    return first && last && newest.length > 1 ? Math.max(1, (last.startMs - first.startMs) / (newest.length - 1)) : 1000;
  }

  add(tick: PlainTick): TickPoint | null {
    const last = this.items.at(-1);
    if (last && tick.seq <= last.seq) return null;
    const point = after(last, tickPoint(tick));
    this.items.push(point);
    return point;
  }

  merge(read: readonly Candle[]): void {
    const bySeq = new Map<number, TickPoint>();
    for (const point of [...(read as readonly TickPoint[]), ...this.items]) if (!bySeq.has(point.seq)) bySeq.set(point.seq, { ...point });
    const sorted = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
    this.items = [];
    for (const point of sorted) this.items.push(after(this.items.at(-1), point));
  }

  trim(keep: number): boolean {
    if (this.items.length <= keep) return false;
    this.items = this.items.slice(this.items.length - keep);
    return true;
  }
}

function after(last: TickPoint | undefined, point: TickPoint): TickPoint {
  return last && point.startMs <= last.startMs ? { ...point, startMs: last.startMs + NUDGE_MS } : point;
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
