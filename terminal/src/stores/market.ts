import { defineStore } from "pinia";
import { computed } from "vue";
import type { SymbolRecord } from "@/api/schema";
import { parseInstant } from "@/lib/time";
import { useClock } from "./clock";
import { useQuotes, type LiveTick } from "./quotes";
import { useSymbols } from "./symbols";

export type MarketWord = "open" | "late" | "halted" | "close_only" | "closed" | "waiting";

/** What can be bought now: the server's market state joined with the age of the newest tick. */
export const useMarket = defineStore("market", () => {
  const clock = useClock();
  const quotes = useQuotes();
  const symbols = useSymbols();

  function lastTick(symbol: SymbolRecord): LiveTick | null {
    const live = quotes.last.get(symbol.code);
    if (live) return live;
    const stored = symbol.last_tick;
    return stored ? { seq: stored.seq, atMs: parseInstant(stored.at), price: stored.price } : null;
  }

  function ageMs(symbol: SymbolRecord): number | null {
    const tick = lastTick(symbol);
    return tick ? Math.max(0, clock.nowMs - tick.atMs) : null;
  }

  function wordOf(symbol: SymbolRecord): MarketWord {
    if (symbol.state === "halted" || symbol.state === "close_only" || symbol.state === "closed") return symbol.state;
    const age = ageMs(symbol);
    if (age === null) return "waiting";
    return symbol.state === "stale" || age > symbol.max_tick_age_ms ? "late" : "open";
  }

  const word = computed<MarketWord>(() => (symbols.selected ? wordOf(symbols.selected) : "waiting"));
  const late = computed(() => word.value === "late");
  const age = computed(() => (symbols.selected ? ageMs(symbols.selected) : null));
  const price = computed(() => (symbols.selected ? (lastTick(symbols.selected)?.price ?? null) : null));

  return { word, late, age, price, wordOf, ageMs, lastTick };
});
