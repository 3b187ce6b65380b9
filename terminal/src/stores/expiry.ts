import { defineStore } from "pinia";
import { computed, ref, shallowRef, watch } from "vue";
import { deadlineOf, faultOf, nextExpiries, snapped, type ExpiryBounds, type ExpiryFault } from "@/lib/expiries";
import { parseInstant } from "@/lib/time";
import { useClock } from "./clock";
import { usePreferences } from "./preferences";
import { useSymbols } from "./symbols";
import { useTradeSettings } from "./trade-settings";

// With the end of the session and a time of one's own they fill two rows of three.
const OFFERED = 5;

/** When the order being prepared will end: after a length of time, or at an instant of the clock. */
export const useExpiry = defineStore("expiry", () => {
  const [clock, preferences, symbols, settings] = [useClock(), usePreferences(), useSymbols(), useTradeSettings()];
  const chosenMs = ref<number | null>(null);
  const moved = shallowRef<{ from: number; to: number } | null>(null);

  const mode = computed({ get: () => settings.expiryMode, set: (next) => (settings.expiryMode = next) });
  const bounds = computed<ExpiryBounds>(() => {
    const symbol = symbols.selected;
    const ends = symbol?.session_ends ?? null;
    return { minS: symbol?.min_duration_s ?? 0, maxS: symbol?.max_duration_s ?? 0, deadlineS: symbol?.purchase_deadline_s ?? 0, sessionEndMs: ends === null ? null : parseInstant(ends) };
  });
  // The list is made anew each second, not with each tenth of the clock.
  const second = computed(() => Math.ceil(clock.nowMs / 1000) * 1000);
  const sessionEnd = computed(() => {
    const at = bounds.value.sessionEndMs;
    return at !== null && faultOf(at, second.value, bounds.value) === null ? at : null;
  });
  const choices = computed(() => nextExpiries(second.value, bounds.value, sessionEnd.value === null ? OFFERED : OFFERED - 1));

  /** The instant the ticket would buy; null with a duration, or where nothing can be bought by the clock. */
  const expiresAt = computed(() => (mode.value === "clock" ? snapped(chosenMs.value, clock.nowMs, bounds.value) : null));
  const deadlineAt = computed(() => (expiresAt.value === null ? null : deadlineOf(expiresAt.value, bounds.value)));
  const fault = computed<ExpiryFault | null>(() => {
    if (!symbols.selected) return null;
    if (mode.value === "clock") return expiresAt.value === null ? "outside_session" : null;
    const { minS, maxS, sessionEndMs } = bounds.value;
    if (preferences.durationS < minS || preferences.durationS > maxS) return "out_of_range";
    return sessionEndMs !== null && second.value + preferences.durationS * 1000 > sessionEndMs ? "outside_session" : null;
  });

  // A choice whose deadline passed goes on to the next; the page says so until something else is chosen.
  watch(expiresAt, (to) => {
    const from = chosenMs.value;
    if (to === null || from === to) return;
    moved.value = from === null ? null : { from, to };
    chosenMs.value = to;
  }, { immediate: true });
  watch([() => preferences.symbol, mode], () => (moved.value = null));

  function choose(at: number): void {
    moved.value = null;
    chosenMs.value = at;
  }

  /** The next longer or shorter of what is offered. */
  function step(direction: 1 | -1, durations: readonly number[]): void {
    if (mode.value === "clock") {
      const now = expiresAt.value ?? 0;
      const next = direction === 1 ? choices.value.find((at) => at > now) : choices.value.findLast((at) => at < now);
      if (next !== undefined) choose(next);
      return;
    }
    const now = preferences.durationS;
    const next = direction === 1 ? durations.find((each) => each > now) : durations.findLast((each) => each < now);
    if (next !== undefined) preferences.durationS = next;
  }

  return { mode, bounds, choices, sessionEnd, expiresAt, deadlineAt, fault, moved, choose, step };
});
