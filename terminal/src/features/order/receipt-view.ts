/** What a receipt shows, made ready to be drawn: ticks with the boundary between them, steps in time, the mean. */

import type { Order, Receipt, ReceiptTick } from "@/api/schema";
import { fromMinor, scaleOf, toMinor } from "@/lib/money";
import { parseInstant } from "@/lib/time";
import { trimmedMean } from "@/features/fairness/verify/rules";

export type Mark = "opening" | "closing" | "lowest" | "highest" | "kept" | "late" | "old" | "moved" | "revised";
export type Edge = "accepted" | "limit" | "expiry" | "window";

export interface TickRow {
  kind: "tick";
  seq: number;
  atMs: number;
  offsetMs: number;
  price: string;
  mark: Mark | null;
}

export interface EdgeRow {
  kind: "edge";
  edge: Edge;
  atMs: number;
}

export type Row = TickRow | EdgeRow;

export interface Mean {
  count: number;
  dropped: number;
  kept: number;
  sum: string;
  mean: string;
}

export const WINDOW_MS = 10_000;
export const isMean = (receipt: Receipt): boolean => receipt.rules.settlement.startsWith("trimmed_mean");
export const isNextTick = (receipt: Receipt): boolean => receipt.rules.entry.startsWith("next_tick");

function tickRow(tick: ReceiptTick, fromMs: number, mark: Mark | null): TickRow {
  const atMs = parseInstant(tick.at);
  return { kind: "tick", seq: tick.seq, atMs, offsetMs: atMs - fromMs, price: tick.price, mark };
}

const edgeRow = (edge: Edge, atMs: number): EdgeRow => ({ kind: "edge", edge, atMs });

function rowsOf(parts: readonly (Row | null)[]): Row[] {
  return parts.filter((part): part is Row => part !== null);
}

/** The ticks around the opening; times are told from the acceptance. */
export function openingRows(receipt: Receipt): Row[] {
  const { before, tick, after } = receipt.opening;
  const acceptedMs = parseInstant(receipt.order.accepted_at);
  const row = (each: ReceiptTick | null, mark: Mark | null = null): Row | null => each && tickRow(each, acceptedMs, mark);
  if (!isNextTick(receipt)) return rowsOf([row(before), row(tick, "opening"), edgeRow("accepted", acceptedMs), row(after)]);
  const start = edgeRow("accepted", acceptedMs);
  const { reason, open_tick: opened } = receipt.order;
  const came = tick ?? after;
  const next = came === after ? null : after;
  // The tick that came is shown with why it ended the order instead of opening it.
  if (reason === "price_moved") return rowsOf([row(before), start, row(came, "moved"), row(next)]);
  if (reason === "revision" && receipt.evidence === null) return rowsOf([row(before), start, row(came, "revised"), row(next)]);
  if (tick !== null && opened !== null) return rowsOf([row(before), start, row(tick, "opening"), row(after)]);
  const until = receipt.terms.entry_until;
  return rowsOf([row(before), start, until === null ? null : edgeRow("limit", parseInstant(until)), row(came, "late")]);
}

/** The ticks around the expiry under a rule that takes one of them; times are told from the expiry. */
export function closingRows(receipt: Receipt): Row[] {
  const evidence = receipt.evidence;
  if (!evidence) return [];
  const expiresMs = parseInstant(receipt.order.expires_at);
  const row = (each: ReceiptTick | null, mark: Mark | null = null): Row | null => each && tickRow(each, expiresMs, mark);
  const mark = receipt.order.reason === "stale_tick" ? "old" : "closing";
  return rowsOf([row(evidence.before), row(evidence.tick, mark), edgeRow("expiry", expiresMs), row(evidence.after)]);
}

const scaled = (price: string): bigint => toMinor(price, scaleOf(price));

