/** Money is a decimal string on the wire and a bigint of minor units in arithmetic; never a float. */

export const MINUS = "\u2212";

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Count the decimals a decimal string is written with. */
export function scaleOf(text: string): number {
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

/**
 * Parse a decimal string into minor units.
 * @throws RangeError when the text is no decimal number or has more decimals than `scale`
 */
export function toMinor(text: string, scale = 2): bigint {
  const match = DECIMAL.exec(text);
  const fraction = match?.[3] ?? "";
  if (!match || fraction.length > scale) throw new RangeError(`not an amount of scale ${String(scale)}: ${text}`);
  const value = BigInt((match[2] ?? "0") + fraction.padEnd(scale, "0"));
  return match[1] === "-" ? -value : value;
}

/** Write minor units as a plain decimal string, the inverse of `toMinor`. */
export function fromMinor(minor: bigint, scale = 2): string {
  const sign = minor < 0n ? "-" : "";
  const digits = (minor < 0n ? -minor : minor).toString().padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Tell whether typed text is an amount the API would take as a stake. */
export function isAmount(text: string, scale = 2): boolean {
  const match = /^\d{1,15}(?:\.(\d+))?$/.exec(text);
  return match !== null && (match[1]?.length ?? 0) <= scale;
}

/** Put thousands separators into a decimal string and give it a true minus sign. */
export function formatAmount(text: string): string {
  const match = DECIMAL.exec(text);
  if (!match) return text;
  const whole = (match[2] ?? "").replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return `${match[1] ? MINUS : ""}${whole}${match[3] === undefined ? "" : `.${match[3]}`}`;
}

/** Format a change of money: `+` on gains, a true minus on losses, nothing on zero. */
export function formatSigned(text: string): string {
  const zero = /^-?0*(?:\.0*)?$/.test(text);
  if (zero) return formatAmount(text.replace("-", ""));
  return text.startsWith("-") ? formatAmount(text) : `+${formatAmount(text)}`;
}

/** Profit of a win in minor units: floor(stake x percent / 100). */
export function profitMinor(stake: bigint, payoutPercent: number): bigint {
  return (stake * BigInt(payoutPercent)) / 100n;
}

/** Win rate in percent, one decimal, at which a payout neither gains nor loses. */
export function breakEvenPercent(payoutPercent: number): string {
  const tenths = (1_000_000n / BigInt(100 + payoutPercent) + 5n) / 10n;
  return fromMinor(tenths, 1);
}

/** Compare two decimal strings of possibly different scale. */
export function compareAmounts(left: string, right: string): number {
  const scale = Math.max(scaleOf(left), scaleOf(right));
  const a = toMinor(left, scale);
  const b = toMinor(right, scale);
  return a < b ? -1 : a > b ? 1 : 0;
}
