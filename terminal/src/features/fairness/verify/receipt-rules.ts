/** Checks of what the rules make of a receipt's ticks: entry, closing tick, outcome. */

import { Broken } from "./broken";
import { decimalText } from "./decimal";
import type { OrderProbe } from "./probe";
import { minorOf, type Receipt, type ReceiptTick } from "./receipt";
import type { Said } from "./report";
import { entryRefund, outcome, TRIMMED_WINDOW_MS, trimmedMean, type Facts, type Outcome, type Reason, type RuleTick } from "./rules";

const TRIMMED = "trimmed_mean_10s/1";
/** A step of the clock above this halts admission, so no tick of the log was received later than that. */
const CLOCK_MS = 250;
/** How far the time of an admitted tick may lie after its receipt. */
const FUTURE_MS = 500;

export const stakePlaces = ({ order }: Receipt): number => (order.stake.split(".")[1] ?? "").length;

function namesTick(named: { seq: number; atMs: number; price: string } | null, tick: ReceiptTick | null): boolean {
  return named?.seq === tick?.seq && named?.atMs === tick?.atMs && named?.price === tick?.priceText;
}

/** The rules that the order was accepted under are the ones that the receipt names, and this check knows them. */
export function rulesCheck({ order, rules }: Receipt): Said {
  if (rules.entry !== order.entryRule || rules.settlement !== order.settlementRule) throw new Broken("rules.differ");
  if (!["last_tick/1", "next_tick/1"].includes(rules.entry)) throw new Broken("rules.unknown", { rule: rules.entry });
  if (!["last_tick/1", TRIMMED].includes(rules.settlement)) throw new Broken("rules.unknown", { rule: rules.settlement });
  if (rules.admission !== "admission/1") throw new Broken("rules.unknown", { rule: rules.admission });
  return { detail: rules.entry === rules.settlement ? rules.entry : `${rules.entry}, ${rules.settlement}` };
}

/** Why the tick that follows the order did not open it; null when it did or the order entered at once. */
export function entryReason(receipt: Receipt, next: RuleTick | null): Reason | null {
  const { order, terms } = receipt;
  if (order.entryRule !== "next_tick/1") return null;
  const limits = { ...terms, untilMs: terms.entryUntilMs ?? 0 };
  return entryRefund(limits, next);
}

/** The tick that opens an order under `next_tick/1`, from the archive or the receipt. */
export function nextTick({ terms, known }: Receipt, probe: OrderProbe): RuleTick | null {
  return terms.entryAfterSeq === null ? null : (probe.next ?? known.get(terms.entryAfterSeq + 1) ?? null);
}

export function entryCheck(receipt: Receipt, probe: OrderProbe): Said {
  const { order, opening } = receipt;
  if (!namesTick(order.openTick, opening.tick) || order.openPrice !== (opening.tick?.priceText ?? null)) throw new Broken("entry.tick");
  return order.entryRule === "next_tick/1" ? nextEntry(receipt, probe) : lastEntry(receipt);
}

function lastEntry(receipt: Receipt): Said {
  const { order, opening, terms } = receipt;
  const tick = opening.tick;
  if (!tick) throw new Broken("entry.tick");
  const ageMs = order.acceptedMs - tick.atMs;
  if (order.enteredMs !== order.acceptedMs || tick.revision !== terms.revision) throw new Broken("entry.tick");
  if (ageMs > terms.maxTickAgeMs) throw new Broken("entry.old", { ms: ageMs });
  if (ageMs < -(FUTURE_MS + CLOCK_MS) || tick.receivedMs > order.acceptedMs + CLOCK_MS) throw new Broken("entry.later", { ms: tick.receivedMs - order.acceptedMs });
  if (!opening.after) {
    if (sealedBeyond(receipt, tick.seq)) throw new Broken("hidden", { seq: tick.seq + 1 });
    return { outcome: "pending", detail: order.entryRule };
  }
  const gapMs = opening.after.receivedMs - order.acceptedMs;
  const words = gapMs >= 0 ? "receipt.entry.lastAfter" : "receipt.entry.lastBefore";
  return { words, values: { seq: tick.seq, ms: Math.abs(gapMs) }, detail: order.entryRule };
}

