import type { LimitName, OwnLimit } from "@/api/schema";
import { typedAmount } from "@/lib/formats";
import { isAmount, toMinor } from "@/lib/money";

/** What a wanted value would come to; the server decides, this only says beforehand what it will do. */
export type Effect = "first" | "tighter" | "looser" | "same" | "keep-same";
export type LimitValue = string | number | null;

/** The largest whole numbers the server takes. */
export const MOST: Partial<Record<LimitName, number>> = { open_orders: 100_000, session: 1440 };

export const isMoney = (name: LimitName): boolean => MOST[name] === undefined;

/** Read what was typed: the wire's value, or nothing when it is none. */
export function limitTyped(name: LimitName, text: string): string | number | undefined {
  const most = MOST[name];
  const plain = typedAmount(text);
  if (most === undefined) return isAmount(plain) && toMinor(plain) > 0n ? plain : undefined;
  if (!/^\d{1,6}$/.test(plain)) return undefined;
  const count = Number(plain);
  return count >= 1 && count <= most ? count : undefined;
}

/** A limit's value as a number that compares: minor units, orders or minutes. */
const size = (value: string | number): bigint => (typeof value === "number" ? BigInt(value) : toMinor(value));

/** Say what asking for a value does, null being no limit: what protects holds at once, what loosens waits. */
export function effectOf(limit: OwnLimit, wanted: LimitValue): Effect {
  const now = limit.set;
  const same = now === null || wanted === null ? now === wanted : size(now) === size(wanted);
  if (same) return limit.pending ? "keep-same" : "same";
  if (now === null) return "first";
  return wanted !== null && size(wanted) < size(now) ? "tighter" : "looser";
}

/** How much of a limit is used, 0 to 1, for drawing only; null where none is set. */
export function shareOf(limit: OwnLimit): number | null {
  if (limit.set === null || limit.used === null) return null;
  return Math.max(0, Number(limit.used) / Number(limit.set));
}
