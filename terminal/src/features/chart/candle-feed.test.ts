import { describe, expect, it, vi } from "vitest";
import { CandleSeries, TickSeries, tickPoint, type Candle } from "@/lib/candles";
import { CandleFeed, candlePaging, HISTORY_MOST, TICK_PAGING } from "./candle-feed";

const NOW = 1_800_000_000_000;
const candle = (startMs: number, close = 1): Candle => ({ startMs, open: close, high: close, low: close, close });

function feedOver(stored: readonly Candle[], newestMs: number | null = null, now = () => NOW, paging = candlePaging(1000)) {
  const read = vi.fn((from: string, to: string) => Promise.resolve(stored.filter((each) => each.startMs >= Date.parse(from) && each.startMs < Date.parse(to))));
  const onReset = vi.fn();
  const series = new CandleSeries(1000);
  const feed = new CandleFeed({ series, paging, read, now, newestMs: () => newestMs, onReset, onUpdate: () => undefined });
  return { feed, series, read, onReset };
}

describe("candle feed", () => {
  it("reads the newest page, then the one before it", async () => {
    const { feed, series } = feedOver([candle(NOW - 400_000, 100), candle(NOW - 1000, 200)]);
    await feed.begin();
    expect(series.candles).toHaveLength(1);
    await feed.older();
    expect(series.candles.map((each) => each.close)).toEqual([100, 200]);
  });

  it("pages to the beginning without a hole or a double, and says that it is the beginning", async () => {
    const stored = Array.from({ length: 2000 }, (_, index) => candle(NOW - (index + 1) * 1000, index)).reverse();
    const { feed, series } = feedOver(stored);
    await feed.begin();
    for (let each = 0; each < 40 && feed.end === null; each += 1) await feed.older();
    expect(feed.end).toBe("beginning");
    expect(series.candles.map((each) => each.startMs)).toEqual(stored.map((each) => each.startMs));
  });

  it("ends the newest page at the newest tick after a long silence", async () => {
    const { feed, series } = feedOver([candle(NOW - 9_000_000)], NOW - 9_000_000);
    await feed.begin();
    expect(series.candles).toHaveLength(1);
  });

  it("searches across a silence and asks for at most 5,000 intervals at once", async () => {
    const { feed, series, read } = feedOver([candle(NOW - 9_000_000), candle(NOW - 1000)]);
    await feed.begin();
    for (let each = 0; each < 4; each += 1) await feed.older();
    expect(series.candles).toHaveLength(2);
    for (const [from, to] of read.mock.calls) expect(Date.parse(to) - Date.parse(from)).toBeLessThanOrEqual(5000 * 1000);
  });

  it("asks once for a page that many scrolls want", async () => {
    const { feed, read } = feedOver([candle(NOW - 1000)]);
    await feed.begin();
    await Promise.all([feed.older(), feed.older(), feed.older()]);
    expect(read).toHaveBeenCalledTimes(2);
  });

  it("draws nothing for a chart that was closed meanwhile", async () => {
    const { feed, onReset } = feedOver([candle(NOW - 1000)]);
    const reading = feed.begin();
    feed.stop();
    await reading;
    expect(onReset).not.toHaveBeenCalled();
  });

  it("stays small over hours of live ticks, and reads the past again when it is wanted", async () => {
    const { feed, series } = feedOver([candle(NOW - 1000)]);
    await feed.begin();
    for (let second = 0; second < 30_000; second += 1) {
      feed.add({ seq: second + 1, atMs: NOW + second * 1000, price: 5 });
      feed.trim();
    }
    expect(series.candles.length).toBeLessThanOrEqual(4000);
    expect(feed.end).toBeNull();
  });

  it("stops at the most that one chart holds", async () => {
    const stored = Array.from({ length: HISTORY_MOST + 2000 }, (_, index) => candle(NOW - (HISTORY_MOST + 2000 - index) * 1000));
    const { feed, series } = feedOver(stored, null, () => NOW, { ...candlePaging(1000), pageMs: 4_000_000 });
    await feed.begin();
    for (let each = 0; each < 100 && feed.end === null; each += 1) await feed.older();
    expect(feed.end).toBe("most");
    expect(series.candles.length).toBeLessThan(HISTORY_MOST + 4000);
  });

  it("begins anew after an absence too long to bridge: a hole would look like silence", async () => {
    let now = NOW;
    const stored = [candle(NOW - 1000), ...Array.from({ length: 300 }, (_, index) => candle(NOW + 20_000_000 - (300 - index) * 1000))];
    const { feed, series } = feedOver(stored, null, () => now);
    await feed.begin();
    now = NOW + 20_000_000;
    await feed.check();
    expect(series.candles[0]?.startMs).toBe(NOW + 20_000_000 - 299_000);
  });

  it("reads single ticks by the hour at most and keeps each once", async () => {
    const ticks = Array.from({ length: 600 }, (_, index) => ({ seq: index + 1, atMs: NOW - (600 - index) * 1000, price: index }));
    const series = new TickSeries();
    const read = vi.fn((from: string, to: string) => Promise.resolve(ticks.filter((each) => each.atMs >= Date.parse(from) && each.atMs < Date.parse(to)).map(tickPoint)));
    const feed = new CandleFeed({ series, paging: TICK_PAGING, read, now: () => NOW, newestMs: () => null, onReset: () => undefined, onUpdate: () => undefined });
    await feed.begin();
    for (let each = 0; each < 12; each += 1) await feed.older();
    await feed.check();
    expect(series.candles.map((each) => each.seq)).toEqual(ticks.map((each) => each.seq));
    for (const [from, to] of read.mock.calls) expect(Date.parse(to) - Date.parse(from)).toBeLessThanOrEqual(3_600_000);
  });
});
