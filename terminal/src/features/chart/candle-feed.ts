import type { CandleRecord } from "@/api/schema";
import { CandleSeries, type Candle, type PlainTick } from "@/lib/candles";
import { toScaled } from "@/lib/price";
import { parseInstant, toInstant } from "@/lib/time";

const PAGE_CANDLES = 300;
const CHECK_CANDLES = 8;
const WIDEST_STEP = 64;

export interface CandleFeedOptions {
  widthMs: number;
  scale: number;
  read: (from: string, to: string) => Promise<CandleRecord[]>;
  now: () => number;
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
  private step = 1;
  private stopped = false;

  constructor(private readonly options: CandleFeedOptions) {
    this.series = new CandleSeries(options.widthMs);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Read the newest page. */
  async begin(): Promise<void> {
    const end = this.options.now() + this.options.widthMs;
    await this.take(end - PAGE_CANDLES * this.options.widthMs, end);
  }

  /** Read the page before the oldest candle; a symbol without ticks for long is searched in growing steps. */
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
    await this.take(before - this.step * PAGE_CANDLES * this.options.widthMs, before);
    if (this.series.candles.length > count) this.step = 1;
    else if (this.step >= WIDEST_STEP) this.exhausted = true;
    else this.step *= 8;
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