/** The window of a mean with what was left out of it on either side. */
export function windowRows(receipt: Receipt): Row[] {
  const evidence = receipt.evidence;
  if (!evidence) return [];
  const expiresMs = parseInstant(receipt.order.expires_at);
  const marks = trimMarks(evidence.window.map((tick) => scaled(tick.price)));
  const row = (each: ReceiptTick | null, mark: Mark | null = null): Row | null => each && tickRow(each, expiresMs, mark);
  return rowsOf([
    row(evidence.window_before),
    edgeRow("window", expiresMs - WINDOW_MS),
    ...evidence.window.map((tick, at) => tickRow(tick, expiresMs, marks[at] ?? null)),
    edgeRow("expiry", expiresMs),
    row(evidence.after),
  ]);
}

/** Which prices a trimmed mean leaves out: floor(3n / 10) of the lowest and as many of the highest. */
export function trimMarks(prices: readonly bigint[]): Mark[] {
  const dropped = Math.floor((3 * prices.length) / 10);
  const sorted = prices.map((price, at) => ({ price, at })).sort((a, b) => (a.price < b.price ? -1 : a.price > b.price ? 1 : a.at - b.at));
  const marks = new Array<Mark>(prices.length).fill("kept");
  for (const { at } of sorted.slice(0, dropped)) marks[at] = "lowest";
  for (const { at } of sorted.slice(sorted.length - dropped)) marks[at] = "highest";
  return marks;
}

/** The arithmetic of the mean; null where no tick counts. */
export function meanOf(receipt: Receipt): Mean | null {
  const window = receipt.evidence?.window ?? [];
  if (window.length === 0) return null;
  const scale = receipt.terms.price_scale;
  const prices = window.map((tick) => scaled(tick.price));
  const marks = trimMarks(prices);
  const kept = prices.filter((_, at) => marks[at] === "kept");
  const sum = kept.reduce((all, price) => all + price, 0n);
  return {
    count: prices.length, dropped: Math.floor((3 * prices.length) / 10), kept: kept.length,
    sum: fromMinor(sum, scale), mean: fromMinor(trimmedMean(prices), scale),
  };
}

export type StepName = "openTick" | "accepted" | "entered" | "closeTick" | "expired" | "passed" | "settled";

export interface TimeStep {
  name: StepName;
  atMs: number;
  /** The instant that the offset counts from; the acceptance counts from nothing. */
  from: "accepted" | "expiry" | null;
  offsetMs: number;
  strong: boolean;
}

/** The life of an order in steps, each with its distance from the acceptance or the expiry. */
export function timeline(order: Order, receipt: Receipt | null): TimeStep[] {
  const [acceptedMs, expiresMs] = [parseInstant(order.accepted_at), parseInstant(order.expires_at)];
  const steps: TimeStep[] = [];
  const add = (name: StepName, at: string | null | undefined, from: TimeStep["from"], strong = false): void => {
    if (typeof at !== "string") return;
    const atMs = parseInstant(at);
    steps.push({ name, atMs, from, offsetMs: from === null ? 0 : atMs - (from === "accepted" ? acceptedMs : expiresMs), strong });
  };
  const entersLater = order.entered_at !== null && order.entered_at !== order.accepted_at;
  if (!entersLater) add("openTick", order.open_tick?.at, "accepted");
  add("accepted", order.accepted_at, null, true);
  if (entersLater) {
    add("openTick", order.open_tick?.at, "accepted");
    add("entered", order.entered_at, "accepted");
  }
  // A refund at the entry is settled before the expiry, which then means nothing any more.
  const early = order.settled_at !== null && parseInstant(order.settled_at) < expiresMs;
  if (!early) {
    if (order.close_tick && order.close_tick.seq !== order.open_tick?.seq) add("closeTick", order.close_tick.at, "expiry");
    add("expired", order.expires_at, "accepted", true);
    if (order.state !== "open") add("passed", receipt?.watermark?.raised_at, "expiry");
  }
  add("settled", order.settled_at, early ? "accepted" : "expiry", true);
  return steps;
}
