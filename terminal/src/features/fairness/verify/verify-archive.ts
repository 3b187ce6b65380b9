/** The steps of one archive. */

import type { Archive } from "./archive";
import { Broken } from "./broken";
import { headsCheck, type HeadsLog } from "./heads";
import { keyCheck, type Key } from "./keys";
import { Steps, type Group, type Said, type Warning } from "./report";
import { signatureStep } from "./signature-step";

export interface ArchiveResult {
  group: Group;
  /** Null where the file could not be read to its end. */
  archive: Archive | null;
  warning: Warning | null;
}

interface Context {
  scan: () => Archive;
  keys: readonly Key[] | null;
  heads: HeadsLog | null;
}

const DAY_MS = 86_400_000;

export const archiveName = (symbol: string, day: string): string => `${symbol} ${day}`;

function minutes(times: readonly number[]): string {
  return times.map((each) => new Date(each).toISOString().slice(11, 16)).join(", ");
}

function sealsCheck({ seals, wrongMinutes, ticks }: Archive): Said {
  if (wrongMinutes.length > 0) throw new Broken("archive.seal", { minutes: minutes(wrongMinutes) });
  return { values: { seals: seals.length, ticks }, detail: String(seals.length) };
}

function pricesCheck({ wrongPrices, ticks }: Archive): Said {
  if (wrongPrices.length > 0) throw new Broken("archive.price", { seq: wrongPrices.join(", ") });
  return { values: { ticks }, detail: String(ticks) };
}

/** The chain goes on where the archive of the day before ends. */
function chainCheck(archive: Archive, before: Archive | null): Said {
  const same = before?.symbol === archive.symbol ? before : null;
  if (same?.day === archive.day) throw new Broken("archive.twice");
  const nextDay = same && Date.parse(same.day) + DAY_MS === Date.parse(archive.day);
  const last = same?.seals.at(-1);
  const first = archive.seals[0];
  const joined = same !== null && same.statement.lastHead === archive.statement.previousHead;
  if (nextDay && same.statement.complete && !joined) throw new Broken("archive.days", { day: same.day });
  if (joined && last && first && first.firstSeq !== last.firstSeq + last.count) throw new Broken("archive.days", { day: same.day });
  const count = archive.ticks;
  if (joined) return { words: "archive.chain.joined", values: { count, day: same.day }, detail: String(count) };
  return { values: { count }, detail: String(count) };
}

function statementCheck({ statement, symbol, day, seals, ticks, root }: Archive): Said {
  const told = [statement.symbol, statement.day, statement.seals, statement.ticks, statement.lastHead, statement.root];
  const found = [symbol, day, seals.length, ticks, seals.at(-1)?.head ?? statement.previousHead, root];
  if (told.some((each, at) => each !== found[at])) throw new Broken("archive.statement");
  return { detail: root.slice(0, 12) };
}

export function archiveGroup(file: { name: string }, before: ArchiveResult | null, context: Context): ArchiveResult {
  const steps = new Steps("archive", file.name);
  let archive: Archive | null = null;
  steps.check("form", () => {
    archive = context.scan();
    return { values: { lines: archive.lines }, detail: String(archive.lines) };
  });
  const found = archive as Archive | null;
  if (!found) return { group: steps.group(), archive: null, warning: null };
  const { document, complete, signedAt } = found.statement;
  const { signature, warning } = signatureStep(steps, document);
  steps.check("key", () => keyCheck(signature, context.keys, signedAt));
  steps.check("seals", () => sealsCheck(found));
  steps.check("prices", () => pricesCheck(found));
  steps.check("chain", () => chainCheck(found, before?.archive ?? null));
  steps.check("statement", () => statementCheck(found));
  steps.check("heads", () => headsCheck(found.seals, context.heads));
  steps.check("complete", () => ({ outcome: complete ? "ok" : "skipped" }));
  return { group: steps.group({ symbol: found.symbol, day: found.day, ticks: found.ticks, seals: found.seals.length }), archive: found, warning };
}
