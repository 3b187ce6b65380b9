import { AreaSeries, BarSeries, CandlestickSeries, LineSeries, type AreaData, type IChartApi, type ISeriesApi, type LineData, type OhlcData, type SeriesType, type UTCTimestamp, type WhitespaceData } from "lightweight-charts";
import { toPlotted } from "@/lib/price";
import { faded, type Colours } from "./colours";
import type { DrawnKind } from "./port";
import type { Slot } from "./timeline";

const CLEAR = "transparent";

export type Plotted = OhlcData<UTCTimestamp> | LineData<UTCTimestamp> | AreaData<UTCTimestamp> | WhitespaceData<UTCTimestamp>;

const SHARED = { priceLineVisible: false, lastValueVisible: true } as const;

export function addSeries(chart: IChartApi, kind: DrawnKind, scale: number): ISeriesApi<SeriesType> {
  const options = { ...SHARED, priceFormat: { type: "price" as const, precision: scale, minMove: 10 ** -scale } };
  if (kind === "candles") return chart.addSeries(CandlestickSeries, options);
  if (kind === "bars") return chart.addSeries(BarSeries, { ...options, thinBars: false });
  if (kind === "line") return chart.addSeries(LineSeries, { ...options, lineWidth: 2, crosshairMarkerRadius: 3 });
  return chart.addSeries(AreaSeries, { ...options, lineWidth: 2, crosshairMarkerRadius: 3 });
}

export function seriesColours(kind: DrawnKind, colours: Colours): Record<string, string> {
  if (kind === "line") return { color: colours.text };
  if (kind === "area") return { lineColor: colours.text, topColor: faded(colours["text-3"], 0.24), bottomColor: faded(colours["text-3"], 0) };
  if (kind === "bars") return { upColor: colours["up-candle"], downColor: colours["down-candle"] };
  return {
    upColor: colours["up-fill"],
    borderUpColor: colours["up-candle"],
    wickUpColor: colours["up-candle"],
    downColor: colours["down-candle"],
    borderDownColor: colours["down-candle"],
    wickDownColor: colours["down-candle"],
  };
}

/** A slot as the library plots it. A line stops at the last candle before a time without ticks. */
export function plottedSlot(slot: Slot, next: Slot | undefined, kind: DrawnKind, scale: number): Plotted {
  const time = (slot.atMs / 1000) as UTCTimestamp;
  const { candle } = slot;
  if (!candle) return { time };
  const at = (value: number): number => toPlotted(value, scale);
  if (kind === "candles" || kind === "bars") return { time, open: at(candle.open), high: at(candle.high), low: at(candle.low), close: at(candle.close) };
  const stops = next !== undefined && next.candle === null;
  if (!stops) return { time, value: at(candle.close) };
  // A point's colours hold until the next point.
  return kind === "line" ? { time, value: at(candle.close), color: CLEAR } : { time, value: at(candle.close), lineColor: CLEAR, topColor: CLEAR, bottomColor: CLEAR };
}
