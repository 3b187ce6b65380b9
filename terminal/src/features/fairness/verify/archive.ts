/** Reads an archive of one symbol and day once, from its first byte to its last, and recomputes every seal of it. */

import { Broken } from "./broken";
import { ascii, hashBytes, toHex } from "./bytes";
import { decode } from "./canonical";
import { leafHash, MerkleRoot } from "./merkle";
import { MINUTE_MS, sealHead, type Seal } from "./seal";
import { DAY, statementOf, SYMBOL, type Statement } from "./statement";
import { TickLine } from "./tick-line";

/** Who wants to see the ticks of an archive while it is read. */
export type TickSink = (line: TickLine) => void;

export interface Archive {
  symbol: string;
  day: string;
  statement: Statement;
  seals: Seal[];
  ticks: number;
  lines: number;
  /** The root over the day's heads, as recomputed. */
  root: string;
  /** The first minutes whose root or head is not the one that their ticks give. */
  wrongMinutes: number[];
  /** The first ticks whose price is not the middle of bid and ask. */
  wrongPrices: number[];
}

const FAULTS_MAX = 5;
const LINE_FEED = 10;
const PROGRESS_BYTES = 1 << 20;
const SEAL = /^seal,(\d{1,16}),(\d{1,10}),(\d{1,16}),([0-9a-f]{64}),([0-9a-f]{64}),([0-9a-f]{64})$/;
const HEADER = ascii("fairstrike-archive/1 ");
const DAY_MS = 86_400_000;

function latin(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

export function isArchive(bytes: Uint8Array): boolean {
  return bytes.length > HEADER.length && HEADER.every((each, at) => bytes[at] === each);
}

/** Symbol and day of an archive, from its first line alone. */
export function archiveTitle(bytes: Uint8Array): { symbol: string; day: string; end: number } {
  const end = bytes.indexOf(LINE_FEED);
  const [, symbol = "", day = "", rest] = end < 0 || end > 120 ? [] : latin(bytes.subarray(0, end)).split(" ");
  if (!isArchive(bytes) || rest !== undefined || !SYMBOL.test(symbol) || !DAY.test(day)) throw new Broken("archive.header");
  return { symbol, day, end };
}

function number(text: string | undefined): number {
  const value = Number(text);
  if (String(value) !== text || !Number.isSafeInteger(value)) throw new Broken("archive.line");
  return value;
}

function sealOf(symbol: string, text: string): Seal {
  const match = SEAL.exec(text);
  if (!match) throw new Broken("archive.line");
  const [, minute, count, first, root = "", previousHead = "", head = ""] = match;
  const seal = { symbol, minuteMs: number(minute), count: number(count), firstSeq: number(first), root, previousHead, head };
  if (seal.minuteMs % MINUTE_MS !== 0 || seal.count === 0 || seal.count > 0xffff_ffff) throw new Broken("archive.line");
  return seal;
}

class Scan {
  readonly archive: Archive;
  private readonly line: TickLine;
  private readonly tree = new MerkleRoot();
  private readonly day = new MerkleRoot();
  private readonly fromMs: number;
  private readonly scales = new Map<number, number>();
  private seal: Seal | null = null;
  private left = 0;
  private lastMs = 0;
  private at: number;
  private readonly last: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly sinks: readonly TickSink[],
    private readonly progress: (bytes: number) => void,
  ) {
    const { symbol, day, end } = archiveTitle(bytes);
    if (bytes.at(-1) !== LINE_FEED) throw new Broken("archive.end");
    this.last = bytes.lastIndexOf(LINE_FEED, bytes.length - 2) + 1;
    this.at = end + 1;
    this.line = new TickLine(bytes);
    this.fromMs = Date.parse(`${day}T00:00:00.000Z`);
    if (!Number.isFinite(this.fromMs) || new Date(this.fromMs).toISOString().slice(0, 10) !== day) throw new Broken("archive.header");
    const statement = statementOf(decode(bytes.subarray(Math.max(this.last, this.at), bytes.length - 1)));
    for (const each of statement.revisions.values()) this.scales.set(each.number, each.priceSource === "mid" ? each.priceScale : -1);
    this.archive = { symbol, day, statement, seals: [], ticks: 0, lines: 1, root: "", wrongMinutes: [], wrongPrices: [] };
  }

  run(): Archive {
    let told = 0;
    try {
      while (this.at < this.last) {
        this.next();
        if (this.at - told >= PROGRESS_BYTES) this.progress((told = this.at));
      }
      if (this.left > 0) throw new Broken("archive.line");
    } catch (error) {
      if (error instanceof Broken) throw new Broken(error.fault, { line: this.archive.lines + 1, ...error.values });
      throw error;
    }
    this.sealed();
    this.archive.lines += 1;
    this.archive.root = toHex(this.day.take());
    this.progress(this.bytes.length);
    return this.archive;
  }

  private next(): void {
    const end = this.bytes.indexOf(LINE_FEED, this.at);
    if (this.left > 0) this.tick(end);
    else this.begin(end);
    this.at = end + 1;
    this.archive.lines += 1;
  }

  /** Begin a minute: its line says how many lines of ticks follow. */
  private begin(end: number): void {
    this.sealed();
    const seal = sealOf(this.archive.symbol, latin(this.bytes.subarray(this.at, end)));
    const before = this.archive.seals.at(-1);
    const previousHead = before?.head ?? this.archive.statement.previousHead;
    if (seal.minuteMs < this.fromMs || seal.minuteMs >= this.fromMs + DAY_MS) throw new Broken("archive.order");
    if (before && seal.minuteMs <= before.minuteMs) throw new Broken("archive.order");
    if (seal.previousHead !== previousHead || (before && seal.firstSeq !== before.firstSeq + before.count)) throw new Broken("archive.chain");
    this.archive.seals.push(seal);
    this.seal = seal;
    this.left = seal.count;
  }

  private tick(end: number): void {
    const { line, seal, archive } = this;
    line.read(this.at, end);
    if (!seal || line.seq !== seal.firstSeq + this.tree.count) throw new Broken("archive.gap");
    if (line.atMs < seal.minuteMs || line.atMs >= seal.minuteMs + MINUTE_MS || line.atMs < this.lastMs) throw new Broken("archive.order");
    const scale = this.scales.get(line.revision);
    if (scale === undefined) throw new Broken("archive.revision");
    if (scale >= 0 && archive.wrongPrices.length < FAULTS_MAX && !line.isMid(scale)) archive.wrongPrices.push(line.seq);
    this.tree.add(line.leaf());
    this.lastMs = line.atMs;
    this.left -= 1;
    archive.ticks += 1;
    for (const sink of this.sinks) sink(line);
  }

  /** Close the minute that was read: its ticks must give its root, and its line its head. */
  private sealed(): void {
    if (!this.seal) return;
    const root = toHex(this.tree.take());
    const wrong = root !== this.seal.root || sealHead(this.seal) !== this.seal.head;
    if (wrong && this.archive.wrongMinutes.length < FAULTS_MAX) this.archive.wrongMinutes.push(this.seal.minuteMs);
    this.day.add(leafHash(hashBytes(this.seal.head)));
    this.seal = null;
  }
}

/**
 * Read an archive.
 * @throws Broken at the first line that is not written as the format says, or breaks the chain of numbers and seals
 */
export function archiveScan(bytes: Uint8Array, sinks: readonly TickSink[], progress: (bytes: number) => void): Archive {
  return new Scan(bytes, sinks, progress).run();
}
