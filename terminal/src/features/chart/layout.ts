import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";
import { isFields } from "@/api/messages";
import { PLOTS, type Plot } from "@/lib/candles";
import { remember, remembered } from "@/lib/storage";
import { usePreferences } from "@/stores/preferences";
import { useSymbols } from "@/stores/symbols";
import { KINDS, type ChartKind, type IndicatorChoice, type Tool } from "./port";

export const COUNTS = [1, 2, 4] as const;
export type Count = (typeof COUNTS)[number];

export interface Pane {
  symbol: string;
  plot: Plot;
  kind: ChartKind;
  /** Whether the chart for analysis is shown: the one with indicators and drawings. */
  analysis: boolean;
  indicators: IndicatorChoice[];
}

interface Saved {
  count: Count;
  linked: boolean;
  active: number;
  panes: Pane[];
}

const PANES = 4;
const FIRST_PLOTS: readonly Plot[] = ["5s", "1m", "15m", "1h"];

export function isIndicator(value: unknown): value is IndicatorChoice {
  return isFields(value) && typeof value["name"] === "string" && Array.isArray(value["params"]) && value["params"].every((each) => typeof each === "number" && Number.isFinite(each));
}

function isPane(value: unknown): value is Pane {
  return isFields(value) && typeof value["symbol"] === "string" && PLOTS.includes(value["plot"] as Plot) && KINDS.includes(value["kind"] as ChartKind)
    && typeof value["analysis"] === "boolean" && Array.isArray(value["indicators"]) && value["indicators"].every(isIndicator);
}

function isSaved(value: unknown): value is Saved {
  return isFields(value) && COUNTS.includes(value["count"] as Count) && typeof value["linked"] === "boolean" && Number.isSafeInteger(value["active"])
    && Array.isArray(value["panes"]) && value["panes"].length === PANES && value["panes"].every(isPane);
}

/** Which charts stand on the screen, and what each of them shows; remembered on this device. */
export const useChartLayout = defineStore("chart-layout", () => {
  const [preferences, symbols] = [usePreferences(), useSymbols()];
  const fresh: Saved = {
    count: 1,
    linked: false,
    active: 0,
    panes: Array.from({ length: PANES }, (_, index) => ({
      symbol: (index === 0 ? preferences.symbol : preferences.favourites[index]) ?? preferences.symbol,
      plot: (index === 0 ? preferences.interval : FIRST_PLOTS[index]) ?? preferences.interval,
      kind: "candles",
      analysis: false,
      indicators: [],
    })),
  };
  const saved = remembered<Saved>("chart.layout", fresh, isSaved);
  const count = ref<Count>(saved.count);
  const linked = ref(saved.linked);
  const active = ref(saved.active >= 0 && saved.active < saved.count ? saved.active : 0);
  const panes = ref<Pane[]>(saved.panes);
  /** The tool in hand, and whether the candles are shown as a table; neither outlives the page. */
  const tool = ref<Tool | null>(null);
  const table = ref(false);
  /** What the next note says. */
  const note = ref("");

  watch([count, linked, active, panes], () => {
    remember("chart.layout", { count: count.value, linked: linked.value, active: active.value, panes: panes.value });
  }, { deep: true });

  const current = computed<Pane>(() => panes.value[active.value] ?? (panes.value[0] as Pane));

  // The ticket buys what the active chart shows, so both always name the same symbol.
  watch(() => symbols.selected?.code, (code) => { if (code !== undefined) current.value.symbol = code; }, { immediate: true, flush: "sync" });
  watch(count, (now) => { if (active.value >= now) activate(0); }, { flush: "sync" });
  watch(() => current.value, () => (tool.value = null));

  /** The symbol of a chart: its own, or where the charts are linked that of the active one. */
  function symbolOf(index: number): string {
    return (linked.value ? current.value.symbol : panes.value[index]?.symbol) ?? current.value.symbol;
  }

  function activate(index: number): void {
    if (index === active.value) return;
    const code = symbolOf(index);
    active.value = index;
    current.value.symbol = code;
    if (symbols.byCode.has(code)) symbols.select(code);
  }

  function setSymbol(index: number, code: string): void {
    activate(index);
    symbols.select(code);
  }

  function setPlot(index: number, plot: Plot): void {
    const pane = panes.value[index];
    if (pane) pane.plot = plot;
  }

  return { count, linked, active, panes, tool, table, note, current, symbolOf, activate, setSymbol, setPlot };
});
