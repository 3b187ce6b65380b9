/** A receipt as its reader needs it: the document of `receipt/2`, checked for its shape and nothing else. */

import { Broken } from "./broken";
import { isHash } from "./bytes";
import { isObject, type Json, type JsonObject } from "./canonical";
import { decimalOf, unitsOf } from "./decimal";
import type { Seal } from "./seal";
import { SYMBOL } from "./statement";
import type { Tick } from "./tick";

export interface Proof {
  index: number;
  minuteMs: number;
  path: string[];
}

export interface ReceiptTick extends Tick {
  priceText: string;
  proof: Proof | null;
}

export interface Around {
  tick: ReceiptTick | null;
  before: ReceiptTick | null;
  after: ReceiptTick | null;
}

export interface ReceiptEvidence extends Around {
  window: ReceiptTick[];
  feedClosed: boolean;
  feedSaidAt: number | null;
  emergencyRevision: number | null;
}

export interface NamedTick {
  seq: number;
  atMs: number;
  price: string;
}

export interface ReceiptOrder {
  id: string;
  ledger: string;
  symbol: string;
  direction: "up" | "down";
  stake: string;
  payoutPercent: number;
  entryRule: string;
  settlementRule: string;
  state: string;
  acceptedMs: number;
  enteredMs: number | null;
  openPrice: string | null;
  openTick: NamedTick | null;
  expiresMs: number;
  closePrice: string | null;
  closeTick: NamedTick | null;
  settledMs: number | null;
  payout: string | null;
  profit: string | null;
  reason: string | null;
}

export interface ReceiptTerms {
  currency: string;
  priceScale: number;
  maxTickAgeMs: number;
  revision: number;
  entryAfterSeq: number | null;
  entryUntilMs: number | null;
  expectedPrice: string | null;
  maxPriceDrift: string | null;
}

export interface ReceiptTransfer {
  atMs: number;
  family: string;
  kind: string;
  amount: string;
  debit: string;
  credit: string;
}

export interface Receipt {
  document: JsonObject;
  order: ReceiptOrder;
  terms: ReceiptTerms;
  feed: string;
  priceSource: string;
  sourceRevision: number;
  rules: { admission: string; entry: string; settlement: string };
  opening: Around;
  evidence: ReceiptEvidence | null;
  watermarkMs: number | null;
  arithmetic: { what: string; result: string }[];
  transfers: ReceiptTransfer[];
  seals: Seal[];
  complete: boolean;
  /** Every tick that the receipt shows, wherever, by its number. */
  known: Map<number, ReceiptTick>;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Reads members of one object and names the first that is not what it should be. */
class Members {
  constructor(
    private readonly source: JsonObject,
    private readonly path: string,
  ) {}

  broken(name: string): Broken {
    return new Broken("receipt.shape", { member: this.path + name });
  }

  has(name: string): boolean {
    return Object.hasOwn(this.source, name);
  }

  maybe<T>(name: string, read: (name: string) => T): T | null {
    return (this.source[name] ?? null) === null ? null : read.call(this, name);
  }

  text(name: string): string {
    const value = this.source[name];
    if (typeof value !== "string" || value.length > 1000) throw this.broken(name);
    return value;
  }

  hash(name: string): string {
    const value = this.text(name);
    if (!isHash(value)) throw this.broken(name);
    return value;
  }

  whole(name: string): number {
    const value = this.source[name];
    if (typeof value !== "number" || value < 0) throw this.broken(name);
    return value;
  }

  flag(name: string): boolean {
    const value = this.source[name];
    if (typeof value !== "boolean") throw this.broken(name);
    return value;
  }

  instant(name: string): number {
    const text = this.text(name);
    const value = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
    // A day that no calendar has is moved to another one by the parser.
    if (!(value >= 0) || new Date(value).toISOString() !== text) throw this.broken(name);
    return value;
  }

  object(name: string): Members {
    const value = this.source[name];
    if (!isObject(value)) throw this.broken(name);
    return new Members(value, `${this.path}${name}.`);
  }

