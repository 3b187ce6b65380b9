import type { CandleRecord } from "@/api/schema";
import { CandleSeries, type Candle, type PlainTick } from "@/lib/candles";
import { toScaled } from "@/lib/price";
import { parseInstant, toInstant } from "@/lib/time";

const PAGE_CANDLES = 300;
const CHECK_CANDLES = 8;
const SEARCH_CANDLES = 4800;
const SEARCHES_MOST = 8;

export interface CandleFeedOptions {
  widthMs: number;
  scale: number;
  read: (from: string, to: string) => Promise<CandleRecord[]>;
  now: () => number;
  /** Time of the newest tick, where one is known; after a long silence the newest page ends there. */
  newestMs: () => number | null;
  /** Many candles changed: draw all of them. */
  onReset: (candles: readonly Candle[]) => void;
  /** The newest candle grew or a new one began. */
  onUpdate: (candle: Candle) => void;
}

/** One symbol's candles of one interval: the past by request, the present from live ticks. */
export class CandleFeed {
  readonly series: CandleSeries;
  private exhausted = false;
  private loading: Promise<void> | null = null;
  private reachMs = Number.POSITIVE_INFINITY;
  private searches = 0;
  private stopped = false;

  constructor(private readonly options: CandleFeedOptions) {
    this.series = new CandleSeries(options.widthMs);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Read the newest page. */
  async begin(): Promise<void> {
    const page = PAGE_CANDLES * this.options.widthMs;
    const end = this.options.now() + this.options.widthMs;
    await this.take(end - page, end);
    this.reachMs = end - page;
    const newest = this.options.newestMs();
    if (this.series.last || newest === null) return;
    this.reachMs = newest + this.options.widthMs - page;
    await this.take(this.reachMs, newest + this.options.widthMs);
  }

  /** Read the page before the oldest candle; where the symbol had no ticks for long, search further back. */
  older(): Promise<void> {
    const first = this.series.candles[0];
    if (this.exhausted || !first) return Promise.resolve();
    this.loading ??= this.readOlder(first.startMs).finally(() => (this.loading = null));
    return this.loading;
  }

  add(tick: PlainTick): void {
    const changed = this.series.add(tick);
    if (changed) this.options.onUpdate(changed);
  }

  /** Read the newest candles again, so that thinned ticks and a lost connection leave no trace. */
  async check(): Promise<void> {
    const end = this.options.now() + this.options.widthMs;
    const last = this.series.last?.startMs ?? end;
    await this.take(Math.min(last, end) - CHECK_CANDLES * this.options.widthMs, end);
  }

  private async readOlder(before: number): Promise<void> {
    const count = this.series.candles.length;
    const end = Math.min(before, this.reachMs);
    const from = end - (this.searches === 0 ? PAGE_CANDLES : SEARCH_CANDLES) * this.options.widthMs;
    await this.take(from, end);
    this.reachMs = from;
    this.searches = this.series.candles.length > count ? 0 : this.searches + 1;
    this.exhausted = this.searches > SEARCHES_MOST || from <= 0;
  }

  private async take(fromMs: number, toMs: number): Promise<void> {
    const records = await this.options.read(toInstant(Math.max(0, fromMs)), toInstant(toMs));
    if (this.stopped || records.length === 0) return;
    this.series.merge(records.map((record) => this.scaled(record)));
    this.options.onReset(this.series.candles);
  }

  private scaled(record: CandleRecord): Candle {
    const { scale } = this.options;
    return {
      startMs: parseInstant(record.start),
      open: toScaled(record.open, scale),
      high: toScaled(record.high, scale),
      low: toScaled(record.low, scale),
      close: toScaled(record.close, scale),
    };
  }
}
