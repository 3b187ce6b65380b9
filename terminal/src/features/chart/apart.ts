import type { MarkPlace, Size } from "./port";

/** What stands above the chart and takes the pointer itself. */
export interface Cover extends Size {
  left: number;
  top: number;
}

/**
 * Corners of squares around places, none over another and none beyond the room: what is covered or cut off could not be hit (WCAG 2.5.8).
 *
 * A square that would lie on an earlier one goes below it, or above where there is no room; places outside are left out,
 * and so are those of a column that is full and those under what stands on the chart.
 */
export function apart(places: readonly MarkPlace[], size: number, { width, height }: Size, covers: readonly Cover[] = []): Map<string, readonly [number, number]> {
  const corners = new Map<string, readonly [number, number]>();
  for (const { id, x, y } of places) {
    if (x < 0 || x > width || y < 0 || y > height) continue;
    const left = within(x - size / 2, width - size);
    const wanted = within(y - size / 2, height - size);
    const taken = [...corners.values()].filter(([other]) => Math.abs(other - left) < size).map(([, top]) => top);
    const below = free(taken, wanted, size, 1);
    const top = below + size <= height ? below : free(taken, wanted, size, -1);
    if (top >= 0 && !covers.some((each) => touches(each, left, top, size))) corners.set(id, [left, top]);
  }
  return corners;
}

function touches(cover: Cover, left: number, top: number, size: number): boolean {
  return left < cover.left + cover.width && cover.left < left + size && top < cover.top + cover.height && cover.top < top + size;
}

function within(wanted: number, most: number): number {
  return Math.round(Math.max(0, Math.min(wanted, most)));
}

/** The next free place downwards (1) or upwards (-1). */
function free(taken: readonly number[], wanted: number, size: number, way: 1 | -1): number {
  let top = wanted;
  for (const other of [...taken].sort((a, b) => way * (a - b))) if (Math.abs(other - top) < size) top = other + way * size;
  return top;
}
