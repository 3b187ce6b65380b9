/** The log of heads that left the platform when they were made. */

import { Broken } from "./broken";
import { MINUTE_MS, type Seal } from "./seal";
import type { Said } from "./report";

const LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:00(?:\.000)?Z) ([\x21-\x7e]{1,64}) (\d{1,10}) ([0-9a-f]{64})$/;

interface Published {
  count: number;
  head: string;
}

/** Heads of each symbol by their minute. */
export type HeadsLog = Map<string, Map<number, Published>>;

export function isHeads(text: string): boolean {
  const end = text.indexOf("\n");
  return LINE.test(end < 0 ? text : text.slice(0, end));
}

/**
 * Read a log of heads. A line may be there twice, since a crash repeats it; another head for the same minute must not be.
 * @throws Broken at a line that is none, or that contradicts an earlier one
 */
export function headsOf(text: string): HeadsLog {
  const log: HeadsLog = new Map();
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  lines.forEach((line, at) => {
    const [, minute = "", symbol = "", count = "", head = ""] = LINE.exec(line) ?? [];
    const minuteMs = Date.parse(minute);
    if (head === "" || !Number.isFinite(minuteMs)) throw new Broken("heads.line", { line: at + 1 });
    const ofSymbol = log.get(symbol) ?? new Map<number, Published>();
    const before = ofSymbol.get(minuteMs);
    if (before && (before.head !== head || before.count !== Number(count))) throw new Broken("heads.twice", { line: at + 1 });
    log.set(symbol, ofSymbol.set(minuteMs, { count: Number(count), head }));
  });
  return log;
}

/** Each seal is the one whose head was published, where the log speaks of its minute. */
export function headsCheck(seals: readonly Seal[], log: HeadsLog | null): Said {
  if (log === null) return { outcome: "skipped", words: "heads.noLog" };
  let count = 0;
  for (const seal of seals) {
    const ofSymbol = log.get(seal.symbol);
    const published = ofSymbol?.get(seal.minuteMs);
    const values = { minute: new Date(seal.minuteMs).toISOString() };
    if (published && (published.head !== seal.head || published.count !== seal.count)) throw new Broken("heads.differ", values);
    if (!published && ofSymbol && spans(ofSymbol, seal.minuteMs)) throw new Broken("heads.missing", values);
    if (published) count += 1;
  }
  if (count === 0) return { outcome: "skipped", words: "heads.outside" };
  return { words: "heads.ok", values: { count }, detail: `${String(count)} / ${String(seals.length)}` };
}

function spans(ofSymbol: ReadonlyMap<number, Published>, minuteMs: number): boolean {
  const minutes = [...ofSymbol.keys()];
  return minutes.some((each) => each <= minuteMs - MINUTE_MS) && minutes.some((each) => each >= minuteMs + MINUTE_MS);
}
