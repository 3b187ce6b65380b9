import type { Colours } from "./colours";
import type { ClockMark, DrawnOrder, LastPrice, MarkPlace, Size } from "./port";
import { drawClock, drawGap, drawLast, drawPin, drawPlate, drawResult, drawRoom, drawRules, drawWaiting, drawWords, type Look, type Place } from "./room-drawing";
import type { Gap } from "./timeline";

const LABEL_HEIGHT = 20;
const THIN_GAP = 3;

/** Where an engine puts instants and prices at this moment. */
export interface Frame {
  size: Size;
  x: (atMs: number) => number | null;
  y: (price: number) => number | null;
}

/**
 * What stands on the chart besides its candles, whichever library draws them. An open order is a room from
 * entry to expiry: tinted where it wins, hatched where it loses; a settled one leaves its path and a badge.
 */
export class Scene {
  orders: readonly DrawnOrder[] = [];
  last: LastPrice | null = null;
  clock: ClockMark | null = null;
  gaps: readonly Gap[] = [];

  constructor(readonly look: Look) {}

  set colours(colours: Colours) {
    this.look.colours = colours;
  }

  /** The order whose room is shown: the next one to expire. */
  shown(): DrawnOrder | undefined {
    return this.open().sort((a, b) => a.expiresMs - b.expiresMs)[0];
  }

  /** Entry labels that fit beside the label of the last price, which always stays readable. */
  labels(frame: Frame): { order: DrawnOrder; y: number }[] {
    const taken = this.last ? [frame.y(this.last.price) ?? -100] : [];
    const placed: { order: DrawnOrder; y: number }[] = [];
    const shown = this.shown();
    for (const order of this.open().sort((a, b) => Number(b === shown) - Number(a === shown))) {
      let y = order.openPrice === null ? null : frame.y(order.openPrice);
      if (y === null) continue;
      const near = taken.find((other) => Math.abs(other - (y ?? 0)) < LABEL_HEIGHT);
      if (near !== undefined && order !== shown) continue;
      if (near !== undefined) y = near + (y >= near ? LABEL_HEIGHT : -LABEL_HEIGHT);
      taken.push(y);
      placed.push({ order, y });
    }
    return placed;
  }

  /** Instants that the time axis names. */
  times(): { atMs: number; text: string; clock: boolean }[] {
    const order = this.shown();
    if (order) return [{ atMs: order.expiresMs, text: order.expiryText, clock: false }];
    return this.clock ? [{ atMs: this.clock.expiresMs, text: this.clock.expiryText, clock: true }] : [];
  }

  below(pen: CanvasRenderingContext2D, frame: Frame): void {
    for (const gap of this.gaps) {
      const [left, right] = [frame.x(gap.fromMs), frame.x(gap.toMs)];
      if (left === null || right === null || right < 0 || left > frame.size.width) continue;
      const thin = right - left < THIN_GAP ? THIN_GAP : 0;
      drawGap(pen, frame.size, left - thin, right + thin, this.look);
    }
    const order = this.shown();
    const place = order && order.openPrice !== null ? this.placeOf(order, frame) : null;
    if (order && place) drawRoom(pen, frame.size, place, order, this.look.colours);
  }

  /** Draw orders and the last price; answers where the pins and badges stand. */
  above(pen: CanvasRenderingContext2D, frame: Frame): MarkPlace[] {
    const marks: MarkPlace[] = [];
    const shown = this.shown();
    if (this.clock) {
      const [deadlineX, expiryX] = [frame.x(this.clock.deadlineMs), frame.x(this.clock.expiresMs)];
      if (deadlineX !== null && expiryX !== null) drawClock(pen, frame.size, deadlineX, expiryX, this.clock, this.look, shown !== undefined);
    }
    for (const order of this.orders) {
      const place = this.placeOf(order, frame);
      if (!place) continue;
      this.drawOrder(pen, frame, order, place, order === shown);
      const settled = order.result !== "open";
      marks.push({ id: order.id, x: settled ? place.expiryX : place.x, y: settled ? (place.closeY ?? place.y) : place.y });
    }
    this.drawNewest(pen, frame);
    const place = shown && shown.openPrice !== null ? this.placeOf(shown, frame) : null;
    if (shown && place) drawPlate(pen, frame.size, place, shown, this.look);
    return marks;
  }

  private drawOrder(pen: CanvasRenderingContext2D, { size }: Frame, order: DrawnOrder, place: Place, shown: boolean): void {
    if (order.result !== "open") {
      drawResult(pen, place, order, this.look.colours);
    } else if (order.openPrice === null) {
      drawWaiting(pen, size, place, order, this.look);
    } else {
      drawRules(pen, size, place, order, this.look.colours, shown);
      if (shown) drawWords(pen, size, place, order, this.look);
      drawPin(pen, place, order, this.look.colours);
    }
  }

  private drawNewest(pen: CanvasRenderingContext2D, frame: Frame): void {
    const { last, look } = this;
    const [x, y] = last ? [frame.x(last.atMs), frame.y(last.price)] : [null, null];
    if (x !== null && y !== null) drawLast(pen, frame.size, { x, y }, last?.late ? look.colours.wait : look.colours.text);
  }

  private open(): DrawnOrder[] {
    return this.orders.filter((order) => order.result === "open");
  }

  private placeOf(order: DrawnOrder, frame: Frame): Place | null {
    // An order without a price yet stands where the newest price is.
    const price = order.openPrice ?? this.last?.price ?? null;
    const [x, expiryX] = [frame.x(order.openMs), frame.x(order.expiresMs)];
    const y = price === null ? null : frame.y(price);
    if (x === null || y === null || expiryX === null) return null;
    return { x, y, expiryX, closeY: order.closePrice === null ? null : frame.y(order.closePrice) };
  }
}
