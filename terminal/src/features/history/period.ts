/** Days as people choose them, and the instants at which they begin in a zone. */

import { offsetMinutes } from "@/lib/formats";
import { toInstant } from "@/lib/time";

export const DAY_MS = 86_400_000;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** The first instant of a day, such as `2026-11-30`, in a zone; null where the text is no day. */
export function dayStart(day: string, zone: string): number | null {
  const utcMs = DAY.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  if (!Number.isFinite(utcMs) || utcMs < 0) return null;
  // The offset is the one that holds at the day's own beginning, which may differ from the one at UTC midnight.
  const guessMs = utcMs - offsetMinutes(zone, utcMs) * 60_000;
  return utcMs - offsetMinutes(zone, guessMs) * 60_000;
}

/** The day on which an instant falls in a zone. */
export function dayOf(ms: number, zone: string): string {
  return new Date(ms + offsetMinutes(zone, ms) * 60_000).toISOString().slice(0, 10);
}

export function dayAfter(day: string, count = 1): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * DAY_MS).toISOString().slice(0, 10);
}

export interface Days {
  /** First and last day, both included; empty where the period is open. */
  from: string;
  to: string;
}

/** What the API is asked for: from the first day's beginning to the last one's end. */
export function spanOf({ from, to }: Days, zone: string): { from?: string; to?: string } {
  const fromMs = dayStart(from, zone);
  const toMs = to === "" || dayStart(to, zone) === null ? null : dayStart(dayAfter(to), zone);
  return { ...(fromMs === null ? {} : { from: toInstant(fromMs) }), ...(toMs === null ? {} : { to: toInstant(toMs) }) };
}

export type Preset = "today" | "week" | "month" | "all";
const LENGTHS: Record<Exclude<Preset, "all">, number> = { today: 1, week: 7, month: 30 };

export function presetDays(preset: Preset, nowMs: number, zone: string): Days {
  if (preset === "all") return { from: "", to: "" };
  const today = dayOf(nowMs, zone);
  return { from: dayAfter(today, 1 - LENGTHS[preset]), to: today };
}

export function presetOf(days: Days, nowMs: number, zone: string): Preset | null {
  const presets: readonly Preset[] = ["today", "week", "month", "all"];
  return presets.find((each) => {
    const found = presetDays(each, nowMs, zone);
    return found.from === days.from && found.to === days.to;
  }) ?? null;
}
