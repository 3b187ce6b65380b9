/** What a client must know of an event to keep its stream whole. */
export interface Sequenced {
  seq: number;
  prev_seq?: number | null;
}

export type Verdict = "apply" | "repeat" | "gap";

/**
 * The last event seen. A stream is whole while each event names as its predecessor the one we saw last;
 * anything else is either a repeat or proof that something is missing.
 */
export class EventCursor {
  private last: number;

  constructor(start = 0) {
    this.last = start;
  }

  get seq(): number {
    return this.last;
  }

  judge(event: Sequenced): Verdict {
    if (event.seq <= this.last) return "repeat";
    if (event.prev_seq === undefined || event.prev_seq === null) return "apply";
    return event.prev_seq <= this.last ? "apply" : "gap";
  }

  /** Move to an event that was applied; the cursor never goes back. */
  advance(seq: number): void {
    this.last = Math.max(this.last, seq);
  }
}
