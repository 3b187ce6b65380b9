import { watch, type ShallowRef } from "vue";
import { useDrawings } from "./drawings";
import { useChartLayout, type Pane } from "./layout";
import type { AnalysisOptions, AnalysisPort, ChartPort, Drawing, DrawingPoint, Tool } from "./port";

export function isAnalysis(chart: ChartPort | null): chart is AnalysisPort {
  return chart !== null && "setDrawings" in chart;
}

/** What the pointer did to drawings, told to the store that keeps them. */
export function drawingHooks(code: string): Pick<AnalysisOptions, "onDrawn" | "onMoved" | "onSelected"> {
  const [drawings, layout] = [useDrawings(), useChartLayout()];
  return {
    onDrawn: (tool, points) => {
      layout.tool = null;
      drawings.selected = drawings.add(code, tool, points, layout.note);
    },
    onMoved: (id, points) => { drawings.change(code, id, { points }); },
    onSelected: (id) => (drawings.selected = id),
  };
}

/** Keep a chart's indicators and drawings as its pane and its symbol say, while it is a chart for analysis. */
export function useAnalysis(code: string, pane: () => Pane, active: () => boolean, chart: Readonly<ShallowRef<ChartPort | null>>) {
  const [drawings, layout] = [useDrawings(), useChartLayout()];

  // The list is copied in the getter, so that adding, changing and removing one are all heard.
  watch([chart, () => pane().indicators.map(({ name, params }) => ({ name, params: [...params] }))], ([drawn, indicators]) => { if (isAnalysis(drawn)) drawn.setIndicators(indicators); });
  watch([chart, () => drawings.of(code)], () => { if (isAnalysis(chart.value)) chart.value.setDrawings(drawings.of(code)); });
  watch([chart, () => drawings.selected, () => drawings.of(code)], () => { if (isAnalysis(chart.value)) chart.value.select(drawings.selected); });
  watch([chart, () => layout.tool], () => { if (isAnalysis(chart.value)) chart.value.startTool(active() ? layout.tool : null); });

  /** Put the tool in hand in the middle of the chart, for those who draw without a pointer. */
  function placeMiddle(tool: Tool): void {
    if (!isAnalysis(chart.value)) return;
    layout.tool = null;
    drawings.selected = drawings.add(code, tool, chart.value.middle(tool), layout.note);
  }

  /** Keys that move or delete the selected drawing; answers whether the key was one of them. */
  function onKey(event: KeyboardEvent): boolean {
    if (!isAnalysis(chart.value)) return false;
    if (event.key === "Enter" && layout.tool !== null) {
      placeMiddle(layout.tool);
      return true;
    }
    if (event.key === "Escape" && layout.tool !== null) {
      layout.tool = null;
      return true;
    }
    const selected: Drawing | undefined = drawings.of(code).find((each) => each.id === drawings.selected);
    if (!selected) return false;
    if (event.key === "Delete" || event.key === "Backspace") drawings.remove(code, selected.id);
    else if (event.key === "Escape") drawings.selected = null;
    else {
      const by = nudge(event.key, chart.value.step());
      if (!by) return false;
      drawings.shift(code, selected.id, by);
    }
    return true;
  }

  return { onKey, placeMiddle };
}

/** How far an arrow key moves a drawing. */
export function nudge(key: string, step: DrawingPoint): DrawingPoint | null {
  switch (key) {
    case "ArrowLeft": return { atMs: -step.atMs, price: 0 };
    case "ArrowRight": return { atMs: step.atMs, price: 0 };
    case "ArrowUp": return { atMs: 0, price: step.price };
    case "ArrowDown": return { atMs: 0, price: -step.price };
    default: return null;
  }
}
