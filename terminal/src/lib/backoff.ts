export interface BackoffBounds {
  baseMs: number;
  maxMs: number;
}

/**
 * Wait before the next attempt: full jitter, uniform in [0, min(max, base x 2^attempt)],
 * so that clients cut off together do not come back together.
 * @param attempt failures so far, from 0
 * @param random uniform in [0, 1)
 */
export function fullJitterMs(attempt: number, bounds: BackoffBounds, random: () => number = Math.random): number {
  const ceiling = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt, 30));
  return Math.floor(random() * ceiling);
}
