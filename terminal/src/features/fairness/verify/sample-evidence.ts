/** Makes small evidence for tests: a log, its seals, an archive, a receipt, signed by a key of its own. */

import { getPublicKey, hashes, sign } from "@noble/ed25519";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { toHex } from "./bytes";
import { canonical, type Json, type JsonObject } from "./canonical";
import { decimalText } from "./decimal";
import { leafHash, nodeHash } from "./merkle";
import { MINUTE_MS, NO_HEAD, sealHead, type Seal } from "./seal";
import { tickBytes, type Tick } from "./tick";

hashes.sha512 = sha512;

const SECRET = new Uint8Array(32).fill(7);
export const DAY_MS = Date.parse("2026-11-29T00:00:00.000Z");
export const EXPIRES_MS = DAY_MS + 12 * 3_600_000 + 30_000;

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const instant = (ms: number): string => new Date(ms).toISOString();

export function signed(document: JsonObject, kind = "production", secret = SECRET): JsonObject {
  const key = getPublicKey(secret);
  const unsigned = { algorithm: "Ed25519", key_id: toHex(sha256(key)).slice(0, 16), kind, public_key: toHex(key) };
  const value = toHex(sign(bytesOf(canonical({ ...document, signature: unsigned })), secret));
  return { ...document, signature: { ...unsigned, value } };
}

export function keysDocument(secret = SECRET): JsonObject {
  const key = getPublicKey(secret);
  return { data: [{ key_id: toHex(sha256(key)).slice(0, 16), kind: "production", public_key: toHex(key), since: instant(DAY_MS), until: null }] };
}

/** One tick each 250 ms around the expiry, over three minutes. */
export function sampleLog(count = 400, fromMs = EXPIRES_MS - 80_000): Tick[] {
  return Array.from({ length: count }, (_, at) => {
    const price = BigInt(108_500 + ((at * 37 + 20) % 53));
    const [bid, ask] = [decimalText(price - 1n, 5), decimalText(price + 1n, 5)];
    const atMs = fromMs + at * 250;
    return { seq: 1001 + at, atMs, receivedMs: atMs + 12, bid, ask, price, revision: 3 };
  });
}

/** The tree by its definition: split at the largest power of two below the number of leaves. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (leaves.length === 0 || !only) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return only;
  const half = splitOf(leaves.length);
  return nodeHash(naiveRoot(leaves.slice(0, half)), naiveRoot(leaves.slice(half)));
}

export function naivePath(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const half = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)];
  return index < half ? [...naivePath(left, index), naiveRoot(right)] : [...naivePath(right, index - half), naiveRoot(left)];
}

function splitOf(count: number): number {
  let half = 1;
  while (half * 2 < count) half *= 2;
  return half;
}

export interface Minute {
  seal: Seal;
  ticks: Tick[];
  leaves: Uint8Array[];
}

export function sealed(log: readonly Tick[], symbol = "EURUSD"): Minute[] {
  const byMinute = new Map<number, Tick[]>();
  for (const tick of log) {
    const minuteMs = Math.floor(tick.atMs / MINUTE_MS) * MINUTE_MS;
    byMinute.set(minuteMs, [...(byMinute.get(minuteMs) ?? []), tick]);
  }
  let previousHead = NO_HEAD;
  return [...byMinute].map(([minuteMs, ticks]) => {
    const leaves = ticks.map((tick) => leafHash(tickBytes(tick)));
    const seal = { symbol, minuteMs, count: ticks.length, firstSeq: ticks[0]?.seq ?? 0, root: toHex(naiveRoot(leaves)), previousHead, head: "" };
    seal.head = sealHead(seal);
    previousHead = seal.head;
    return { seal, ticks, leaves };
  });
}

export function archiveText(minutes: readonly Minute[], changes: JsonObject = {}, symbol = "EURUSD"): string {
  const lines = [`fairstrike-archive/1 ${symbol} 2026-11-29`];
  for (const { seal, ticks } of minutes) {
    lines.push(`seal,${String(seal.minuteMs)},${String(seal.count)},${String(seal.firstSeq)},${seal.root},${seal.previousHead},${seal.head}`);
    for (const tick of ticks) lines.push([tick.seq, tick.atMs, tick.receivedMs, tick.bid, tick.ask, tick.price, tick.revision].join(","));
  }
  const heads = minutes.map(({ seal }) => leafHash(Uint8Array.from(seal.head.match(/../g) ?? [], (each) => Number.parseInt(each, 16))));
  const statement: JsonObject = {
    complete: true,
    day: "2026-11-29",
    last_head: minutes.at(-1)?.seal.head ?? NO_HEAD,
    previous_head: minutes[0]?.seal.previousHead ?? NO_HEAD,
    revisions: [{ feed: "binance", number: 3, price_scale: 5, price_source: "mid", since: null, symbol: "EURUSDT" }],
    root: toHex(naiveRoot(heads)),
    seals: minutes.length,
    signed_at: instant(DAY_MS + 86_400_000),
    symbol,
    ticks: minutes.reduce((sum, each) => sum + each.ticks.length, 0),
    version: "archive/1",
    ...changes,
  };
  return `${[...lines, canonical(signed(statement))].join("\n")}\n`;
}

function shownTick(tick: Tick | undefined, minutes: readonly Minute[]): JsonObject | null {
  if (!tick) return null;
  const minute = minutes.find((each) => each.ticks.includes(tick));
  const index = minute ? minute.ticks.indexOf(tick) : 0;
  const proof = minute && { index, minute: instant(minute.seal.minuteMs), path: naivePath(minute.leaves, index).map(toHex) };
  return {
    seq: tick.seq,
    at: instant(tick.atMs),
    received_at: instant(tick.receivedMs),
    bid: tick.bid || null,
    ask: tick.ask || null,
    price: decimalText(tick.price, 5),
    revision: tick.revision,
    proof: proof ?? null,
  };
}

const shownSeal = ({ seal }: Minute): JsonObject => ({
  count: seal.count,
  first_seq: seal.firstSeq,
  head: seal.head,
  minute: instant(seal.minuteMs),
  previous_head: seal.previousHead,
  root: seal.root,
  symbol: seal.symbol,
});

export interface Asked {
  direction?: "up" | "down";
  settlement?: "last_tick/1" | "trimmed_mean_10s/1";
  entry?: "last_tick/1" | "next_tick/1";
  /** Minutes that are sealed; all of them if not told. */
  minutes?: Minute[];
  maxTickAgeMs?: number;
}