function nextEntry(receipt: Receipt, probe: OrderProbe): Said {
  const { order, terms, opening, watermarkMs } = receipt;
  const { entryAfterSeq, entryUntilMs } = terms;
  const untilMs = Math.min(order.acceptedMs + terms.maxTickAgeMs, order.expiresMs);
  if (entryAfterSeq === null || entryUntilMs !== untilMs) throw new Broken("entry.until");
  const next = nextTick(receipt, probe);
  const reason = entryReason(receipt, next);
  const tick = opening.tick;
  if (order.state === "open" && !tick) return { outcome: "pending", words: "receipt.entry.waiting", values: { seq: entryAfterSeq + 1 }, detail: order.entryRule };
  if (tick) {
    if (tick.seq !== entryAfterSeq + 1) throw new Broken("entry.next", { seq: entryAfterSeq + 1 });
    if (reason !== null && reason !== "price_moved") throw new Broken("entry.refund");
    if (reason !== (order.reason === "price_moved" ? "price_moved" : null)) throw new Broken("entry.refund");
    return { words: reason ? "receipt.entry.moved" : "receipt.entry.next", values: { seq: tick.seq, after: entryAfterSeq }, detail: order.entryRule };
  }
  if (reason !== order.reason) throw new Broken("entry.refund");
  if (next) return { words: `receipt.entry.${reason}`, values: { seq: next.seq }, detail: order.entryRule };
  // Without the next tick the receipt has the watermark's word alone that none came in time.
  if (watermarkMs === null || watermarkMs < untilMs) throw new Broken("due");
  return { outcome: "pending", words: "receipt.entry.absent", values: { seq: entryAfterSeq + 1 }, detail: order.entryRule };
}

/** What the log says about the expiry, and whether the ticks prove that nothing lies between. */
export interface Evidence {
  facts: Facts;
  proven: boolean;
}

export function evidenceOf(receipt: Receipt, probe: OrderProbe): Evidence {
  const said = { feedClosed: receipt.evidence?.feedClosed ?? false, emergency: (receipt.evidence?.emergencyRevision ?? null) !== null };
  const trimmed = receipt.order.settlementRule === TRIMMED;
  const [last, window] = [probe.lastProven(), trimmed ? probe.windowProven() : []];
  if (last && window) return { facts: { ...said, tick: last, window }, proven: true };
  return receiptEvidence(receipt, said, trimmed);
}

function receiptEvidence({ known, order }: Receipt, said: { feedClosed: boolean; emergency: boolean }, trimmed: boolean): Evidence {
  const seen = [...known.values()].filter((each) => each.atMs <= order.expiresMs);
  const last = seen.at(-1) ?? null;
  const after = last && known.get(last.seq + 1);
  const window = trimmed ? seen.filter((each) => each.atMs > order.expiresMs - TRIMMED_WINDOW_MS) : [];
  const first = window[0] ?? last;
  const before = window[0] ? known.get(window[0].seq - 1) : last;
  const whole = !trimmed || (first !== null && (first.seq === 1 || before !== undefined) && window.every((each, at) => each.seq === (window[0]?.seq ?? 0) + at));
  return { facts: { ...said, tick: last, window }, proven: after !== null && after !== undefined && whole };
}

/** The closing tick is the one that the rule names. */
export function closingCheck(receipt: Receipt, { facts, proven }: Evidence): Said {
  const { order, evidence, watermarkMs } = receipt;
  const rule = order.settlementRule;
  if (!evidence) return { outcome: "skipped", words: "receipt.closing.skipped", detail: rule };
  if (watermarkMs === null || watermarkMs < order.expiresMs) throw new Broken("due");
  const tick = rule === TRIMMED ? (facts.window.at(-1) ?? null) : facts.tick;
  if ((evidence.tick?.seq ?? null) !== (tick?.seq ?? null)) throw new Broken("closing.tick", { seq: tick?.seq ?? 0 });
  if (rule === TRIMMED) {
    const same = evidence.window.length === facts.window.length && evidence.window.every((each, at) => each.seq === facts.window[at]?.seq);
    if (!same) throw new Broken("closing.window", { count: facts.window.length });
  }
  const values = { seq: tick?.seq ?? 0, count: facts.window.length, ms: tick ? order.expiresMs - tick.atMs : 0 };
  if (!proven) {
    if (tick && sealedBeyond(receipt, tick.seq)) throw new Broken("hidden", { seq: tick.seq + 1 });
    return { outcome: "pending", values, detail: rule };
  }
  const kind = rule === TRIMMED ? "window" : tick ? "ok" : "none";
  return { words: `receipt.closing.${kind}`, values, detail: rule };
}

