import type { Chart, OverlayCreate, OverlayEvent, Point } from "klinecharts";
import type { Colours } from "../colours";
import type { AnalysisOptions, Drawing, DrawingPoint, Tool } from "../port";
import { OVERLAYS } from "./overlays";

const GROUP = "drawings";
const HAND = "hand";

const toPoint = ({ atMs, price }: DrawingPoint): Partial<Point> => ({ timestamp: atMs, value: price });

function fromPoints(points: readonly Partial<Point>[]): DrawingPoint[] {
  return points.map((point) => ({ atMs: point.timestamp ?? 0, price: point.value ?? 0 }));
}

/** The user's drawings on the library's chart. The store owns them; this draws what it says and tells what the pointer did. */
export class DrawingLayer {
  private drawn = new Map<string, Drawing>();
  private selected: string | null = null;
  private hand: Tool | null = null;

  constructor(
    private readonly chart: Chart,
    private readonly options: Pick<AnalysisOptions, "onDrawn" | "onMoved" | "onSelected">,
    private colours: Colours,
  ) {}

  set(drawings: readonly Drawing[]): void {
    const wanted = new Map(drawings.map((each) => [each.id, each]));
    for (const id of this.drawn.keys()) if (!wanted.has(id)) this.chart.removeOverlay({ id });
    for (const drawing of drawings) {
      const before = this.drawn.get(drawing.id);
      if (before === drawing) continue;
      if (before) this.chart.overrideOverlay({ id: drawing.id, points: drawing.points.map(toPoint), extendData: drawing.text });
      else this.chart.createOverlay(this.overlayOf(drawing));
    }
    this.drawn = wanted;
  }

  startTool(tool: Tool | null): void {
    if (this.hand !== null) this.chart.removeOverlay({ groupId: HAND });
    this.hand = tool;
    if (tool === null) return;
    this.chart.createOverlay({
      name: OVERLAYS[tool].name,
      groupId: HAND,
      extendData: "",
      onRightClick: stay,
      onDrawEnd: ({ overlay }) => {
        const points = fromPoints(overlay.points);
        this.hand = null;
        // The store answers with the same drawing under its own id, so the sketch goes.
        queueMicrotask(() => {
          this.chart.removeOverlay({ groupId: HAND });
          this.options.onDrawn(tool, points);
        });
      },
    });
  }

  select(id: string | null): void {
    const before = this.selected;
    this.selected = id;
    for (const each of [before, id]) if (each !== null && this.drawn.has(each)) this.chart.overrideOverlay({ id: each, styles: this.stylesOf(each) });
  }

  setColours(colours: Colours): void {
    this.colours = colours;
    for (const id of this.drawn.keys()) this.chart.overrideOverlay({ id, styles: this.stylesOf(id) });
  }

  private stylesOf(id: string, tool = this.drawn.get(id)?.tool): NonNullable<OverlayCreate["styles"]> {
    const selected = id === this.selected;
    const colour = selected ? this.colours.accent : this.colours["text-2"];
    // The words of levels stand on their lines; only a note has a plate.
    const text = tool === "note"
      ? { borderColor: selected ? this.colours.accent : this.colours["line-strong"] }
      : { color: this.colours["text-2"], backgroundColor: "transparent", borderSize: 0, paddingLeft: 4, paddingTop: 0, paddingBottom: 1 };
    return { line: { color: colour, size: selected ? 2 : 1.5 }, rect: { borderColor: colour }, text };
  }

  private overlayOf({ id, tool, points, text }: Drawing): OverlayCreate {
    const moved = ({ overlay }: OverlayEvent<unknown>): void => { this.options.onMoved(id, fromPoints(overlay.points)); };
    return {
      id,
      name: OVERLAYS[tool].name,
      groupId: GROUP,
      points: points.map(toPoint),
      extendData: text,
      styles: this.stylesOf(id, tool),
      onPressedMoveEnd: moved,
      onSelected: () => { this.options.onSelected(id); },
      onDeselected: () => { if (this.selected === id) this.options.onSelected(null); },
      onRightClick: stay,
    };
  }
}

/** The library deletes what is clicked with the right button; a drawing goes only when its user says so. */
function stay(event: OverlayEvent<unknown>): void {
  event.preventDefault?.();
}
