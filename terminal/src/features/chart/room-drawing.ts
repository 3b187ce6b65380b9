import type { Colours } from "./colours";
import type { ChartWords, ClockMark, DrawnOrder, Size } from "./port";

export interface Place {
  x: number;
  y: number;
  expiryX: number;
  closeY: number | null;
}

/** What every drawing needs to know of the page. */
export interface Look {
  colours: Colours;
  font: string;
  words: ChartWords;
}

type Pen = CanvasRenderingContext2D;

const HATCH_STEP = 6;

function wins(order: DrawnOrder, y: number, height: number): { top: number; bottom: number } {
  return order.direction === "up" ? { top: 0, bottom: y } : { top: y, bottom: height };
}

function hatch(pen: Pen, left: number, right: number, top: number, bottom: number, colour: string): void {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  pen.beginPath();
  const tall = bottom - top;
  for (let x = left - tall; x < right; x += HATCH_STEP) {
    pen.moveTo(x, bottom);
    pen.lineTo(x + tall, top);
  }
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.stroke();
  pen.restore();
}

/** A time without ticks: hatched, and named where there is room. */
export function drawGap(pen: Pen, size: Size, left: number, right: number, look: Look): void {
  const { colours, font, words } = look;
  pen.save();
  pen.globalAlpha = 0.6;
  pen.fillStyle = colours.raised;
  pen.fillRect(left, 0, right - left, size.height);
  hatch(pen, left, right, 0, size.height, colours.line);
  pen.restore();
  pen.font = `500 11px ${font}`;
  if (right - left < pen.measureText(words.noTicks).width + 8) return;
  pen.fillStyle = colours["text-3"];
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  pen.fillText(words.noTicks, (left + right) / 2, size.height - 12);
}

/** The expiry that clock mode buys, and the end of buying before it; `lift` sets its words above those of a room. */
export function drawClock(pen: Pen, size: Size, deadlineX: number, expiryX: number, mark: ClockMark, { colours, font }: Look, lift: boolean): void {
  const [left, right] = [Math.round(deadlineX) + 0.5, Math.round(expiryX) + 0.5];
  pen.save();
  pen.fillStyle = colours["accent-tint"];
  pen.globalAlpha = 0.5;
  pen.fillRect(left, 0, right - left, size.height);
  pen.globalAlpha = 1;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1;
  for (const [x, dash] of [[left, [3, 3]], [right, []]] as const) {
    pen.setLineDash([...dash]);
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, size.height);
    pen.stroke();
  }
  pen.font = `600 11px ${font}`;
  pen.fillStyle = colours.accent;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "right";
  pen.fillText(mark.deadlineText, left - 6, size.height - (lift ? 48 : 12));
  pen.restore();
}

/** An order that waits for its first tick: no price yet, so only its time is drawn. */
export function drawWaiting(pen: Pen, size: Size, { x, y, expiryX }: Place, order: DrawnOrder, { colours, font, words }: Look): void {
  pen.save();
  pen.strokeStyle = colours.wait;
  pen.lineWidth = 1.5;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(expiryX, y);
  pen.stroke();
  pen.strokeStyle = colours["text-3"];
  pen.lineWidth = 1;
  const right = Math.round(expiryX) + 0.5;
  pen.beginPath();
  pen.moveTo(right, 0);
  pen.lineTo(right, size.height);
  pen.stroke();
  pen.restore();
  disc(pen, x, y, 7.5, colours.panel, colours.wait);
  strokes(pen, colours.wait, [[[x, y - 3.5], [x, y], [x + 2.6, y + 1.8]]]);
  pen.font = `600 11px ${font}`;
  pen.fillStyle = colours.wait;
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  pen.fillText(`${order.label} - ${words.waiting}`, x + 14, y - 8);
}

/** The room of the shown order: tint where it wins, hatch where it loses. */
export function drawRoom(pen: Pen, size: Size, place: Place, order: DrawnOrder, colours: Colours): void {
  const left = Math.round(place.x);
  const right = Math.max(left, Math.round(place.expiryX));
  const winning = wins(order, place.y, size.height);
  pen.fillStyle = colours[order.direction === "up" ? "up-tint" : "down-tint"];
  pen.fillRect(left, winning.top, right - left, winning.bottom - winning.top);
  const [top, bottom] = order.direction === "up" ? [place.y, size.height] : [0, place.y];
  hatch(pen, left, right, top, bottom, colours.line);
}

/** What the shown order is and where it wins, above the grid so that no line crosses the words. */
export function drawWords(pen: Pen, size: Size, place: Place, order: DrawnOrder, { colours, font, words }: Look): void {
  const left = Math.round(place.x);
  if (place.expiryX - left < 64) return;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "left";
  const y = order.direction === "up" ? 20 : size.height - 28;
  pen.font = `600 11px ${font}`;
  pen.fillStyle = colours[order.direction];
  pen.fillText(order.label, left + 10, y);
  pen.font = `500 11px ${font}`;
  pen.fillStyle = colours["text-2"];
  pen.fillText(order.direction === "up" ? words.winsAbove : words.winsBelow, left + 10, y + 16);
  const loses = order.direction === "up" ? words.losesBelow : words.losesAbove;
  const at = order.direction === "up" ? size.height - 12 : 20;
  if (Math.abs(at - place.y) > 24) pen.fillText(loses, left + 10, at);
}

