/** Lists as files: read page by page to their end, money and prices as the text the server sent. */

import type { Order, Page, WalletEntry } from "@/api/schema";
import { fileSave } from "@/features/fairness/evidence";

export const PAGE_MAX = 500;

/** The reader gave up before the list's end. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/**
 * Read a list to its end.
 * @throws Cancelled when the signal says so between two pages
 */
export async function readAll<T>(read: (cursor?: string) => Promise<Page<T>>, progress: (count: number) => void, signal: AbortSignal): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | undefined;
  do {
    if (signal.aborted) throw new Cancelled();
    const page: Page<T> = await read(cursor);
    rows.push(...page.data);
    progress(rows.length);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  if (signal.aborted) throw new Cancelled();
  return rows;
}

type Cell = string | number | null;

/** A cell of CSV. A text that a spreadsheet would take for a formula gets an apostrophe; a number stays one. */
export function cell(value: Cell): string {
  const text = value === null ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(?:\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180: a line of names, CRLF after every line. */
export function csv<T>(rows: readonly T[], columns: readonly (readonly [string, (row: T) => Cell])[]): string {
  const lines = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, read]) => cell(read(row))))];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

const plain = <T, K extends keyof T & string>(...names: K[]) =>
  names.map((name) => [name, (row: T) => row[name] as Cell] as const);

export const ORDER_COLUMNS: readonly (readonly [string, (order: Order) => Cell])[] = [
  ...plain<Order, "id" | "client_order_id" | "ledger" | "symbol" | "direction" | "stake" | "payout_percent" | "accepted_at" | "expires_at">(
    "id", "client_order_id", "ledger", "symbol", "direction", "stake", "payout_percent", "accepted_at", "expires_at",
  ),
  ["open_tick", (order) => order.open_tick?.seq ?? null],
  ["open_price", (order) => order.open_price],
  ["close_tick", (order) => order.close_tick?.seq ?? null],
  ["close_price", (order) => order.close_price],
  ...plain<Order, "state" | "reason" | "payout" | "profit" | "settled_at" | "entry_rule" | "settlement_rule" | "source">(
    "state", "reason", "payout", "profit", "settled_at", "entry_rule", "settlement_rule", "source",
  ),
];

export const ENTRY_COLUMNS: readonly (readonly [string, (entry: WalletEntry) => Cell])[] = plain<WalletEntry, "no" | "at" | "kind" | "detail" | "amount" | "balance_after" | "reference" | "note">(
  "no", "at", "kind", "detail", "amount", "balance_after", "reference", "note",
);

/** Save a text; spreadsheets take a CSV for UTF-8 only with a byte order mark. */
export function textSave(name: string, text: string): void {
  fileSave({ name, bytes: new TextEncoder().encode(name.endsWith(".csv") ? `\ufeff${text}` : text) });
}
