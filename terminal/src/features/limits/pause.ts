/** A break of some days, or an exclusion of some months. */
export type Pause = "pause" | "exclusion";

/** What is offered: days of a break, months of an exclusion. The server takes 1 to 42 and 6 to 60. */
export const LENGTHS: Record<Pause, readonly [number, ...number[]]> = {
  pause: [1, 3, 7, 14, 28, 42],
  exclusion: [6, 12, 24, 36, 60],
};

const DAY_MS = 86_400_000;

/** When it would end that begins now: days of 24 hours, or the same day and time of a later month in UTC, or that month's last day. */
export function endOf(kind: Pause, length: number, nowMs: number): number {
  if (kind === "pause") return nowMs + length * DAY_MS;
  const now = new Date(nowMs);
  const month = now.getUTCMonth() + length;
  const lastDay = new Date(Date.UTC(now.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const later = new Date(nowMs);
  later.setUTCFullYear(now.getUTCFullYear(), month, Math.min(now.getUTCDate(), lastDay));
  return later.getTime();
}
