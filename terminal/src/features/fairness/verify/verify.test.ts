import { describe, expect, it } from "vitest";
import { canonical, type JsonObject } from "./canonical";
import { archiveText, bytesOf, EXPIRES_MS, instant, keysDocument, receiptDocument, sampleLog, sealed, signed, type Asked } from "./sample-evidence";
import type { Report } from "./report";
import { verify, type InputFile } from "./verify";

const log = sampleLog();
const minutes = sealed(log);
const receiptFile = (document: JsonObject): InputFile => ({ name: "receipt.json", bytes: bytesOf(canonical(document)) });
const archiveFile = (text: string): InputFile => ({ name: "EURUSD.txt", bytes: bytesOf(text) });
const keysFile: InputFile = { name: "keys.json", bytes: bytesOf(JSON.stringify(keysDocument())) };
const headsFile = (text: string): InputFile => ({ name: "heads.log", bytes: bytesOf(text) });
const headLines = minutes.map(({ seal }) => `${instant(seal.minuteMs)} EURUSD ${String(seal.count)} ${seal.head}`);

function failedWords(report: Report): string[] {
  return report.groups.flatMap((group) => group.steps.filter((step) => step.outcome === "failed").map((step) => step.words));
}

function without(report: Report, outcome: string): string[] {
  return report.groups.flatMap((group) => group.steps.filter((step) => step.outcome === outcome).map((step) => `${group.kind}.${step.id}`));
}

/** A receipt in which one member is another, signed anew as a platform could that wants to deceive. */
function forged(change: (document: JsonObject) => void, asked: Asked = {}): InputFile {
  const document = structuredClone(receiptDocument(log, asked));
  change(document);
  return receiptFile(signed(document));
}

const part = (document: JsonObject, ...path: string[]): JsonObject => path.reduce((found, name) => found[name] as JsonObject, document);

describe("a receipt with its archive, keys and heads", () => {
  const cases: [string, Asked][] = [
    ["last tick, up", {}],
    ["last tick, down", { direction: "down" }],
    ["next tick", { entry: "next_tick/1" }],
    ["trimmed mean", { settlement: "trimmed_mean_10s/1" }],
  ];

  it.each(cases)("verifies in every step: %s", (_, asked) => {
    const files = [receiptFile(signed(receiptDocument(log, asked))), archiveFile(archiveText(minutes)), keysFile, headsFile(`${headLines.join("\n")}\n`)];
    const report = verify(files);
    expect(failedWords(report)).toEqual([]);
    expect(report).toMatchObject({ verdict: "verified", warnings: [], readyMs: null });
    expect([...without(report, "pending"), ...without(report, "skipped")]).toEqual([]);
  });

  it("verifies alone, and says what it was not given", () => {
    const report = verify([receiptFile(signed(receiptDocument(log)))]);
    expect(report.verdict).toBe("verified");
    expect(without(report, "skipped")).toEqual(["receipt.key", "receipt.archive", "receipt.heads"]);
  });

  it("tells loudly of a development key, and does not take a file that nobody signed for proof", () => {
    expect(verify([receiptFile(signed(receiptDocument(log), "dev"))])).toMatchObject({ verdict: "verified", warnings: ["dev"] });
    const report = verify([receiptFile({ ...receiptDocument(log), signature: null })]);
    expect(report).toMatchObject({ verdict: "failed", warnings: ["unsigned"] });
  });
});

describe("while a minute is open", () => {
  it("is pending and says when it can be proven", () => {
    const youngest = minutes.at(-1)?.seal.minuteMs ?? 0;
    const report = verify([receiptFile(signed(receiptDocument(log, { minutes: minutes.slice(0, -2) })))]);
    expect(report.verdict).toBe("pending");
    expect(report.readyMs).toBe(youngest + 65_000);
  });

  it("is proven by the archive where that has the ticks", () => {
    const report = verify([receiptFile(signed(receiptDocument(log, { minutes: minutes.slice(0, 1) }))), archiveFile(archiveText(minutes))]);
    expect(failedWords(report)).toEqual([]);
    expect(report.verdict).toBe("verified");
  });

  it("does not call a proof complete that is not", () => {
    const report = verify([forged((each) => (each["proofs"] = "complete"), { minutes: minutes.slice(0, 1) })]);
    expect(failedWords(report)).toEqual(["fault.incomplete"]);
  });
});

