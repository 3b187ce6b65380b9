import type { FiguresGroup, OrderFigures } from "@/api/schema";

export type GroupKind = "hour" | "weekday" | "symbol" | "duration" | "direction" | "tag";
export const GROUP_KINDS: readonly GroupKind[] = ["hour", "weekday", "symbol", "duration", "direction", "tag"];

/** Places on a scale from 0 to 100 %, for drawing only. */
export interface Bar {
  low: number;
  high: number;
  share: number;
  needed: number;
}

/** Where to draw a share with its interval and the share that is needed; null where there is no share. */
export function barOf({ win_percent: share, interval, break_even_percent: needed }: OrderFigures): Bar | null {
  const [low, high] = interval ?? [];
  if (share === null || low === undefined || high === undefined || needed === null) return null;
  return { low: Number(low), high: Number(high), share: Number(share), needed: Number(needed) };
}

/** How many groups are large enough to be judged: with 20 of them, about one stands out by chance alone. */
export function judged(groups: readonly FiguresGroup[]): number {
  return groups.filter((each) => each.verdict !== "too_few").length;
}

/** The bounds of a bucket of durations in seconds, by its key; the last one has no upper bound. */
export function bucketOf(key: string): { fromS: number; toS: number | null } {
  const bounds = [0, 15, 60, 300, 900, 3600];
  if (key === "more") return { fromS: 3600, toS: null };
  const at = bounds.indexOf(Number(key));
  return { fromS: at < 1 ? 0 : (bounds[at - 1] ?? 0), toS: Number(key) };
}
