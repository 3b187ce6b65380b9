import { candlesRead } from "@/api/trading";
import { ticksRead } from "@/api/ticks";
import type { CandleRecord, SymbolRecord } from "@/api/schema";
import { CandleSeries, intervalMs, tickPoint, TickSeries, type Candle, type Plot, type Series } from "@/lib/candles";
import { toPlotted, toScaled } from "@/lib/price";
import { parseInstant } from "@/lib/time";
import type { LiveTick } from "@/stores/quotes";
import { CandleFeed, candlePaging, TICK_PAGING } from "./candle-feed";
import { HeikinAshi } from "./heikin-ashi";
import type { ChartKind, ChartPort, DrawnKind } from "./port";
import { Timeline, type Slot } from "./timeline";

export interface ChartDataOptions {
  symbol: SymbolRecord;
  plot: Plot;
  kind: ChartKind;
  /** Whether a gap takes room on the axis. */
  roomy: boolean;
  now: () => number;
  newestMs: () => number | null;
  /** Whether the newest candle is in sight; only then the oldest ones are let go. */
  live: () => boolean;
  late: () => boolean;
  /** Many candles changed. */
  onReset: () => void;
}

export function drawnKind(kind: ChartKind, plot: Plot): DrawnKind {
  // A single tick has no body to draw.
  if (plot === "tick") return kind === "area" ? "area" : "line";
  return kind === "heikin-ashi" ? "candles" : kind;
}

function scaledCandle(record: CandleRecord, scale: number): Candle {
  return {
    startMs: parseInstant(record.start),
    open: toScaled(record.open, scale),
    high: toScaled(record.high, scale),
    low: toScaled(record.low, scale),
    close: toScaled(record.close, scale),
  };
}

/**
 * One chart's candles on their way from the server and the stream to whatever draws them. Nothing here is reactive:
 * the ticks of a frame come in one go, and are drawn together once all of them are in.
 */
export class ChartData {
  readonly series: Series;
  readonly timeline: Timeline;
  readonly feed: CandleFeed;
  readonly widthMs: number;
  private chart: ChartPort | null = null;
  private shape: HeikinAshi | null = null;
  private grown: Candle[] = [];
  private newest: LiveTick | null = null;
  private waiting = false;

  constructor(private readonly options: ChartDataOptions) {
    const { symbol, plot, roomy } = options;
    const scale = symbol.price_scale;
    this.widthMs = plot === "tick" ? 0 : intervalMs(plot);
    this.series = plot === "tick" ? new TickSeries() : new CandleSeries(this.widthMs);
    this.timeline = new Timeline(this.series, this.widthMs, symbol.max_tick_age_ms, roomy);
    this.shape = this.shapeOf(options.kind);
    this.feed = new CandleFeed({
      series: this.series,
      paging: plot === "tick" ? TICK_PAGING : candlePaging(this.widthMs),
      read: async (from, to) => plot === "tick"
        ? (await ticksRead(symbol.code, scale, from, to)).map(tickPoint)
        : (await candlesRead(symbol.code, plot, from, to)).map((record) => scaledCandle(record, scale)),
      now: options.now,
      newestMs: options.newestMs,
      onReset: () => { this.reset(); },
      onUpdate: (candle) => { if (this.grown.at(-1) !== candle) this.grown.push(candle); },
    });
  }

  attach(chart: ChartPort): void {
    this.chart = chart;
    if (this.series.last) this.reset();
  }

  stop(): void {
    this.feed.stop();
    this.chart = null;
  }

  setKind(kind: ChartKind): void {
    const shape = this.shapeOf(kind);
    const changed = (shape === null) !== (this.shape === null);
    this.shape = shape;
    this.chart?.setKind(drawnKind(kind, this.options.plot));
    if (changed) this.reset();
  }

  /** Take a live tick; all that come in one frame are drawn together. */
  tick(tick: LiveTick): void {
    this.feed.add({ seq: tick.seq, atMs: tick.atMs, price: toScaled(tick.price, this.options.symbol.price_scale) });
    this.newest = tick;
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => { this.flush(); });
  }

  /** Draw the newest price, in the colour of its age. */
  drawLast(tick: LiveTick | null): void {
    const scale = this.options.symbol.price_scale;
    this.chart?.setLast(tick && { atMs: tick.atMs, price: toPlotted(toScaled(tick.price, scale), scale), late: this.options.late() });
  }

  private shapeOf(kind: ChartKind): HeikinAshi | null {
    return kind === "heikin-ashi" && this.options.plot !== "tick" ? new HeikinAshi() : null;
  }

  private flush(): void {
    this.waiting = false;
    const grown = this.grown;
    this.grown = [];
    const first = this.timeline.slots.length === 0;
    for (const candle of grown) {
      const changed = this.timeline.take(candle);
      this.chart?.update(changed.map((slot) => this.shaped(slot)));
    }
    if (this.newest) this.drawLast(this.newest);
    if (first && grown.length > 0) this.options.onReset();
    if (this.options.live()) this.feed.trim();
  }

  private shaped(slot: Slot): Slot {
    return this.shape && slot.candle ? { atMs: slot.atMs, candle: this.shape.take(slot.candle) } : slot;
  }

  private reset(): void {
    this.grown = [];
    this.timeline.reset();
    this.shape?.reset([]);
    this.chart?.setSlots(this.timeline.slots.map((slot) => this.shaped(slot)), this.timeline.gaps);
    this.options.onReset();
  }
}
