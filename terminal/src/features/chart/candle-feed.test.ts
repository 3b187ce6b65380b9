import { describe, expect, it, vi } from "vitest";
import type { CandleRecord } from "@/api/schema";
import { toInstant } from "@/lib/time";
import { CandleFeed } from "./candle-feed";

const NOW = 1_800_000_000_000;
const record = (startMs: number, price: string): CandleRecord => ({ start: toInstant(startMs), open: price, high: price, low: price, close: price, ticks: 1, closed: true });

function feedOver(stored: CandleRecord[], newestMs: number | null = null) {
  const read = vi.fn((from: string, to: string) => Promise.resolve(stored.filter((each) => each.start >= from && each.start < to)));
  const onReset = vi.fn();
  const feed = new CandleFeed({ widthMs: 1000, scale: 2, read, now: () => NOW, newestMs: () => newestMs, onReset, onUpdate: () => undefined });
  return { feed, read, onReset };
}

describe("candle feed", () => {
  it("reads the newest page, then the one before it", async () => {
    const { feed } = feedOver([record(NOW - 400_000, "1.00"), record(NOW - 1000, "2.00")]);
    await feed.begin();
    expect(feed.series.candles).toHaveLength(1);
    await feed.older();
    expect(feed.series.candles.map((each) => each.close)).toEqual([100, 200]);
  });

  it("ends the newest page at the newest tick after a long silence", async () => {
    const { feed } = feedOver([record(NOW - 9_000_000, "1.00")], NOW - 9_000_000);
    await feed.begin();
    expect(feed.series.candles).toHaveLength(1);
  });

  it("searches across a silence and asks for at most 5,000 intervals at once", async () => {
    const { feed, read } = feedOver([record(NOW - 9_000_000, "1.00"), record(NOW - 1000, "2.00")]);
    await feed.begin();
    for (let each = 0; each < 4; each += 1) await feed.older();
    expect(feed.series.candles).toHaveLength(2);
    for (const [from, to] of read.mock.calls) expect(Date.parse(to) - Date.parse(from)).toBeLessThanOrEqual(5000 * 1000);
  });

  it("asks once for a page that many scrolls want", async () => {
    const { feed, read } = feedOver([record(NOW - 1000, "2.00")]);
    await feed.begin();
    await Promise.all([feed.older(), feed.older(), feed.older()]);
    expect(read).toHaveBeenCalledTimes(2);
  });

  it("draws nothing for a chart that was closed meanwhile", async () => {
    const { feed, onReset } = feedOver([record(NOW - 1000, "2.00")]);
    const reading = feed.begin();
    feed.stop();
    await reading;
    expect(onReset).not.toHaveBeenCalled();
  });
});
