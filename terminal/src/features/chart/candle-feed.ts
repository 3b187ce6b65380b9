import { toInstant } from "@/lib/time";
import type { Candle, PlainTick, Series } from "@/lib/candles";

/** How much one request brings, in time, and how far apart the tries lie where a symbol was silent. */
export interface Paging {
  pageMs: number;
  searchMs: number;
  /** The newest stretch that is read again, so that thinned ticks leave no trace. */
  checkMs: number;
}

const PAGE_CANDLES = 300;
const CHECK_CANDLES = 8;
const SEARCH_CANDLES = 4800;
const SEARCHES_MOST = 8;

/** Live candles kept before the oldest are let go, and how many are kept then. */
const LIVE_MOST = 4000;
const LIVE_KEPT = 2500;
/** Candles one chart holds at most, however far back somebody scrolls. */
export const HISTORY_MOST = 20_000;

export function candlePaging(widthMs: number): Paging {
  return { pageMs: PAGE_CANDLES * widthMs, searchMs: SEARCH_CANDLES * widthMs, checkMs: CHECK_CANDLES * widthMs };
}

/** The server answers at most an hour of ticks at once. */
export const TICK_PAGING: Paging = { pageMs: 300_000, searchMs: 3_600_000, checkMs: 15_000 };

export interface CandleFeedOptions {
  series: Series;
  paging: Paging;
  read: (from: string, to: string) => Promise<readonly Candle[]>;
  now: () => number;
  /** Time of the newest tick, where one is known; after a long silence the newest page ends there. */
  newestMs: () => number | null;
  /** Many candles changed: draw all of them. */
  onReset: () => void;
  /** The newest candle grew or a new one began. */
  onUpdate: (candle: Candle) => void;
}

/** Why there is nothing more to the left. */
export type HistoryEnd = "beginning" | "most" | null;

/** One symbol's candles of one interval: the past by request, the present from live ticks. */
export class CandleFeed {
  end: HistoryEnd = null;
  private loading: Promise<void> | null = null;
  private reachMs = Number.POSITIVE_INFINITY;
  private searches = 0;
  private stopped = false;

  constructor(private readonly options: CandleFeedOptions) {}

  private get series(): Series {
    return this.options.series;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Read the newest page. */
  async begin(): Promise<void> {
    const { pageMs } = this.options.paging;
    const end = this.options.now() + this.series.stepMs;
    await this.take(end - pageMs, end);
    this.reachMs = end - pageMs;
    const newest = this.options.newestMs();
    if (this.series.last || newest === null) return;
    this.reachMs = newest + this.series.stepMs - pageMs;
    await this.take(this.reachMs, newest + this.series.stepMs);
  }

  /** Read the page before the oldest candle; where the symbol had no ticks for long, search further back. */
  older(): Promise<void> {
    const first = this.series.candles[0];
    if (this.end !== null || !first) return Promise.resolve();
    if (this.series.candles.length >= HISTORY_MOST) {
      this.end = "most";
      return Promise.resolve();
    }
    this.loading ??= this.readOlder(first.startMs).finally(() => (this.loading = null));
    return this.loading;
  }

  add(tick: PlainTick): void {
    const changed = this.series.add(tick);
    if (changed) this.options.onUpdate(changed);
  }

  /** Let the oldest candles go when a chart has stood at the newest one for hours; scrolling back reads them again. */
  trim(): boolean {
    if (this.series.candles.length <= LIVE_MOST || !this.series.trim(LIVE_KEPT)) return false;
    this.forgetReach();
    this.options.onReset();
    return true;
  }

  private forgetReach(): void {
    this.reachMs = Number.POSITIVE_INFINITY;
    this.searches = 0;
    this.end = null;
  }

  /** Read the newest candles again, so that thinned ticks and a lost connection leave no trace. */
  async check(): Promise<void> {
    const end = this.options.now() + this.series.stepMs;
    const { checkMs, searchMs } = this.options.paging;
    const last = this.series.last?.startMs ?? end;
    if (last < end - searchMs && (this.options.newestMs() ?? end) > last) {
      // After a long absence one request cannot bring all that is missing, and a hole would look like silence.
      this.series.trim(0);
      this.forgetReach();
      await this.begin();
      return;
    }
    const from = Math.min(last, end) - checkMs;
    await this.take(from, Math.min(end, from + searchMs));
  }

  private async readOlder(before: number): Promise<void> {
    const count = this.series.candles.length;
    const end = Math.min(before, this.reachMs);
    const { pageMs, searchMs } = this.options.paging;
    const from = Math.max(0, end - (this.searches === 0 ? pageMs : searchMs));
    await this.take(from, end);
    this.reachMs = from;
    this.searches = this.series.candles.length > count ? 0 : this.searches + 1;
    if (this.searches > SEARCHES_MOST || from <= 0) this.end = "beginning";
  }

  private async take(fromMs: number, toMs: number): Promise<void> {
    const read = await this.options.read(toInstant(Math.max(0, fromMs)), toInstant(toMs));
    if (this.stopped || read.length === 0) return;
    this.series.merge(read);
    this.options.onReset();
  }
}
