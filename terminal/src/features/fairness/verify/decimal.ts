/** Decimal text as whole numbers; nothing here is ever a binary fraction. */

export interface Decimal {
  digits: bigint;
  places: number;
}

/** Read ASCII digits with at most one point. */
export function decimalOf(text: string): Decimal | null {
  const match = /^(\d*)(?:\.(\d*))?$/.exec(text);
  if (!match || text === "" || text === ".") return null;
  const fraction = match[2] ?? "";
  return { digits: BigInt((match[1] ?? "") + fraction), places: fraction.length };
}

/** Write a decimal as a whole number of 10^-places units; null when that would lose digits. */
export function unitsOf(text: string, places: number): bigint | null {
  const decimal = decimalOf(text.startsWith("-") ? text.slice(1) : text);
  if (decimal === null || decimal.places > places) return null;
  const value = decimal.digits * 10n ** BigInt(places - decimal.places);
  return text.startsWith("-") ? -value : value;
}

/** Divide whole numbers that are not negative, and round half to the even one. */
export function dividedHalfEven(amount: bigint, by: bigint): bigint {
  const floor = amount / by;
  const twice = 2n * (amount % by);
  return twice > by || (twice === by && floor % 2n === 1n) ? floor + 1n : floor;
}

/** The middle of bid and ask in 10^-scale units, rounded once, half to even; null when a side is no decimal. */
export function midOf(bid: string, ask: string, scale: number): bigint | null {
  const [low, high] = [decimalOf(bid), decimalOf(ask)];
  if (low === null || high === null) return null;
  const places = Math.max(low.places, high.places, scale);
  const raised = (side: Decimal): bigint => side.digits * 10n ** BigInt(places - side.places);
  return dividedHalfEven(raised(low) + raised(high), 2n * 10n ** BigInt(places - scale));
}

/** Write a whole number of 10^-places units as decimal text. */
export function decimalText(value: bigint, places: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, "0");
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return value < 0n ? `-${text}` : text;
}
