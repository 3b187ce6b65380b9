/** What an archive says about one order, gathered while its lines go by. */

import type { Archive } from "./archive";
import type { ReceiptTick } from "./receipt";
import { TRIMMED_WINDOW_MS, type RuleTick } from "./rules";
import type { TickLine } from "./tick-line";

export class OrderProbe {
  /** Numbers of the receipt's ticks that the archive has, exactly so and otherwise. */
  readonly same = new Set<number>();
  readonly other: number[] = [];
  ticks = 0;
  next: RuleTick | null = null;
  private early: RuleTick | null = null;
  private after: RuleTick | null = null;
  private readonly window: RuleTick[] = [];
  private readonly heads = new Map<number, string>();
  private readonly ranges: { from: number; to: number }[] = [];

  constructor(
    private readonly known: ReadonlyMap<number, ReceiptTick>,
    private readonly expiresMs: number,
    private readonly entrySeq: number | null,
  ) {}

  take(line: TickLine): void {
    this.ticks += 1;
    const { seq, atMs } = line;
    if (this.known.has(seq)) this.compare(line);
    if (seq === this.entrySeq) this.next = line.ruled();
    if (atMs > this.expiresMs) {
      this.after ??= line.ruled();
    } else if (atMs > this.expiresMs - TRIMMED_WINDOW_MS) {
      this.window.push(line.ruled());
    } else {
      this.early = line.ruled(this.early);
    }
  }

  /** Keep the seals of an archive whose ticks have gone by. */
  read({ seals }: Archive): void {
    for (const { minuteMs, head } of seals) this.heads.set(minuteMs, head);
    const [first, last] = [seals[0], seals.at(-1)];
    if (first && last) this.ranges.push({ from: first.firstSeq, to: last.firstSeq + last.count });
  }

  headOf(minuteMs: number): string | undefined {
    return this.heads.get(minuteMs);
  }

  /** Whether a tick of this number must be in the archives that were read. */
  covers(seq: number): boolean {
    return this.ranges.some((range) => seq >= range.from && seq < range.to);
  }

  /** The last tick by the expiry, where the archive has the one after it and none is missing between the two. */
  lastProven(): RuleTick | null {
    const last = this.window.at(-1) ?? this.early;
    return last && this.after?.seq === last.seq + 1 ? last : null;
  }

  /** The ticks of the ten seconds up to the expiry, where the archive has those on both sides of them. */
  windowProven(): RuleTick[] | null {
    const first = this.window[0] ?? this.after;
    if (!first || this.lastProven() === null) return null;
    return first.seq === 1 || this.early?.seq === first.seq - 1 ? this.window : null;
  }

  private compare(line: TickLine): void {
    const expected = this.known.get(line.seq);
    const found = line.snapshot();
    const same =
      expected?.atMs === found.atMs &&
      expected.receivedMs === found.receivedMs &&
      expected.bid === found.bid &&
      expected.ask === found.ask &&
      expected.price === found.price &&
      expected.revision === found.revision;
    if (same) this.same.add(line.seq);
    else this.other.push(line.seq);
  }
}