  list<T>(name: string, read: (each: Members) => T): T[] {
    const value = this.source[name];
    if (!Array.isArray(value) || value.length > 100_000) throw this.broken(name);
    return value.map((each: Json, at) => {
      if (!isObject(each)) throw this.broken(name);
      return read(new Members(each, `${this.path}${name}[${String(at)}].`));
    });
  }

  texts(name: string): string[] {
    const value = this.source[name];
    if (!Array.isArray(value)) throw this.broken(name);
    return value.map((each) => {
      if (typeof each !== "string" || !isHash(each)) throw this.broken(name);
      return each;
    });
  }
}

function proofOf(source: Members): Proof {
  return { index: source.whole("index"), minuteMs: source.instant("minute"), path: source.texts("path") };
}

function sideOf(source: Members, name: string): string {
  const text = source.maybe(name, source.text) ?? "";
  if (text !== "" && !decimalOf(text)) throw source.broken(name);
  return text;
}

function tickOf(source: Members): ReceiptTick {
  const priceText = source.text("price");
  const digits = priceText.replace(".", "");
  const revision = source.whole("revision");
  if (!/^\d{1,19}$/.test(digits) || !/^\d+(?:\.\d+)?$/.test(priceText) || BigInt(digits) >= 2n ** 63n) throw source.broken("price");
  if (revision > 0xffff_ffff) throw source.broken("revision");
  return {
    seq: source.whole("seq"),
    atMs: source.instant("at"),
    receivedMs: source.instant("received_at"),
    bid: sideOf(source, "bid"),
    ask: sideOf(source, "ask"),
    price: BigInt(digits),
    priceText,
    revision,
    proof: source.has("proof") && source.maybe("proof", source.object) ? proofOf(source.object("proof")) : null,
  };
}

function tickIn(source: Members, name: string): ReceiptTick | null {
  const found = source.maybe(name, source.object);
  return found === null ? null : tickOf(found);
}

function aroundOf(source: Members): Around {
  return { tick: tickIn(source, "tick"), before: tickIn(source, "before"), after: tickIn(source, "after") };
}

function namedTick(source: Members, name: string): NamedTick | null {
  const found = source.maybe(name, source.object);
  return found && { seq: found.whole("seq"), atMs: found.instant("at"), price: found.text("price") };
}

function orderOf(source: Members): ReceiptOrder {
  const direction = source.text("direction");
  const symbol = source.text("symbol");
  if (direction !== "up" && direction !== "down") throw source.broken("direction");
  if (!SYMBOL.test(symbol)) throw source.broken("symbol");
  return {
    id: source.text("id"),
    ledger: source.text("ledger"),
    symbol,
    direction,
    stake: source.text("stake"),
    payoutPercent: source.whole("payout_percent"),
    entryRule: source.text("entry_rule"),
    settlementRule: source.text("settlement_rule"),
    state: source.text("state"),
    acceptedMs: source.instant("accepted_at"),
    enteredMs: source.maybe("entered_at", source.instant),
    openPrice: source.maybe("open_price", source.text),
    openTick: namedTick(source, "open_tick"),
    expiresMs: source.instant("expires_at"),
    closePrice: source.maybe("close_price", source.text),
    closeTick: namedTick(source, "close_tick"),
    settledMs: source.maybe("settled_at", source.instant),
    payout: source.maybe("payout", source.text),
    profit: source.maybe("profit", source.text),
    reason: source.maybe("reason", source.text),
  };
}

function guardOf(source: Members, name: string): string | null {
  const text = source.maybe(name, source.text);
  if (text !== null && !decimalOf(text)) throw source.broken(name);
  return text;
}

function termsOf(source: Members): ReceiptTerms {
  const priceScale = source.whole("price_scale");
  if (priceScale > 18) throw source.broken("price_scale");
  return {
    currency: source.text("currency"),
    priceScale,
    maxTickAgeMs: source.whole("max_tick_age_ms"),
    revision: source.whole("symbol_revision"),
    entryAfterSeq: source.maybe("entry_after_seq", source.whole),
    entryUntilMs: source.maybe("entry_until", source.instant),
    expectedPrice: guardOf(source, "expected_price"),
    maxPriceDrift: guardOf(source, "max_price_drift"),
  };
}

function evidenceOf(source: Members): ReceiptEvidence {
  return {
    ...aroundOf(source),
    window: source.list("window", tickOf),
    feedClosed: source.flag("feed_closed"),
    feedSaidAt: source.maybe("feed_said_at", source.instant),
    emergencyRevision: source.maybe("emergency_revision", source.whole),
  };
}

function sealOf(source: Members): Seal {
  const symbol = source.text("symbol");
  if (!SYMBOL.test(symbol)) throw source.broken("symbol");
  return {
    symbol,
    minuteMs: source.instant("minute"),
    count: source.whole("count"),
    firstSeq: source.whole("first_seq"),
    root: source.hash("root"),
    previousHead: source.hash("previous_head"),
    head: source.hash("head"),
  };
}

function transferOf(source: Members): ReceiptTransfer {
  return {
    atMs: source.instant("at"),
    family: source.text("family"),
    kind: source.text("kind"),
    amount: source.text("amount"),
    debit: source.text("debit"),
    credit: source.text("credit"),
  };
}

const TICK_MEMBERS = ["seq", "at", "received_at", "bid", "ask", "price", "revision"];

/** Gather every tick of a document; one number must never show two different ticks. */
function knownTicks(value: Json, known: Map<number, ReceiptTick>): Map<number, ReceiptTick> {
  if (Array.isArray(value)) {
    for (const each of value) knownTicks(each, known);
  } else if (isObject(value)) {
    if (TICK_MEMBERS.every((name) => Object.hasOwn(value, name))) {
      const tick = tickOf(new Members(value, "tick."));
      const other = known.get(tick.seq);
      if (other && canonicalOf(other) !== canonicalOf(tick)) throw new Broken("receipt.twoTicks", { seq: tick.seq });
      known.set(tick.seq, tick);
    } else {
      for (const each of Object.values(value)) knownTicks(each, known);
    }
  }
  return known;
}

function canonicalOf({ price, ...rest }: ReceiptTick): string {
  return JSON.stringify({ ...rest, price: price.toString() });
}

/** Whether a document calls itself a receipt, of whatever version. */
export function isReceipt(document: JsonObject): boolean {
  return typeof document["version"] === "string" && document["version"].startsWith("receipt/");
}

/**
 * Read a receipt.
 * @throws Broken naming the first member that is not what the format says
 */
export function receiptOf(document: JsonObject): Receipt {
  const source = new Members(document, "");
  const version = source.text("version");
  if (version !== "receipt/2") throw new Broken("receipt.version", { version });
  const rules = source.object("rules");
  const origin = source.object("source");
  const evidence = source.maybe("evidence", source.object);
  const proofs = source.text("proofs");
  if (proofs !== "complete" && proofs !== "pending") throw source.broken("proofs");
  return {
    document,
    order: orderOf(source.object("order")),
    terms: termsOf(source.object("terms")),
    feed: source.text("feed"),
    priceSource: origin.text("price_source"),
    sourceRevision: origin.whole("revision"),
    rules: { admission: rules.text("admission"), entry: rules.text("entry"), settlement: rules.text("settlement") },
    opening: aroundOf(source.object("opening")),
    evidence: evidence && evidenceOf(evidence),
    watermarkMs: source.maybe("watermark", source.object)?.instant("watermark") ?? null,
    arithmetic: source.list("arithmetic", (each) => ({ what: each.text("what"), result: each.text("result") })),
    transfers: source.list("transfers", transferOf),
    seals: source.list("seals", sealOf),
    complete: proofs === "complete",
    known: new Map([...knownTicks(document, new Map())].sort(([left], [right]) => left - right)),
  };
}

/** An amount of the receipt in minor units. */
export function minorOf(text: string, places: number): bigint {
  const units = unitsOf(text, places);
  if (units === null) throw new Broken("receipt.amount", { amount: text });
  return units;
}