describe("what a platform that deceives could sign", () => {
  const cases: [string, string, (document: JsonObject) => void][] = [
    ["another result", "fault.outcome", (each) => (part(each, "order")["state"] = "lost")],
    ["a payout of one cent less", "fault.money.payout", (each) => Object.assign(part(each, "order"), { payout: "18.49", profit: "8.49" })],
    ["another percent", "fault.money.payout", (each) => (part(each, "order")["payout_percent"] = 84)],
    ["another price of the closing tick", "fault.inclusion", (each) => Object.assign(part(each, "evidence", "tick"), { price: "1.08513", bid: "1.08512", ask: "1.08514" })],
    ["a price beside bid and ask", "fault.price.mid", (each) => (part(each, "evidence", "tick")["price"] = "1.08599")],
    ["a later tick as the closing one", "fault.closing.tick", (each) => (part(each, "order")["expires_at"] = instant(EXPIRES_MS - 300))],
    ["an earlier expiry of the watermark", "fault.due", (each) => (part(each, "watermark")["watermark"] = instant(EXPIRES_MS - 1))],
    ["a refund without a reason in the log", "fault.outcome", (each) => Object.assign(part(each, "order"), { state: "refunded", reason: "stale_tick", payout: "10.00", profit: "0.00" })],
    ["a declaration that the feed was closed", "fault.outcome", (each) => (part(each, "evidence")["feed_closed"] = true)],
    ["an opening tick that had been too old", "fault.entry.old", (each) => (part(each, "terms")["max_tick_age_ms"] = 10)],
    ["another opening price", "fault.entry.tick", (each) => (part(each, "order")["open_price"] = "1.08400")],
    ["a transfer to the house", "fault.transfer.wrong", (each) => ((each["transfers"] as JsonObject[])[1] as JsonObject)["credit"] = "house"],
    ["a transfer left out", "fault.transfer.wrong", (each) => (each["transfers"] as JsonObject[]).pop()],
    ["a seal with another count", "fault.seal.head", (each) => ((each["seals"] as JsonObject[])[0] as JsonObject)["count"] = 3],
    ["a rule nobody knows", "fault.rules.unknown", (each) => { part(each, "order")["settlement_rule"] = part(each, "rules")["settlement"] = "best_tick/1"; }],
    ["a line of arithmetic that is wrong", "fault.money.line", (each) => ((each["arithmetic"] as JsonObject[])[1] as JsonObject)["result"] = "1"],
    ["a member that is missing", "fault.receipt.shape", (each) => delete each["watermark_at"] && delete part(each, "order")["stake"]],
    ["a tick after the opening one that is not shown", "fault.hidden", (each) => (part(each, "opening")["after"] = null)],
    ["a tick after the closing one that is not shown", "fault.hidden", (each) => (part(each, "evidence")["after"] = null)],
    ["another version", "fault.receipt.version", (each) => (each["version"] = "receipt/3")],
  ];

  it.each(cases)("%s fails", (_, words, change) => {
    const document = receiptDocument(log);
    expect(part(document, "order")["state"]).toBe("won");
    expect(failedWords(verify([forged(change)]))).toContain(words);
  });

  it("another log in the receipt than in the archive fails", () => {
    const other = log.map((tick) => (tick.atMs === EXPIRES_MS ? { ...tick, price: tick.price - 40n, bid: "1.08400", ask: "1.08402" } : tick));
    other.forEach((tick) => { if (tick.bid === "1.08400") tick.price = 108401n; });
    const report = verify([receiptFile(signed(receiptDocument(other))), archiveFile(archiveText(minutes)), headsFile(headLines.join("\n"))]);
    expect(failedWords(report)).toContain("fault.archive.tick");
    expect(failedWords(report)).toContain("fault.heads.differ");
  });

  it("a key that the platform never published fails", () => {
    const foreign = signed(receiptDocument(log), "production", new Uint8Array(32).fill(9));
    expect(failedWords(verify([receiptFile(foreign), keysFile]))).toEqual(["fault.key.unknown"]);
  });
});

