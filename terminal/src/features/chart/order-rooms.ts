import type { IChartApi, ISeriesApi, ISeriesPrimitive, ISeriesPrimitiveAxisView, IPrimitivePaneView, Logical, SeriesAttachedParameter, Time } from "lightweight-charts";
import type { Colours } from "./colours";
import type { ChartWords, DrawnOrder, LastPrice } from "./port";
import { drawLast, drawPin, drawPlate, drawResult, drawRoom, drawRules, drawWords, type Place } from "./room-drawing";

const LABEL_HEIGHT = 20;

type PaneRenderer = NonNullable<ReturnType<IPrimitivePaneView["renderer"]>>;
type Target = Parameters<PaneRenderer["draw"]>[0];

/**
 * Orders on the chart. An open order is a room from entry to expiry: tinted where it wins, hatched
 * where it loses; a settled one leaves its path and a badge.
 */
export class OrderRooms implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<"Candlestick"> | null = null;
  private redraw: () => void = () => undefined;
  private orders: readonly DrawnOrder[] = [];
  private last: LastPrice | null = null;

  constructor(
    private readonly positionOf: (atMs: number) => number,
    private readonly words: ChartWords,
    private colours: Colours,
  ) {}

  attached({ chart, series, requestUpdate }: SeriesAttachedParameter<Time>): void {
    this.chart = chart as IChartApi;
    this.series = series as ISeriesApi<"Candlestick">;
    this.redraw = requestUpdate;
  }

  detached(): void {
    this.chart = this.series = null;
  }

  setOrders(orders: readonly DrawnOrder[]): void {
    this.orders = orders;
    this.redraw();
  }

  setLast(last: LastPrice | null): void {
    this.last = last;
    this.redraw();
  }

  setColours(colours: Colours): void {
    this.colours = colours;
    this.redraw();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [
      { zOrder: () => "bottom", renderer: () => ({ draw: (target) => { this.drawBelow(target); } }) },
      { zOrder: () => "top", renderer: () => ({ draw: (target) => { this.drawAbove(target); } }) },
    ];
  }

  priceAxisViews(): readonly ISeriesPrimitiveAxisView[] {
    return this.labels().map(({ order, y }) => ({
      coordinate: () => y,
      text: () => order.openText,
      textColor: () => this.colours[order.direction === "up" ? "on-up" : "on-down"],
      backColor: () => this.colours[order.direction === "up" ? "up-solid" : "down-solid"],
    }));
  }

  timeAxisViews(): readonly ISeriesPrimitiveAxisView[] {
    const order = this.shown();
    if (!order) return [];
    return [{
      coordinate: () => this.x(order.expiresMs) ?? -1000,
      text: () => order.expiryText,
      textColor: () => this.colours.text,
      backColor: () => this.colours["line-strong"],
    }];
  }

  updateAllViews(): void {
    // Views compute their places while they draw, so there is nothing to prepare.
  }

  private open(): DrawnOrder[] {
    return this.orders.filter((order) => order.result === "open");
  }

  /** The order whose room is shown: the next one to expire. */
  private shown(): DrawnOrder | undefined {
    return this.open().sort((a, b) => a.expiresMs - b.expiresMs)[0];
  }

  /** Entry labels that fit beside the label of the last price, which always stays readable. */
  private labels(): { order: DrawnOrder; y: number }[] {
    const taken = this.last ? [this.y(this.last.price) ?? -100] : [];
    const placed: { order: DrawnOrder; y: number }[] = [];
    const shown = this.shown();
    for (const order of this.open().sort((a, b) => Number(b === shown) - Number(a === shown))) {
      let y = this.y(order.openPrice);
      if (y === null) continue;
      const near = taken.find((other) => Math.abs(other - (y ?? 0)) < LABEL_HEIGHT);
      if (near !== undefined && order !== shown) continue;
      if (near !== undefined) y = near + (y >= near ? LABEL_HEIGHT : -LABEL_HEIGHT);
      taken.push(y);
      placed.push({ order, y });
    }
    return placed;
  }

  private x(atMs: number): number | null {
    const scale = this.chart?.timeScale();
    if (!scale) return null;
    const position = this.positionOf(atMs);
    const left = Math.floor(position);
    const from = scale.logicalToCoordinate(left as Logical);
    const to = scale.logicalToCoordinate((left + 1) as Logical);
    return from === null || to === null ? null : from + (to - from) * (position - left);
  }

  private y(price: number): number | null {
    return this.series?.priceToCoordinate(price) ?? null;
  }

  private placeOf(order: DrawnOrder): Place | null {
    const [x, y, expiryX] = [this.x(order.openMs), this.y(order.openPrice), this.x(order.expiresMs)];
    if (x === null || y === null || expiryX === null) return null;
    return { x, y, expiryX, closeY: order.closePrice === null ? null : this.y(order.closePrice) };
  }

  private drawBelow(target: Target): void {
    const order = this.shown();
    const place = order ? this.placeOf(order) : null;
    if (!order || !place) return;
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      drawRoom(context, mediaSize, place, order, this.colours);
    });
  }

  private drawAbove(target: Target): void {
    const shown = this.shown();
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      for (const order of this.orders) {
        const place = this.placeOf(order);
        if (!place) continue;
        if (order.result === "open") {
          drawRules(context, mediaSize, place, order, this.colours, order === shown);
          if (order === shown) drawWords(context, mediaSize, place, order, this.colours, this.words);
          drawPin(context, place, order, this.colours);
        } else {
          drawResult(context, place, order, this.colours);
        }
      }
      const [x, y] = this.last ? [this.x(this.last.atMs), this.y(this.last.price)] : [null, null];
      if (x !== null && y !== null) drawLast(context, mediaSize, { x, y }, this.last?.late ? this.colours.wait : this.colours.text);
      const place = shown ? this.placeOf(shown) : null;
      if (shown && place) drawPlate(context, mediaSize, place, shown, this.colours, this.words);
    });
  }
}
