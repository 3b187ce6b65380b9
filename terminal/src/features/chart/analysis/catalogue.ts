/** The indicators on offer. None of them needs a volume, which the feed does not have. */

export type ParamKey = "period" | "short" | "long" | "signal" | "smooth" | "deviation" | "factor" | "range" | "base" | "step" | "limit";

export interface Param {
  key: ParamKey;
  value: number;
  /** Whole numbers unless said otherwise. */
  fraction?: boolean;
}

export interface IndicatorKind {
  name: string;
  /** Over the candles, or in a pane below them. */
  place: "price" | "pane";
  params: readonly Param[];
}

export const PARAM_MOST = 500;

const p = (key: ParamKey, value: number, fraction = false): Param => ({ key, value, fraction });

export const CATALOGUE: readonly IndicatorKind[] = [
  { name: "MA", place: "price", params: [p("period", 10), p("period", 20), p("period", 50)] },
  { name: "EMA", place: "price", params: [p("period", 9), p("period", 20), p("period", 50)] },
  { name: "SMA", place: "price", params: [p("period", 12), p("smooth", 2)] },
  { name: "WMA", place: "price", params: [p("period", 20)] },
  { name: "HMA", place: "price", params: [p("period", 16)] },
  { name: "BBI", place: "price", params: [p("period", 3), p("period", 6), p("period", 12), p("period", 24)] },
  { name: "BOLL", place: "price", params: [p("period", 20), p("deviation", 2, true)] },
  { name: "KC", place: "price", params: [p("period", 20), p("range", 10), p("factor", 2, true)] },
  { name: "DC", place: "price", params: [p("period", 20)] },
  { name: "ICHIMOKU", place: "price", params: [p("short", 9), p("base", 26), p("long", 52)] },
  { name: "SUPERTREND", place: "price", params: [p("range", 10), p("factor", 3, true)] },
  { name: "SAR", place: "price", params: [p("step", 2), p("step", 2), p("limit", 20)] },
  { name: "MACD", place: "pane", params: [p("short", 12), p("long", 26), p("signal", 9)] },
  { name: "RSI", place: "pane", params: [p("period", 14)] },
  { name: "STOCH", place: "pane", params: [p("period", 14), p("smooth", 3), p("signal", 3)] },
  { name: "STOCHRSI", place: "pane", params: [p("period", 14), p("range", 14), p("smooth", 3), p("signal", 3)] },
  { name: "KDJ", place: "pane", params: [p("period", 9), p("smooth", 3), p("signal", 3)] },
  { name: "ATR", place: "pane", params: [p("period", 14)] },
  { name: "AROON", place: "pane", params: [p("period", 14)] },
  { name: "CCI", place: "pane", params: [p("period", 20)] },
  { name: "DMI", place: "pane", params: [p("period", 14), p("smooth", 6)] },
  { name: "WR", place: "pane", params: [p("period", 6), p("period", 10), p("period", 14)] },
  { name: "ROC", place: "pane", params: [p("period", 12), p("smooth", 6)] },
  { name: "MTM", place: "pane", params: [p("period", 12), p("smooth", 6)] },
  { name: "AO", place: "pane", params: [p("short", 5), p("long", 34)] },
  { name: "TRIX", place: "pane", params: [p("period", 12), p("smooth", 9)] },
  { name: "BIAS", place: "pane", params: [p("period", 6), p("period", 12), p("period", 24)] },
  { name: "DMA", place: "pane", params: [p("short", 10), p("long", 50), p("smooth", 10)] },
  { name: "PSY", place: "pane", params: [p("period", 12), p("smooth", 6)] },
  { name: "BRAR", place: "pane", params: [p("period", 26)] },
  { name: "CR", place: "pane", params: [p("period", 26), p("smooth", 10), p("smooth", 20), p("smooth", 40), p("smooth", 60)] },
];

export const kindOf = (name: string): IndicatorKind | undefined => CATALOGUE.find((each) => each.name === name);

/** A parameter as typed, or null when it cannot be used. */
export function paramValue(text: string, param: Param): number | null {
  const value = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0 || value > PARAM_MOST) return null;
  return param.fraction === true || Number.isInteger(value) ? value : null;
}
