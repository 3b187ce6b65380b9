import type { Candle } from "@/lib/candles";
import type { Slot } from "./timeline";

export interface TableRow {
  candle: Candle;
  /** How long there were no ticks before it, when longer than the symbol allows. */
  silentMs: number;
}

/** One page of the candles, newest first, with the silences between them. */
export function tableRows(slots: readonly Slot[], page: number, size: number): TableRow[] {
  const rows: TableRow[] = [];
  let skip = page * size;
  for (let index = slots.length - 1; index >= 0 && rows.length < size; index -= 1) {
    const candle = slots[index]?.candle;
    if (!candle) continue;
    if (skip > 0) {
      skip -= 1;
      continue;
    }
    rows.push({ candle: { ...candle }, silentMs: silenceBefore(slots, index) });
  }
  return rows;
}

function silenceBefore(slots: readonly Slot[], index: number): number {
  if (slots[index - 1]?.candle !== null) return 0;
  let first = index - 1;
  while (slots[first - 1]?.candle === null) first -= 1;
  return (slots[index]?.atMs ?? 0) - (slots[first]?.atMs ?? 0);
}
