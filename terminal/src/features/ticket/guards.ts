import { toScaled, fromScaled } from "@/lib/price";

/** A tolerance to begin with: 5 hundred-thousandths of the price, one figure, never below the price's own step. */
export function suggestedDrift(price: string, scale: number): string {
  const raw = Math.max(1, Math.round(toScaled(price, scale) / 20_000));
  const digit = 10 ** (String(raw).length - 1);
  return fromScaled(Math.max(1, Math.round(raw / digit) * digit), scale);
}

/** A tolerance the server takes: above zero, and not finer than ten decimals. */
export function validDrift(text: string, scale: number): boolean {
  return new RegExp(`^\\d{1,9}(\\.\\d{1,${String(Math.max(1, Math.min(10, scale + 2)))}})?$`).test(text) && /[1-9]/.test(text);
}
