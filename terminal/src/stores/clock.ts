import { defineStore } from "pinia";
import { ref } from "vue";
import { serverTime } from "@/api/trading";
import { ServerClock } from "@/lib/server-clock";
import { parseInstant } from "@/lib/time";

const TICK_MS = 100;
const RESYNC_MS = 60_000;
const FIRST_SAMPLES = 3;

/** The server's time as the page sees it, renewed ten times a second while the page is visible. */
export const useClock = defineStore("clock", () => {
  const clock = new ServerClock();
  const nowMs = ref(clock.now());
  let ticker: ReturnType<typeof setInterval> | null = null;
  let resync: ReturnType<typeof setInterval> | null = null;

  function refresh(): void {
    if (!document.hidden) nowMs.value = clock.now();
  }

  async function sample(): Promise<void> {
    const sentAt = performance.now();
    try {
      clock.sample(parseInstant(await serverTime()), sentAt, performance.now());
      refresh();
    } catch {
      // Without an answer the last sample stays good: the clock runs on monotonic time.
      return;
    }
  }

  async function start(): Promise<void> {
    if (ticker !== null) return;
    ticker = setInterval(refresh, TICK_MS);
    resync = setInterval(() => void sample(), RESYNC_MS);
    document.addEventListener("visibilitychange", refresh);
    for (let each = 0; each < FIRST_SAMPLES; each += 1) await sample();
  }

  function stop(): void {
    if (ticker !== null) clearInterval(ticker);
    if (resync !== null) clearInterval(resync);
    ticker = resync = null;
    document.removeEventListener("visibilitychange", refresh);
  }

  return { nowMs, start, stop, resync: sample, now: () => clock.now() };
});
