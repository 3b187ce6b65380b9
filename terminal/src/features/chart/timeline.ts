import type { Candle, Series } from "@/lib/candles";

/** A place on the time axis: a candle, or part of a time without ticks. */
export interface Slot {
  atMs: number;
  candle: Candle | null;
}

/** A time without ticks, longer than the symbol allows. */
export interface Gap {
  fromMs: number;
  toMs: number;
}

/** A gap takes this much room at most, so that a weekend does not push the candles off the screen. */
const GAP_SLOTS = 8;

/**
 * The time without ticks between two neighbours, or null when it is as short as the symbol's terms allow.
 * `widthMs` is 0 for single ticks.
 */
export function gapBetween(before: Candle, after: Candle, widthMs: number, mostMs: number): Gap | null {
  const fromMs = before.startMs + widthMs;
  return after.startMs - fromMs > mostMs ? { fromMs, toMs: after.startMs } : null;
}

function emptySlots(gap: Gap, stepMs: number, single: boolean): Slot[] {
  const whole = gap.toMs - gap.fromMs;
  const count = Math.max(1, Math.min(GAP_SLOTS, Math.round(whole / stepMs)));
  // A candle's slot ends where the gap begins; a single tick stands at the gap's very beginning.
  const length = whole / (single ? count + 1 : count);
  return Array.from({ length: count }, (_, index) => ({ atMs: gap.fromMs + length * (single ? index + 1 : index), candle: null }));
}

/** The candles laid out on the axis, with room where ticks are missing. */
export class Timeline {
  slots: Slot[] = [];
  gaps: Gap[] = [];

  /**
   * @param widthMs of a candle, 0 for single ticks
   * @param mostMs longest silence that is no gap
   * @param roomy whether a gap takes room on the axis
   */
  constructor(
    private readonly series: Series,
    private readonly widthMs: number,
    private readonly mostMs: number,
    private readonly roomy = true,
  ) {}

  reset(): void {
    this.slots = [];
    this.gaps = [];
    for (const candle of this.series.candles) this.append(candle);
  }

  /** Take the newest candle; answers the slots that changed or came, oldest first. */
  take(candle: Candle): Slot[] {
    const last = this.slots.at(-1);
    if (last?.candle && last.atMs === candle.startMs) {
      last.candle = candle;
      return [last];
    }
    return this.append(candle);
  }

  /** Position of an instant on the axis of slots. The middle of a candle is its index, its edges lie half a slot away. */
  positionOf(atMs: number): number {
    const count = this.slots.length;
    if (count === 0) return 0;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.slots[middle]?.atMs ?? 0) <= atMs) low = middle;
      else high = middle - 1;
    }
    const slot = this.slots[low];
    const past = atMs - (slot?.atMs ?? 0);
    const edge = this.widthMs === 0 ? 0 : 0.5;
    if (low === count - 1) return low - edge + past / this.series.stepMs;
    const span = slot?.candle && this.widthMs > 0 ? this.widthMs : (this.slots[low + 1]?.atMs ?? 0) - (slot?.atMs ?? 0);
    return low - edge + Math.max(0, Math.min(past / span, 1));
  }

  private append(candle: Candle): Slot[] {
    const before = this.slots.at(-1)?.candle;
    const gap = before ? gapBetween(before, candle, this.widthMs, this.mostMs) : null;
    const fresh: Slot[] = gap && this.roomy ? emptySlots(gap, this.series.stepMs, this.widthMs === 0) : [];
    if (gap) this.gaps.push(gap);
    fresh.push({ atMs: candle.startMs, candle });
    this.slots.push(...fresh);
    return fresh;
  }
}