describe("an archive", () => {
  const lines = archiveText(minutes).split("\n");
  const from = (changed: string[]): Report => verify([archiveFile(changed.join("\n"))]);

  it("verifies, an empty day and one that has not ended too", () => {
    expect(from(lines).verdict).toBe("verified");
    expect(verify([archiveFile(archiveText([]))]).verdict).toBe("verified");
    const open = verify([archiveFile(archiveText(minutes, { complete: false }))]);
    expect(without(open, "skipped")).toContain("archive.complete");
  });

  it.each([
    ["one tick is left out", (each: string[]) => each.toSpliced(5, 1)],
    ["two ticks are swapped", (each: string[]) => each.toSpliced(5, 2, each[6] ?? "", each[5] ?? "")],
    ["a tick is there twice", (each: string[]) => each.toSpliced(5, 0, each[5] ?? "")],
    ["a price is another", (each: string[]) => each.with(5, (each[5] ?? "").replace(/,\d+,3$/, ",108500,3"))],
    ["a number is written otherwise", (each: string[]) => each.with(5, `0${each[5] ?? ""}`)],
    ["a minute is left out", (each: string[]) => each.toSpliced(1, 1 + (minutes[0]?.ticks.length ?? 0))],
    ["the last line is missing", (each: string[]) => each.slice(0, -2)],
    ["the last line feed is missing", (each: string[]) => each.slice(0, -1)],
    ["there is a line more", (each: string[]) => each.toSpliced(5, 0, "")],
    ["the day is another", (each: string[]) => each.with(0, "fairstrike-archive/1 EURUSD 2026-11-28")],
    ["lines end with a carriage return", (each: string[]) => each.with(5, `${each[5] ?? ""}\r`)],
    ["something follows", (each: string[]) => [...each, "x", ""]],
  ])("fails where %s", (_, change) => {
    expect(from(change(lines)).verdict).toBe("failed");
  });

  it("of two files of one day the second fails, and neither proves an order", () => {
    const file = archiveFile(archiveText(minutes));
    const report = verify([receiptFile(signed(receiptDocument(log))), file, file]);
    expect(failedWords(report)).toEqual(["fault.archive.twice"]);
  });

  it("counts a price that is not the middle of bid and ask, even if it is sealed", () => {
    const bent = log.map((tick) => (tick.seq === 1100 ? { ...tick, price: tick.price + 1n } : tick));
    expect(failedWords(verify([archiveFile(archiveText(sealed(bent)))]))).toEqual(["fault.archive.price"]);
  });
});

describe("one byte", () => {
  const files = [receiptFile(signed(receiptDocument(log))), archiveFile(archiveText(minutes))];

  it("changed anywhere in a receipt fails", () => {
    const { bytes } = files[0] as InputFile;
    for (let at = 0; at < bytes.length; at += 61) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 7));
      expect({ at, verdict: verify([{ name: "r", bytes: changed }]).verdict }).toEqual({ at, verdict: "failed" });
    }
  });

  it("changed anywhere in an archive fails", () => {
    const { bytes } = files[1] as InputFile;
    for (let at = 0; at < bytes.length; at += 509) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 7));
      expect({ at, verdict: verify([{ name: "a", bytes: changed }]).verdict }).toEqual({ at, verdict: "failed" });
    }
  });
});
