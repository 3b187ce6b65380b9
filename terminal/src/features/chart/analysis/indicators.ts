import { registerIndicator, type IndicatorTemplate, type KLineData } from "klinecharts";
import { aroon, atr, donchian, hma, ichimoku, keltner, stochastic, stochRsi, superTrend, wma, type Bar, type Values } from "./maths";

type Row = Record<string, number | null>;

const closes = (bars: readonly Bar[]): number[] => bars.map((bar) => bar.close);
const named = (key: string, values: Values): Row[] => values.map((value) => ({ [key]: value }));

interface Own {
  name: string;
  shortName: string;
  price: boolean;
  params: number[];
  lines: readonly (readonly [key: string, title: string])[];
  calc: (bars: readonly Bar[], params: readonly number[]) => object[];
}

const at = (params: readonly number[], index: number): number => params[index] ?? 1;

const OWN: readonly Own[] = [
  { name: "WMA", shortName: "WMA", price: true, params: [20], lines: [["wma", "WMA: "]], calc: (bars, n) => named("wma", wma(closes(bars), at(n, 0))) },
  { name: "HMA", shortName: "HMA", price: true, params: [16], lines: [["hma", "HMA: "]], calc: (bars, n) => named("hma", hma(bars, at(n, 0))) },
  { name: "KC", shortName: "Keltner", price: true, params: [20, 10, 2], lines: [["upper", "U: "], ["middle", "M: "], ["lower", "L: "]], calc: (bars, n) => keltner(bars, at(n, 0), at(n, 1), at(n, 2)) },
  { name: "DC", shortName: "Donchian", price: true, params: [20], lines: [["upper", "U: "], ["middle", "M: "], ["lower", "L: "]], calc: (bars, n) => donchian(bars, at(n, 0)) },
  {
    name: "ICHIMOKU", shortName: "Ichimoku", price: true, params: [9, 26, 52],
    lines: [["conversion", "T: "], ["base", "K: "], ["spanA", "A: "], ["spanB", "B: "], ["lagging", "C: "]],
    calc: (bars, n) => ichimoku(bars, at(n, 0), at(n, 1), at(n, 2)),
  },
  { name: "SUPERTREND", shortName: "SuperTrend", price: true, params: [10, 3], lines: [["up", "U: "], ["down", "D: "]], calc: (bars, n) => superTrend(bars, at(n, 0), at(n, 1)) },
  { name: "STOCH", shortName: "Stochastic", price: false, params: [14, 3, 3], lines: [["k", "K: "], ["d", "D: "]], calc: (bars, n) => stochastic(bars, at(n, 0), at(n, 1), at(n, 2)) },
  { name: "STOCHRSI", shortName: "StochRSI", price: false, params: [14, 14, 3, 3], lines: [["k", "K: "], ["d", "D: "]], calc: (bars, n) => stochRsi(bars, at(n, 0), at(n, 1), at(n, 2), at(n, 3)) },
  { name: "ATR", shortName: "ATR", price: false, params: [14], lines: [["atr", "ATR: "]], calc: (bars, n) => named("atr", atr(bars, at(n, 0))) },
  { name: "AROON", shortName: "Aroon", price: false, params: [14], lines: [["up", "Up: "], ["down", "Down: "]], calc: (bars, n) => aroon(bars, at(n, 0)) },
];

let registered = false;

/** Make our own indicators known to the library, once. */
export function registerOwn(): void {
  if (registered) return;
  registered = true;
  for (const own of OWN) {
    const template: IndicatorTemplate<object, number> = {
      name: own.name,
      shortName: own.shortName,
      series: own.price ? "price" : "normal",
      calcParams: own.params,
      ...(own.price ? { shouldOhlc: true } : { precision: own.name === "ATR" ? 6 : 2 }),
      figures: own.lines.map(([key, title]) => ({ key, title, type: "line" })),
      calc: (data: KLineData[], indicator) => own.calc(data, indicator.calcParams),
    };
    registerIndicator(template);
  }
}
