/** Expiries by the clock: which round instants can be bought now, and the one a choice snaps to. Pure. */

export interface ExpiryBounds {
  minS: number;
  maxS: number;
  /** Orders for a clock time are taken until so long before it. */
  deadlineS: number;
  /** End of the session that is held now; null round the clock. */
  sessionEndMs: number | null;
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
/** A minute, five, a quarter, half an hour, an hour, four hours, a day: all round in UTC. */
const GRIDS_MS = [1, 5, 15, 30, 60, 240, 1440].map((minutes) => minutes * MINUTE_MS);

/** The last instant at which an expiry can still be bought: a millisecond later is too late. */
export function deadlineOf(expiresMs: number, bounds: ExpiryBounds): number {
  return expiresMs - Math.max(bounds.deadlineS * 1000 + 1, bounds.minS * 1000);
}

export type ExpiryFault = "past_deadline" | "out_of_range" | "outside_session";

/** Why an expiry cannot be bought now, judged in the server's order; null when it can. */
export function faultOf(expiresMs: number, nowMs: number, bounds: ExpiryBounds): ExpiryFault | null {
  const lengthMs = expiresMs - nowMs;
  if (lengthMs > bounds.maxS * 1000) return "out_of_range";
  if (nowMs > deadlineOf(expiresMs, bounds)) return "past_deadline";
  return bounds.sessionEndMs !== null && expiresMs > bounds.sessionEndMs ? "outside_session" : null;
}

/** Up to `count` instants to offer, each the next one of a wider grid; filled up with further minutes. */
export function nextExpiries(nowMs: number, bounds: ExpiryBounds, count = 4): number[] {
  const found: number[] = [];
  const take = (at: number): void => {
    if (found.length < count && faultOf(at, nowMs, bounds) === null) found.push(at);
  };
  let soonest = nowMs + (nowMs - deadlineOf(nowMs, bounds));
  for (const grid of GRIDS_MS) {
    const at = Math.ceil(soonest / grid) * grid;
    take(at);
    soonest = at + 1;
  }
  const first = found[0];
  if (first === undefined) return [];
  for (let at = first + MINUTE_MS; found.length < count && faultOf(at, nowMs, bounds) === null; at += MINUTE_MS) {
    if (!found.includes(at)) found.push(at);
  }
  return found.sort((a, b) => a - b);
}

/** A choice that can no longer be bought goes on to the next round instant at or after it. */
export function snapped(chosenMs: number | null, nowMs: number, bounds: ExpiryBounds): number | null {
  if (chosenMs !== null && faultOf(chosenMs, nowMs, bounds) === null) return chosenMs;
  return nextExpiries(nowMs, bounds, 1)[0] ?? null;
}

/**
 * The next instant at which a clock shows what was typed, `14:35` or `14:35:30`; null when it cannot be read.
 * `offsetMinutes` tells how far ahead of UTC that clock is at an instant.
 */
export function typedInstant(text: string, nowMs: number, offsetMinutes: (ms: number) => number): number | null {
  const match = /^(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?$/.exec(text.trim());
  if (!match) return null;
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  const offsetMs = (ms: number): number => offsetMinutes(ms) * MINUTE_MS;
  const midnight = Math.floor((nowMs + offsetMs(nowMs)) / DAY_MS) * DAY_MS;
  for (const day of [0, 1]) {
    const wall = midnight + day * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000;
    const at = wall - offsetMs(wall - offsetMs(nowMs));
    if (at > nowMs) return at;
  }
  return null;
}