/** Line at the entry price, which is the break-even line too, and the upright of expiry, faint unless the order is shown. */
export function drawRules(pen: Pen, size: Size, place: Place, order: DrawnOrder, colours: Colours, shown: boolean): void {
  const y = Math.round(place.y) + 0.5;
  const right = Math.round(place.expiryX) + 0.5;
  pen.save();
  pen.strokeStyle = colours[order.direction];
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(place.x, y);
  pen.lineTo(right, y);
  pen.stroke();
  pen.lineWidth = 1;
  pen.setLineDash([2, 4]);
  pen.beginPath();
  pen.moveTo(right, y);
  pen.lineTo(size.width, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = colours["text-3"];
  pen.globalAlpha = shown ? 1 : 0.25;
  pen.beginPath();
  pen.moveTo(right, 0);
  pen.lineTo(right, size.height);
  pen.stroke();
  pen.restore();
}

function disc(pen: Pen, x: number, y: number, radius: number, fill: string, edge: string): void {
  pen.beginPath();
  pen.arc(x, y, radius, 0, Math.PI * 2);
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = edge;
  pen.lineWidth = 1.5;
  pen.stroke();
}

function strokes(pen: Pen, colour: string, lines: readonly (readonly [number, number])[][]): void {
  pen.save();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  for (const line of lines) line.forEach(([x, y], index) => { if (index === 0) pen.moveTo(x, y); else pen.lineTo(x, y); });
  pen.stroke();
  pen.restore();
}

/** The plate that names the entry line, where the room is wide enough for it. */
export function drawPlate(pen: Pen, size: Size, place: Place, order: DrawnOrder, { colours, font, words }: Look): void {
  pen.font = `600 11px ${font}`;
  const right = Math.round(Math.min(place.expiryX, size.width)) - 8;
  const room = right - place.x - 16;
  const text = [words.entry, words.breakEven].find((each) => pen.measureText(each).width + 16 <= room);
  if (text === undefined) return;
  const width = Math.ceil(pen.measureText(text).width) + 16;
  pen.beginPath();
  pen.roundRect(right - width + 0.5, Math.round(place.y) - 9.5, width, 20, 4);
  pen.fillStyle = colours.panel;
  pen.fill();
  pen.strokeStyle = colours[order.direction];
  pen.lineWidth = 1;
  pen.stroke();
  pen.fillStyle = colours[order.direction];
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, right - width / 2, Math.round(place.y) + 1);
}

/** The entry: a ring with the direction's arrow. */
export function drawPin(pen: Pen, { x, y }: Place, order: DrawnOrder, colours: Colours): void {
  const colour = colours[order.direction];
  const tip = order.direction === "up" ? -3.5 : 3.5;
  disc(pen, x, y, 7.5, colours.panel, colour);
  strokes(pen, colour, [[[x, y - tip], [x, y + tip]], [[x - 3, y + tip * 0.14], [x, y + tip], [x + 3, y + tip * 0.14]]]);
}

/** A settled order: where it began, a dotted path, and the result's sign where it ended. */
export function drawResult(pen: Pen, { x, y, expiryX, closeY }: Place, order: DrawnOrder, colours: Colours): void {
  if (order.result === "open") return;
  const colour = colours[order.result];
  const endY = closeY ?? y;
  pen.save();
  pen.setLineDash([1, 3]);
  pen.lineWidth = 1;
  pen.strokeStyle = colour;
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(expiryX, endY);
  pen.stroke();
  pen.restore();
  disc(pen, x, y, 3, colours.panel, colour);
  disc(pen, expiryX, endY, 6.5, colours.panel, colour);
  const at = (dx: number, dy: number): readonly [number, number] => [expiryX + dx, endY + dy];
  const signs = {
    won: [[at(-3, 0), at(-1, 2.2), at(3, -2.2)]],
    lost: [[at(-2.4, -2.4), at(2.4, 2.4)], [at(2.4, -2.4), at(-2.4, 2.4)]],
    tied: [[at(-2.8, -1.4), at(2.8, -1.4)], [at(-2.8, 1.6), at(2.8, 1.6)]],
    refunded: [[at(2.4, -1.8), at(-2.6, -1.8), at(-0.8, -3.4)], [at(2.4, -1.8), at(2.4, 2), at(-2.6, 2)]],
  };
  strokes(pen, colour, signs[order.result]);
}

/** The newest tick: a dot, and a dotted line from it to the price axis. */
export function drawLast(pen: Pen, size: Size, { x, y }: { x: number; y: number }, colour: string): void {
  const level = Math.round(y) + 0.5;
  pen.save();
  pen.strokeStyle = colour;
  pen.setLineDash([1, 3]);
  pen.beginPath();
  pen.moveTo(x, level);
  pen.lineTo(size.width, level);
  pen.stroke();
  pen.fillStyle = colour;
  pen.globalAlpha = 0.18;
  pen.beginPath();
  pen.arc(x, y, 7, 0, Math.PI * 2);
  pen.fill();
  pen.globalAlpha = 1;
  pen.beginPath();
  pen.arc(x, y, 3, 0, Math.PI * 2);
  pen.fill();
  pen.restore();
}
