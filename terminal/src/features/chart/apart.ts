import type { MarkPlace } from "./port";

/**
 * Corners of squares around places, none over another: what is covered could not be hit (WCAG 2.5.8).
 *
 * A square that would lie on an earlier one goes below it, or above where there is no room; places outside are left out.
 */
export function apart(places: readonly MarkPlace[], size: number, width: number, height: number): Map<string, readonly [number, number]> {
  const corners = new Map<string, readonly [number, number]>();
  for (const { id, x, y } of places) {
    if (x < 0 || x > width || y < 0 || y > height) continue;
    const left = Math.round(x - size / 2);
    const taken = [...corners.values()].filter(([other]) => Math.abs(other - left) < size).map(([, top]) => top);
    const wanted = Math.round(y - size / 2);
    const below = free(taken, wanted, size, 1);
    corners.set(id, [left, below + size <= height ? below : free(taken, wanted, size, -1)]);
  }
  return corners;
}

/** The next free place downwards (1) or upwards (-1). */
function free(taken: readonly number[], wanted: number, size: number, way: 1 | -1): number {
  let top = wanted;
  for (const other of [...taken].sort((a, b) => way * (a - b))) if (Math.abs(other - top) < size) top = other + way * size;
  return top;
}
