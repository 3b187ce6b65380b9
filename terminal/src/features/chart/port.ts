import type { Colours } from "./colours";
import type { Gap, Slot } from "./timeline";

/** What the trade screen asks of a chart, whichever library draws it. Nothing outside the two engines imports a library. */

export const KINDS = ["area", "line", "candles", "bars", "heikin-ashi"] as const;
export type ChartKind = (typeof KINDS)[number];

/** Heikin-Ashi candles are computed before they are drawn, so the engines know four kinds. */
export type DrawnKind = Exclude<ChartKind, "heikin-ashi">;

/** An order as the chart draws it; prices are plotted numbers, instants Unix milliseconds. */
export interface DrawnOrder {
  id: string;
  direction: "up" | "down";
  result: "open" | "won" | "lost" | "tied" | "refunded";
  /** Null while the order waits for its first tick. */
  openPrice: number | null;
  openMs: number;
  expiresMs: number;
  closePrice: number | null;
  label: string;
  openText: string;
  expiryText: string;
  /** The whole order in words, for the link on its badge. */
  spoken: string;
}

export interface ChartWords {
  winsAbove: string;
  winsBelow: string;
  losesAbove: string;
  losesBelow: string;
  entry: string;
  breakEven: string;
  waiting: string;
  noTicks: string;
}

export interface LastPrice {
  atMs: number;
  price: number;
  late: boolean;
}

/** The expiry that clock mode would buy, and until when it can be bought. */
export interface ClockMark {
  expiresMs: number;
  deadlineMs: number;
  expiryText: string;
  deadlineText: string;
}

/** The room that candles and orders are drawn in: the chart without its axes. */
export interface Size {
  width: number;
  height: number;
}

/** Where an order's pin or badge stands, in the pixels of that room. */
export interface MarkPlace {
  id: string;
  x: number;
  y: number;
}

export interface ChartPort {
  /** Draw all slots, keeping the view where it is. */
  setSlots(slots: readonly Slot[], gaps: readonly Gap[]): void;
  /** The newest slots changed or came. */
  update(changed: readonly Slot[]): void;
  setKind(kind: DrawnKind): void;
  setOrders(orders: readonly DrawnOrder[]): void;
  setLast(last: LastPrice | null): void;
  setClock(mark: ClockMark | null): void;
  setColours(colours: Colours): void;
  /** Put the cursor on a slot and bring it into view, or take it away. */
  setCursor(index: number | null): void;
  zoom(factor: number): void;
  goLive(): void;
  destroy(): void;
}

export interface ChartOptions {
  scale: number;
  /** Width of a candle, 0 for single ticks. */
  widthMs: number;
  compact: boolean;
  kind: DrawnKind;
  colours: Colours;
  font: string;
  words: ChartWords;
  priceText: (price: number) => string;
  /** A figure of any scale, with the separators of the reader's language. */
  figureText: (text: string) => string;
  /** An instant under the cursor, and at the axis. */
  timeText: (atMs: number) => string;
  axisText: (atMs: number, part: "day" | "minute" | "second") => string;
  /** Place of an instant among the slots, see `Timeline.positionOf`. */
  positionOf: (atMs: number) => number;
  /** The user came near the oldest candle. */
  onNearStart: () => void;
  onLive: (live: boolean) => void;
  onMarks: (places: readonly MarkPlace[], room: Size) => void;
}

/** What an indicator is asked for: its name and its numbers. */
export interface IndicatorChoice {
  name: string;
  params: number[];
}

export const TOOLS = ["segment", "ray", "horizontal", "vertical", "channel", "fibonacci", "rectangle", "note"] as const;
export type Tool = (typeof TOOLS)[number];

export interface DrawingPoint {
  atMs: number;
  price: number;
}

export interface Drawing {
  id: string;
  tool: Tool;
  points: DrawingPoint[];
  text: string;
}

/** The chart for analysis: the same port with indicators and drawings. */
export interface AnalysisPort extends ChartPort {
  setIndicators(choices: readonly IndicatorChoice[]): void;
  setDrawings(drawings: readonly Drawing[]): void;
  /** Let the user draw with the pointer; null stops. */
  startTool(tool: Tool | null): void;
  select(id: string | null): void;
  /** A drawing of this tool in the middle of what is seen, for those who draw without a pointer. */
  middle(tool: Tool): DrawingPoint[];
  /** What one step of the keyboard moves a drawing by. */
  step(): DrawingPoint;
}

export interface AnalysisOptions extends ChartOptions {
  /** The prices of a candle by name, as the legend shows them. */
  legend: readonly (readonly [title: string, key: string])[];
  onDrawn: (tool: Tool, points: DrawingPoint[]) => void;
  onMoved: (id: string, points: DrawingPoint[]) => void;
  onSelected: (id: string | null) => void;
}
