import { fromMinor, isAmount, toMinor } from "@/lib/money";

/** Stakes offered as presets, in whole units of the currency. */
export const STAKE_PRESETS = [5, 10, 25, 50] as const;

interface Bounds {
  min: string;
  max: string;
}

function clamp(value: bigint, bounds: Bounds, scale: number): string {
  const low = toMinor(bounds.min, scale);
  const high = toMinor(bounds.max, scale);
  return fromMinor(value < low ? low : value > high ? high : value, scale);
}

/** The step of the stepper grows with the stake: 1 below 20, 5 below 100, then 10, in whole units. */
function stepMinor(stake: bigint, unit: bigint, down: boolean): bigint {
  const edge = down ? stake - 1n : stake;
  if (edge < 20n * unit) return unit;
  return edge < 100n * unit ? 5n * unit : 10n * unit;
}

/** One step up or down, kept within the bounds; a stake that cannot be read starts at the smallest one. */
export function stepStake(text: string, direction: 1 | -1, bounds: Bounds, scale: number): string {
  if (!isAmount(text, scale)) return bounds.min;
  const stake = toMinor(text, scale);
  const step = stepMinor(stake, 10n ** BigInt(scale), direction === -1);
  return clamp(stake + BigInt(direction) * step, bounds, scale);
}

/** One percent of a balance, floored to minor units and kept within the bounds. */
export function percentOfBalance(balance: string, bounds: Bounds, scale: number): string {
  return clamp(toMinor(balance, scale) / 100n, bounds, scale);
}

/** Half or double of a stake, floored to minor units and kept within the bounds; what cannot be read starts at the smallest. */
export function scaledStake(text: string, by: "half" | "double", bounds: Bounds, scale: number): string {
  if (!isAmount(text, scale)) return bounds.min;
  const stake = toMinor(text, scale);
  return clamp(by === "half" ? stake / 2n : stake * 2n, bounds, scale);
}

/** A preset as a stake in the currency's scale. */
export function presetStake(units: number, scale: number): string {
  return fromMinor(BigInt(units) * 10n ** BigInt(scale), scale);
}

/** Write a typed stake in the currency's scale; text that is no amount stays as it is. */
export function tidyStake(text: string, scale: number): string {
  const trimmed = text.trim().replace(",", ".");
  return isAmount(trimmed, scale) ? fromMinor(toMinor(trimmed, scale), scale) : trimmed;
}