/** Whether a seal of the receipt tells that there are later ticks than this one, which the receipt then must show. */
function sealedBeyond({ seals }: Receipt, seq: number): boolean {
  return seals.some((seal) => seal.firstSeq + seal.count > seq + 1);
}

/** How the order must end by its own terms; null while it is open. */
export function outcomeOf(receipt: Receipt, evidence: Evidence, probe: OrderProbe): Outcome | null {
  const { order, terms } = receipt;
  if (order.state === "open") return null;
  const stake = minorOf(order.stake, stakePlaces(receipt));
  const reason = entryReason(receipt, nextTick(receipt, probe));
  if (reason !== null) return { state: "refunded", reason, tick: null, closePrice: null, payout: stake };
  if (!receipt.evidence) throw new Broken("closing.missing");
  return outcome(
    {
      direction: order.direction,
      stake,
      payoutPercent: order.payoutPercent,
      expiresMs: order.expiresMs,
      maxTickAgeMs: terms.maxTickAgeMs,
      revision: terms.revision,
      openPrice: receipt.opening.tick?.price ?? 0n,
      settlementRule: order.settlementRule,
    },
    evidence.facts,
  );
}

/** State, reason and closing price are the ones that the rule gives. */
export function outcomeCheck(receipt: Receipt, made: Outcome | null): Said {
  const { order, terms } = receipt;
  if (made === null) return { outcome: "pending", values: { time: new Date(order.expiresMs).toISOString().slice(11, 23) } };
  const close = made.closePrice === null ? null : decimalText(made.closePrice, terms.priceScale);
  const named = made.closePrice === null ? null : made.tick;
  const same = order.state === made.state && order.reason === made.reason && order.closePrice === close && (order.closeTick?.seq ?? null) === (named?.seq ?? null);
  if (!same) throw new Broken("outcome", { state: made.state, close: close ?? "" });
  const open = order.openPrice ?? "";
  const words = made.reason ? `receipt.outcome.${made.reason}` : `receipt.outcome.${made.state}${made.state === "tied" ? "" : order.direction === "up" ? "Up" : "Down"}`;
  return { words, values: { close: close ?? "", open }, detail: movedText(receipt, made) };
}

function movedText({ opening, terms }: Receipt, made: Outcome): string {
  if (made.reason !== null || made.closePrice === null || !opening.tick) return "";
  const moved = made.closePrice - opening.tick.price;
  const text = decimalText(moved < 0n ? -moved : moved, terms.priceScale);
  return moved === 0n ? text : `${moved > 0n ? "+" : "\u2212"}${text}`;
}

/** What the receipt's own lines of arithmetic must come to, by the name of the line. */
export function arithmeticOf(receipt: Receipt, made: Outcome | null): Map<string, string> {
  const { order, terms, opening } = receipt;
  const stake = minorOf(order.stake, stakePlaces(receipt));
  const lines = new Map([["stake", stake.toString()]]);
  if (terms.entryAfterSeq !== null) lines.set("entry tick", String(order.openTick?.seq ?? "none"));
  if (!made) return lines;
  const window = receipt.evidence?.window ?? [];
  if (window.length > 0) lines.set("closing price", trimmedMean(window.map((each) => each.price)).toString());
  if (made.reason === null && made.closePrice !== null && opening.tick) lines.set("price moved", (made.closePrice - opening.tick.price).toString());
  if (made.state === "won") lines.set("profit", (made.payout - stake).toString());
  return lines.set("credited", made.payout.toString());
}
