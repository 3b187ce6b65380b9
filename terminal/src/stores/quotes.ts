import { defineStore } from "pinia";
import { shallowReactive, shallowRef } from "vue";
import type { QuoteTick } from "@/api/messages";
import { parseInstant } from "@/lib/time";

const TAPE_LENGTH = 8;

export interface LiveTick {
  seq: number;
  atMs: number;
  price: string;
}

type TickListener = (tick: LiveTick) => void;

/** The newest ticks; charts listen to every one, the rest of the page to the last of each frame. */
export const useQuotes = defineStore("quotes", () => {
  const last = shallowReactive(new Map<string, LiveTick>());
  const tapes = new Map<string, LiveTick[]>();
  const tapeChanged = shallowRef(0);
  const listeners = new Map<string, Set<TickListener>>();

  function apply(batch: readonly QuoteTick[]): void {
    const newest = new Map<string, LiveTick>();
    for (const { symbol, seq, at, price } of batch) {
      const known = newest.get(symbol) ?? last.get(symbol);
      if (known && seq <= known.seq) continue;
      const tick = { seq, atMs: parseInstant(at), price };
      newest.set(symbol, tick);
      remember(symbol, tick);
      for (const listener of listeners.get(symbol) ?? []) listener(tick);
    }
    for (const [symbol, tick] of newest) last.set(symbol, tick);
    if (newest.size > 0) tapeChanged.value += 1;
  }

  function remember(symbol: string, tick: LiveTick): void {
    const tape = tapes.get(symbol) ?? [];
    tape.unshift(tick);
    tapes.set(symbol, tape.slice(0, TAPE_LENGTH));
  }

  /** The newest ticks of a symbol, newest first. */
  function tape(symbol: string): readonly LiveTick[] {
    return tapeChanged.value >= 0 ? (tapes.get(symbol) ?? []) : [];
  }

  /** Hear every tick of a symbol; answers the function that stops it. */
  function listen(symbol: string, listener: TickListener): () => void {
    const set = listeners.get(symbol) ?? new Set<TickListener>();
    listeners.set(symbol, set.add(listener));
    return () => set.delete(listener);
  }

  return { last, apply, tape, listen };
});
