/** What is kept about orders and money: one order, statements, the journal and its figures. */

import { bytesRead, receiptPath } from "./fairness";
import { http, unwrap } from "./client";
import type {
  JournalEntry, JournalQuery, JournalRow, JournalTag, Ledger, Order, Page, Receipt, Statistics, StatisticsQuery, WalletEntry, WalletPeriod,
} from "./schema";

/** A receipt as it was read, and the bytes that were signed. */
export interface ReceiptFile {
  receipt: Receipt;
  bytes: Uint8Array;
}

export function orderRead(id: string): Promise<Order> {
  return unwrap(http.GET("/api/v1/orders/{order_id}", { params: { path: { order_id: id } } }));
}

export async function receiptRead(id: string): Promise<ReceiptFile> {
  const bytes = await bytesRead(receiptPath(id));
  return { receipt: JSON.parse(new TextDecoder().decode(bytes)) as Receipt, bytes };
}

export interface Span {
  from?: string;
  to?: string;
}

export function entriesRead(walletId: string, query: Span & { limit?: number; cursor?: string; reference?: string }): Promise<Page<WalletEntry>> {
  return unwrap(http.GET("/api/v1/wallets/{wallet_id}/entries", { params: { path: { wallet_id: walletId }, query } }));
}

export function periodRead(walletId: string, query: Span): Promise<WalletPeriod> {
  return unwrap(http.GET("/api/v1/wallets/{wallet_id}/period", { params: { path: { wallet_id: walletId }, query } }));
}

export function noteRead(orderId: string): Promise<JournalEntry> {
  return unwrap(http.GET("/api/v1/orders/{order_id}/journal", { params: { path: { order_id: orderId } } }));
}

export function noteWrite(orderId: string, body: { note: string; tags: string[] }): Promise<JournalEntry> {
  return unwrap(http.PUT("/api/v1/orders/{order_id}/journal", { params: { path: { order_id: orderId } }, body }));
}

export function journalList(query: JournalQuery): Promise<Page<JournalRow>> {
  return unwrap(http.GET("/api/v1/journal", { params: { query } }));
}

export async function tagsList(ledger: Ledger): Promise<JournalTag[]> {
  return (await unwrap(http.GET("/api/v1/journal/tags", { params: { query: { ledger } } }))).data;
}

export function statisticsRead(query: StatisticsQuery): Promise<Statistics> {
  return unwrap(http.GET("/api/v1/statistics", { params: { query } }));
}