interface Made {
  close: bigint;
  state: "won" | "lost" | "tied" | "refunded";
  payout: bigint;
  reason: string | null;
}

function madeOf(window: readonly Tick[], opening: Tick, closing: Tick, asked: Asked): Made {
  if (EXPIRES_MS - closing.atMs > (asked.maxTickAgeMs ?? 3000)) return { close: closing.price, state: "refunded", payout: 1000n, reason: "stale_tick" };
  const close = asked.settlement === "trimmed_mean_10s/1" ? plainMean(window.map((each) => Number(each.price))) : closing.price;
  const moved = Number(close - opening.price) * (asked.direction === "down" ? -1 : 1);
  if (moved === 0) return { close, state: "tied", payout: 1000n, reason: null };
  return moved > 0 ? { close, state: "won", payout: 1850n, reason: null } : { close, state: "lost", payout: 0n, reason: null };
}

function plainMean(prices: number[]): bigint {
  const dropped = Math.floor((prices.length * 3) / 10);
  const kept = prices.sort((left, right) => left - right).slice(dropped, prices.length - dropped);
  const mean = kept.reduce((sum, each) => sum + each, 0) / kept.length;
  const floor = Math.floor(mean);
  return BigInt(mean - floor > 0.5 || (mean - floor === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
}

/** The receipt of an order of 10.00 at 85 % that ends at the sample's expiry, unsigned. */
export function receiptDocument(log: readonly Tick[], asked: Asked = {}): JsonObject {
  const minutes = asked.minutes ?? sealed(log);
  const { settlement = "last_tick/1", entry = "last_tick/1", direction = "up", maxTickAgeMs = 3000 } = asked;
  const acceptedMs = EXPIRES_MS - 15_000;
  const openAt = log.findLastIndex((each) => each.atMs <= acceptedMs - 20) + (entry === "next_tick/1" ? 1 : 0);
  const closeAt = log.findLastIndex((each) => each.atMs <= EXPIRES_MS);
  const [opening, closing] = [log[openAt], log[closeAt]];
  if (!opening || !closing) throw new RangeError("the log does not hold the order");
  const window = settlement === "last_tick/1" ? [] : log.filter((each) => each.atMs > EXPIRES_MS - 10_000 && each.atMs <= EXPIRES_MS);
  const made = madeOf(window, opening, closing, asked);
  const show = (at: number): Json => shownTick(log[at], minutes);
  const around = (at: number): JsonObject => ({ tick: show(at), before: show(at - 1), after: show(at + 1) });
  const named = (tick: Tick): JsonObject => ({ seq: tick.seq, at: instant(tick.atMs), price: decimalText(tick.price, 5) });
  const used = new Set([openAt - 1, openAt, openAt + 1, closeAt - 1, closeAt, closeAt + 1, ...window.flatMap((each) => [log.indexOf(each) - 1, log.indexOf(each)])]);
  const seals = minutes.filter((each) => [...used].some((at) => log[at] && each.ticks.includes(log[at])));
  const waits = entry === "next_tick/1";
  const profit = decimalText(made.payout - 1000n, 2);
  return {
    version: "receipt/2",
    signed_at: instant(EXPIRES_MS + 90_000),
    ticks: "log",
    proofs: [...used].every((at) => minutes.some((each) => log[at] && each.ticks.includes(log[at]))) ? "complete" : "pending",
    feed: "binance",
    source: { name: "binance", symbol: "EURUSDT", endpoint: "", revision: 3, price_source: "mid" },
    order: {
      id: "0193a1b2-7c00-7000-8000-00000000c91e", client_order_id: "a1", ledger: "demo", wallet_id: "0193a1b2-7c00-7000-8000-000000000001",
      symbol: "EURUSD", direction, stake: "10.00", payout_percent: 85, entry_rule: entry, settlement_rule: settlement, state: made.state,
      accepted_at: instant(acceptedMs), entered_at: instant(waits ? acceptedMs + 90 : acceptedMs), open_price: decimalText(opening.price, 5), open_tick: named(opening),
      expires_at: instant(EXPIRES_MS), close_price: decimalText(made.close, 5), close_tick: named(closing), settled_at: instant(EXPIRES_MS + 40),
      payout: decimalText(made.payout, 2), profit, reason: made.reason, source: "web", balance_after: "10008.50",
    },
    terms: {
      currency: "USD", price_scale: 5, max_tick_age_ms: maxTickAgeMs, symbol_revision: 3, session_closes_at: null,
      entry_after_seq: waits ? opening.seq - 1 : null, entry_until: waits ? instant(acceptedMs + maxTickAgeMs) : null, expected_price: null, max_price_drift: null,
    },
    rules: { admission: "admission/1", entry, settlement, grace_ms: 2000 },
    opening: around(openAt),
    evidence: {
      ...around(closeAt), window: window.map((each) => shownTick(each, minutes)), window_before: window[0] ? show(log.indexOf(window[0]) - 1) : null,
      feed_closed: false, feed_said: null, feed_said_at: null, emergency_revision: null,
    },
    watermark: { watermark: instant(EXPIRES_MS + 11), cause: "tick", raised_at: instant(EXPIRES_MS + 30) },
    arithmetic: arithmetic(made, opening, window.length, waits),
    transfers: transfers(made, profit),
    seals: seals.map(shownSeal),
  };
}

function arithmetic(made: Made, opening: Tick, averaged: number, waits: boolean): Json[] {
  const lines: [string, string][] = [["stake", "1000"]];
  if (waits) lines.push(["entry tick", String(opening.seq)]);
  if (averaged > 0) lines.push(["closing price", made.close.toString()]);
  if (made.reason === null) lines.push(["price moved", (made.close - opening.price).toString()]);
  if (made.state === "won") lines.push(["profit", "850"]);
  lines.push(["credited", made.payout.toString()]);
  return lines.map(([what, result]) => ({ what, calculation: "", result }));
}

function transfers({ state }: Made, profit: string): Json[] {
  const moved = [
    ["order.stake", "stake", "10.00", "wallet", "stakes"],
    ["order.close", state, "10.00", "stakes", state === "lost" ? "house" : "wallet"],
    ...(state === "won" ? [["order.profit", "profit", profit, "house", "wallet"]] : []),
  ];
  return moved.map(([family = "", kind = "", amount = "", debit = "", credit = ""], at) => ({
    id: `t${String(at)}`, at: instant(EXPIRES_MS + 40), family, kind, amount, debit, credit, debit_no: null, credit_no: null,
  }));
}
