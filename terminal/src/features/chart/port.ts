import type { Candle } from "@/lib/candles";
import type { Colours } from "./colours";

/** An order as the chart draws it; prices are plotted numbers, instants Unix milliseconds. */
export interface DrawnOrder {
  id: string;
  direction: "up" | "down";
  result: "open" | "won" | "lost" | "tied" | "refunded";
  openPrice: number;
  openMs: number;
  expiresMs: number;
  closePrice: number | null;
  label: string;
  openText: string;
  expiryText: string;
}

export interface ChartWords {
  winsAbove: string;
  winsBelow: string;
  entry: string;
}

export interface LastPrice {
  atMs: number;
  price: number;
  late: boolean;
}

/** What the trade screen asks of a chart, whichever library draws it. */
export interface ChartPort {
  setCandles(candles: readonly Candle[]): void;
  update(candle: Candle): void;
  setOrders(orders: readonly DrawnOrder[]): void;
  setLast(last: LastPrice | null): void;
  setColours(colours: Colours): void;
  goLive(): void;
  destroy(): void;
}

export interface ChartOptions {
  scale: number;
  widthMs: number;
  compact: boolean;
  colours: Colours;
  words: ChartWords;
  /** Place of an instant among the candles, see `CandleSeries.positionOf`. */
  positionOf: (atMs: number) => number;
  /** The user came near the oldest candle. */
  onNearStart: () => void;
  onLive: (live: boolean) => void;
}
