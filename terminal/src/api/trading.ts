import type { Interval } from "@/lib/candles";
import { http, unwrap } from "./client";
import { NoAnswer } from "./problem";
import type { Ledger, NewOrder, Order, OrdersQuery, Page, SymbolRecord, Wallet, WalletEntry, CandleRecord, AccountEvent } from "./schema";

/** The refill takes an empty object. */
const NO_TERMS: Record<string, never> = {};
const RETRY_AFTER_MS = [300, 800, 1600];
const ATTEMPT_TIMEOUT_MS = 8000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Place an order. A lost answer is asked for again under the same `client_order_id`, which the
 * server takes once at most, so a retry can never buy twice.
 * @throws ApiProblem when the order was refused
 * @throws NoAnswer when no answer came at all; `orderLookup` tells later whether it was taken
 */
export async function orderPlace(order: NewOrder, waits: readonly number[] = RETRY_AFTER_MS): Promise<Order> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const signal = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
      return await unwrap(http.POST("/api/v1/orders", { body: order, signal }));
    } catch (error) {
      const wait = waits[attempt];
      if (!(error instanceof NoAnswer) || wait === undefined) throw error;
      await pause(wait);
    }
  }
}

/** Find the order that a `client_order_id` became, or null when none was taken. */
export async function orderLookup(ledger: Ledger, clientOrderId: string): Promise<Order | null> {
  const page = await ordersList({ ledger, client_order_id: clientOrderId });
  return page.data[0] ?? null;
}

export function ordersList(query: OrdersQuery): Promise<Page<Order>> {
  return unwrap(http.GET("/api/v1/orders", { params: { query } }));
}

/** Read a list to its end, following the pages. */
async function everyPage<T>(read: (cursor?: string) => Promise<Page<T>>): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<T> = await read(cursor);
    found.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

export function ordersOpen(): Promise<Order[]> {
  return everyPage((cursor) => ordersList({ state: "open", limit: 500, ...(cursor === undefined ? {} : { cursor }) }));
}

export async function symbolsList(): Promise<SymbolRecord[]> {
  return (await unwrap(http.GET("/api/v1/symbols"))).data;
}

export async function candlesRead(code: string, interval: Interval, from: string, to: string): Promise<CandleRecord[]> {
  const params = { path: { code }, query: { interval, from, to } };
  const page = await unwrap(http.GET("/api/v1/symbols/{code}/candles", { params }));
  return page.data;
}

export async function walletsList(): Promise<Wallet[]> {
  const page = await unwrap(http.GET("/api/v1/wallets"));
  return page.data;
}

export function walletEntries(id: string, cursor?: string): Promise<Page<WalletEntry>> {
  const query = { limit: 50, ...(cursor === undefined ? {} : { cursor }) };
  return unwrap(http.GET("/api/v1/wallets/{wallet_id}/entries", { params: { path: { wallet_id: id }, query } }));
}

export function walletRefill(id: string, key: string): Promise<Wallet> {
  const params = { path: { wallet_id: id }, header: { "Idempotency-Key": key } };
  return unwrap(http.POST("/api/v1/wallets/{wallet_id}/refill", { params, body: NO_TERMS }));
}

export function eventsAfter(after: number): Promise<{ data: AccountEvent[]; last_seq: number }> {
  return unwrap(http.GET("/api/v1/events", { params: { query: { after } } }));
}

/** The newest event's number. No event can lie beyond the largest exact integer, so only the number comes back. */
export async function eventsLastSeq(): Promise<number> {
  return (await eventsAfter(Number.MAX_SAFE_INTEGER)).last_seq;
}

export async function serverTime(): Promise<string> {
  return (await unwrap(http.GET("/api/v1/time"))).server_time;
}
