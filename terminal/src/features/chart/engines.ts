import { addWords } from "@/i18n";
import { LightweightChart } from "./lightweight";
import type { AnalysisOptions, AnalysisPort, ChartOptions, ChartPort } from "./port";

/** Open the chart for trading. */
export function openTrading(element: HTMLElement, options: ChartOptions): ChartPort {
  return new LightweightChart(element, options);
}

/** Bring the chart for analysis, which is no part of the first load, and open it. */
export async function openAnalysis(element: HTMLElement, options: AnalysisOptions): Promise<AnalysisPort> {
  const { AnalysisChart } = await import("./analysis/analysis-chart");
  return new AnalysisChart(element, options);
}

/** The words of indicators and drawings, which come with the chart for analysis. */
export function analysisWords(): Promise<void> {
  return addWords("charting", {
    en: async () => (await import("@/i18n/en/charting")).charting,
    ru: async () => (await import("@/i18n/ru/charting")).charting,
    es: async () => (await import("@/i18n/es/charting")).charting,
  });
}
