import { LightweightChart } from "./lightweight";
import type { ChartOptions, ChartPort } from "./port";

/** Open the chart for trading. */
export function openEngine(_analysis: boolean, element: HTMLElement, options: ChartOptions): ChartPort {
  return new LightweightChart(element, options);
}
