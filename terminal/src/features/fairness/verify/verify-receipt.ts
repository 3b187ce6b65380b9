/** The steps of one receipt: some from itself alone, some with the archives that were given. */

import { Broken } from "./broken";
import { decode, parseCanonical } from "./canonical";
import { headsCheck, type HeadsLog } from "./heads";
import { keyCheck, type Key } from "./keys";
import { OrderProbe } from "./probe";
import { receiptOf, type Receipt } from "./receipt";
import { moneyCheck, transfersCheck } from "./receipt-money";
import { closingCheck, entryCheck, evidenceOf, outcomeCheck, outcomeOf, rulesCheck } from "./receipt-rules";
import { inclusionCheck, neighboursCheck, pricesCheck, readyMs, sealsCheck } from "./receipt-ticks";
import { Steps, type Group, type Said, type Warning } from "./report";
import type { Outcome } from "./rules";
import { signatureStep } from "./signature-step";
import type { ArchiveResult } from "./verify-archive";

const NOTHING = new OrderProbe(new Map(), 0, null);

export class ReceiptCheck {
  readonly receipt: Receipt | null = null;
  readonly warnings: Warning[] = [];
  readyMs: number | null = null;
  probe: OrderProbe = NOTHING;
  private readonly steps: Steps;

  constructor(
    file: { name: string; bytes: Uint8Array },
    private readonly keys: readonly Key[] | null,
    private readonly heads: HeadsLog | null,
  ) {
    this.steps = new Steps("receipt", file.name);
    let receipt: Receipt | null = null;
    this.steps.check("form", () => {
      receipt = receiptOf(parseCanonical(decode(file.bytes)));
      return { detail: "receipt/2" };
    });
    this.receipt = receipt as Receipt | null;
    if (!this.receipt) return;
    const { known, order, terms } = this.receipt;
    this.probe = new OrderProbe(known, order.expiresMs, terms.entryAfterSeq === null ? null : terms.entryAfterSeq + 1);
  }

  finish(archives: readonly ArchiveResult[]): Group {
    const { receipt, steps } = this;
    if (!receipt) return steps.group();
    const { signature, warning } = signatureStep(steps, receipt.document);
    if (warning) this.warnings.push(warning);
    if (receipt.feed === "custom") this.warnings.push("custom");
    const ofSymbol = archives.filter((each) => each.archive?.symbol === receipt.order.symbol);
    // An archive that is not what it says proves nothing about an order.
    const sound = ofSymbol.every((each) => each.group.verdict !== "failed") && archives.every((each) => each.archive !== null);
    const probe = sound ? this.probe : NOTHING;
    steps.check("key", () => keyCheck(signature, this.keys, receipt.document["signed_at"]));
    steps.check("seals", () => sealsCheck(receipt));
    steps.check("inclusion", () => this.inclusion(receipt, probe));
    steps.check("prices", () => pricesCheck(receipt));
    steps.check("neighbours", () => neighboursCheck(receipt));
    steps.check("archive", () => (sound ? archiveCheck(receipt, probe) : { outcome: "skipped", words: "receipt.archive.unsound" }));
    steps.check("heads", () => headsCheck(receipt.seals, this.heads));
    this.results(receipt, probe);
    const { order } = receipt;
    const { id, symbol, direction, state, stake } = order;
    return steps.group({ id, symbol, direction, state, stake, currency: receipt.terms.currency, close: order.closePrice ?? "", open: order.openPrice ?? "", profit: order.profit ?? "", reason: order.reason ?? "", ledger: order.ledger });
  }

  private results(receipt: Receipt, probe: OrderProbe): void {
    const { steps } = this;
    if (!steps.check("rules", () => rulesCheck(receipt))) return;
    steps.check("entry", () => entryCheck(receipt, probe));
    const evidence = evidenceOf(receipt, probe);
    steps.check("closing", () => closingCheck(receipt, evidence));
    let made: Outcome | null = null;
    const decided = steps.check("outcome", () => outcomeCheck(receipt, (made = outcomeOf(receipt, evidence, probe))));
    if (!decided) return;
    steps.check("money", () => moneyCheck(receipt, made));
    steps.check("transfers", () => transfersCheck(receipt, made));
  }

  private inclusion(receipt: Receipt, probe: OrderProbe): Said {
    const said = inclusionCheck(receipt);
    if (said.outcome !== "pending") return said;
    const open = [...receipt.known.values()].filter((tick) => tick.proof === null);
    if (open.every((tick) => probe.same.has(tick.seq))) return { words: "receipt.inclusion.archive", values: { count: receipt.known.size }, detail: String(receipt.known.size) };
    this.readyMs = readyMs(receipt);
    return said;
  }
}

/** Each tick and each seal of the receipt is the archive's, where the archives reach. */
function archiveCheck(receipt: Receipt, probe: OrderProbe): Said {
  const { known, order, seals } = receipt;
  if (probe.other.length > 0) throw new Broken("archive.tick", { seq: probe.other.join(", ") });
  for (const seal of seals) {
    const head = probe.headOf(seal.minuteMs);
    if (head !== undefined && head !== seal.head) throw new Broken("archive.otherSeal", { minute: new Date(seal.minuteMs).toISOString() });
  }
  const missing = [...known.values()].filter((tick) => !probe.same.has(tick.seq));
  const absent = missing.find((tick) => probe.covers(tick.seq));
  if (absent) throw new Broken("archive.tick", { seq: absent.seq });
  const days = [...new Set(missing.map((tick) => new Date(tick.atMs).toISOString().slice(0, 10)))].join(", ");
  const values = { symbol: order.symbol, days, count: known.size, ticks: probe.ticks };
  if (probe.ticks === 0) return { outcome: "skipped", values };
  const detail = `${String(known.size - missing.length)} / ${String(known.size)}`;
  return missing.length > 0 ? { outcome: "skipped", words: "receipt.archive.part", values, detail } : { values, detail };
}
