import { registerOverlay, type Coordinate, type OverlayFigure } from "klinecharts";
import type { Tool } from "../port";

/** How the library calls each tool, and how many points the tool needs. */
export const OVERLAYS: Record<Tool, { name: string; points: number }> = {
  segment: { name: "segment", points: 2 },
  ray: { name: "rayLine", points: 2 },
  horizontal: { name: "horizontalStraightLine", points: 1 },
  vertical: { name: "verticalStraightLine", points: 1 },
  channel: { name: "parallelStraightLine", points: 3 },
  fibonacci: { name: "fibonacciLine", points: 2 },
  rectangle: { name: "fairRectangle", points: 2 },
  note: { name: "fairNote", points: 1 },
};

const PLAIN = { needDefaultPointFigure: true, needDefaultXAxisFigure: true, needDefaultYAxisFigure: true } as const;

function rectangle([from, to]: readonly Coordinate[]): OverlayFigure[] {
  if (!from || !to) return [];
  const attrs = { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) };
  return [{ type: "rect", attrs, styles: { style: "stroke_fill" } }];
}

let registered = false;

/** Make our own shapes known to the library, once. */
export function registerShapes(): void {
  if (registered) return;
  registered = true;
  registerOverlay({ name: "fairRectangle", totalStep: 3, ...PLAIN, createPointFigures: ({ coordinates }) => rectangle(coordinates) });
  registerOverlay({
    name: "fairNote",
    totalStep: 2,
    ...PLAIN,
    createPointFigures: ({ coordinates: [at], overlay }) => (at ? [{ type: "text", attrs: { x: at.x + 8, y: at.y, text: String(overlay.extendData), baseline: "middle" } }] : []),
  });
}
