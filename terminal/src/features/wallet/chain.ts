/** A statement adds up, or it does not: reckoned here from its own lines, not taken from the server's word. */

import type { WalletEntry, WalletPeriod } from "@/api/schema";
import { scaleOf, toMinor } from "@/lib/money";

export interface Chain {
  /** Lines whose balance is the one before plus the amount. */
  checked: number;
  all: number;
  /** The first line, from the oldest on, that does not follow from the one before it. */
  broken: number | null;
}

/**
 * Check lines, the newest first.
 * @param before the balance before the oldest line; null where that line is not known yet
 */
export function chainOf(entries: readonly WalletEntry[], before: string | null): Chain {
  const scale = entries.reduce((most, entry) => Math.max(most, scaleOf(entry.amount), scaleOf(entry.balance_after)), scaleOf(before ?? "0"));
  let checked = 0;
  let last = before === null ? null : toMinor(before, scale);
  let lastNo: number | null = null;
  for (const entry of [...entries].reverse()) {
    const after = toMinor(entry.balance_after, scale);
    if (last !== null) {
      const follows = last + toMinor(entry.amount, scale) === after && (lastNo === null || entry.no === lastNo + 1);
      if (!follows) return { checked, all: entries.length, broken: entry.no };
      checked += 1;
    }
    [last, lastNo] = [after, entry.no];
  }
  return { checked, all: entries.length, broken: null };
}

/** Whether opening + sums = closing. */
export function periodAddsUp({ opening, closing, sums }: WalletPeriod): boolean {
  const scale = Math.max(scaleOf(opening), scaleOf(closing), ...sums.map((each) => scaleOf(each.amount)));
  const moved = sums.reduce((all, each) => all + toMinor(each.amount, scale), 0n);
  return toMinor(opening, scale) + moved === toMinor(closing, scale);
}
