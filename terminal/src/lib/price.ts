/** Prices are decimal strings on the wire; inside they are integers scaled by the symbol's decimals. */

import { formatAmount, MINUS } from "./money";

/**
 * Turn a price string into a scaled integer.
 * @throws RangeError when the text is no price or too large to be exact
 */
export function toScaled(text: string, scale: number): number {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) throw new RangeError(`not a price: ${text}`);
  const value = Number((match[1] ?? "0") + (match[2] ?? "").slice(0, scale).padEnd(scale, "0"));
  if (!Number.isSafeInteger(value)) throw new RangeError(`price out of range: ${text}`);
  return value;
}

/** Write a scaled integer as a price string. */
export function fromScaled(value: number, scale: number): string {
  const sign = value < 0 ? "-" : "";
  const digits = Math.abs(value).toString().padStart(scale + 1, "0");
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A scaled integer as the number a chart plots; for drawing only. */
export function toPlotted(value: number, scale: number): number {
  return value / 10 ** scale;
}

/** Split a price, written for its reader, into the part that seldom moves and its last two digits. */
export function splitPrice(text: string, write: (text: string) => string = formatAmount): { head: string; tail: string } {
  const written = write(text);
  const decimals = /\D(\d+)$/.exec(written)?.[1]?.length ?? 0;
  const cut = decimals === 1 ? 3 : 2;
  return { head: written.slice(0, -cut), tail: written.slice(-cut) };
}

/** Distance from one price to another with sign, in the symbol's scale. */
export function formatDistance(from: string, to: string, scale: number): string {
  const moved = toScaled(to, scale) - toScaled(from, scale);
  const text = formatAmount(fromScaled(Math.abs(moved), scale));
  return moved === 0 ? text : `${moved > 0 ? "+" : MINUS}${text}`;
}
