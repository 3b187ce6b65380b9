/** Checks of a receipt's ticks: their seals, their place in the seals, their prices, and that none is missing. */

import { Broken } from "./broken";
import { hashBytes, toHex } from "./bytes";
import { midOf } from "./decimal";
import { leafHash, rootFromPath } from "./merkle";
import type { Receipt, ReceiptTick } from "./receipt";
import type { Said } from "./report";
import { MINUTE_MS, sealHead, type Seal } from "./seal";
import { tickBytes } from "./tick";

/** A minute is sealed when the watermark has passed its end, which takes the grace and a moment. */
const SEALED_AFTER_MS = 5_000;

/** Each seal gives its head, and two that touch are links of one chain. */
export function sealsCheck({ seals, order }: Receipt): Said {
  const inOrder = [...seals].sort((left, right) => left.minuteMs - right.minuteMs);
  let before: Seal | null = null;
  for (const seal of inOrder) {
    const minute = new Date(seal.minuteMs).toISOString();
    const fits = seal.symbol === order.symbol && seal.minuteMs % MINUTE_MS === 0 && seal.count > 0 && seal.count <= 0xffff_ffff;
    if (!fits || seal.minuteMs === before?.minuteMs) throw new Broken("seal.shape", { minute });
    if (sealHead(seal) !== seal.head) throw new Broken("seal.head", { minute });
    if (before && !follows(before, seal)) throw new Broken("seal.chain", { minute });
    before = seal;
  }
  if (inOrder.length === 0) return { outcome: "skipped" };
  return { values: { count: inOrder.length }, detail: String(inOrder.length) };
}

function follows(before: Seal, seal: Seal): boolean {
  const next = before.firstSeq + before.count;
  const linked = seal.previousHead === before.head;
  // Where no tick lies between the two, the later one must name the earlier; where some do, it cannot.
  return seal.firstSeq === next ? linked : seal.firstSeq > next && !linked;
}

function proofHolds(tick: ReceiptTick, seals: ReadonlyMap<number, Seal>): boolean {
  const proof = tick.proof;
  const seal = proof && seals.get(proof.minuteMs);
  if (!proof || !seal) return false;
  const placed = tick.seq - seal.firstSeq === proof.index && Math.floor(tick.atMs / MINUTE_MS) * MINUTE_MS === proof.minuteMs;
  const root = placed && rootFromPath(leafHash(tickBytes(tick)), proof.index, seal.count, proof.path.map(hashBytes));
  return root instanceof Uint8Array && toHex(root) === seal.root;
}

/** Every tick lies in its sealed minute, at its place. */
export function inclusionCheck({ known, seals, complete }: Receipt): Said {
  const byMinute = new Map(seals.map((seal) => [seal.minuteMs, seal]));
  const open: ReceiptTick[] = [];
  for (const tick of known.values()) {
    if (tick.proof === null) open.push(tick);
    else if (!proofHolds(tick, byMinute)) throw new Broken("inclusion", { seq: tick.seq });
  }
  if (complete && open.length > 0) throw new Broken("incomplete", { seq: open[0]?.seq ?? 0 });
  const values = { count: known.size, open: open.length, time: readyText(open) };
  const detail = `${String(known.size - open.length)} / ${String(known.size)}`;
  if (open.length > 0) return { outcome: "pending", values, detail };
  return known.size === 0 ? { outcome: "skipped" } : { values, detail };
}

function readyMsOf(ticks: Iterable<ReceiptTick>): number | null {
  let ready: number | null = null;
  for (const tick of ticks) {
    if (tick.proof === null) ready = Math.max(ready ?? 0, (Math.floor(tick.atMs / MINUTE_MS) + 1) * MINUTE_MS + SEALED_AFTER_MS);
  }
  return ready;
}

/** When the minute of the youngest tick without proof is expected to be sealed. */
export function readyMs({ known }: Receipt): number | null {
  return readyMsOf(known.values());
}

function readyText(open: readonly ReceiptTick[]): string {
  const ready = readyMsOf(open);
  return ready === null ? "" : new Date(ready).toISOString().slice(11, 19);
}

/** Where the price is the middle of bid and ask, it is that one and no other. */
export function pricesCheck({ known, terms, priceSource }: Receipt): Said {
  let count = 0;
  for (const tick of known.values()) {
    if (tick.revision !== terms.revision) continue;
    const places = tick.priceText.includes(".") ? tick.priceText.length - tick.priceText.indexOf(".") - 1 : 0;
    if (places !== terms.priceScale) throw new Broken("price.scale", { seq: tick.seq });
    if (priceSource !== "mid" || tick.bid === "" || tick.ask === "") continue;
    if (midOf(tick.bid, tick.ask, terms.priceScale) !== tick.price) throw new Broken("price.mid", { seq: tick.seq });
    count += 1;
  }
  return count === 0 ? { outcome: "skipped" } : { values: { count }, detail: String(count) };
}

/** Ticks are numbered without a gap and never go back in time; those beside each other must have neighbouring numbers. */
export function neighboursCheck({ known, opening, evidence }: Receipt): Said {
  let before: ReceiptTick | null = null;
  for (const tick of known.values()) {
    if (before && tick.atMs < before.atMs) throw new Broken("neighbour.order", { seq: tick.seq });
    before = tick;
  }
  const places = [opening, ...(evidence ? [evidence] : [])];
  for (const { tick, before: left, after: right } of places) {
    if (!tick && left && right && right.seq !== left.seq + 1) throw new Broken("neighbour.gap", { seq: right.seq });
    if (!tick) continue;
    if (left && left.seq !== tick.seq - 1) throw new Broken("neighbour.gap", { seq: tick.seq });
    if (right && right.seq !== tick.seq + 1) throw new Broken("neighbour.gap", { seq: tick.seq });
  }
  const window = evidence?.window ?? [];
  window.forEach((tick, at) => {
    if (tick.seq !== (window[0]?.seq ?? 0) + at) throw new Broken("neighbour.gap", { seq: tick.seq });
  });
  return { values: { count: known.size }, detail: known.size === 0 ? "" : String(known.size) };
}
