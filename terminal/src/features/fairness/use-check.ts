import { onUnmounted, ref, shallowRef } from "vue";
import { verifierStart, type Run } from "./verifier";
import type { Report } from "./verify/report";
import type { InputFile } from "./verify/verify";

export type CheckState = "idle" | "fetching" | "working" | "done" | "stopped" | "not-found";

/** One check at a time: a new one ends the one before. */
export function useCheck<T extends InputFile>() {
  const state = ref<CheckState>("idle");
  const share = ref(0);
  const report = shallowRef<Report | null>(null);
  const files = shallowRef<T[]>([]);
  let running: Run | null = null;
  let newest = 0;

  function clear(): void {
    running?.stop();
    running = null;
    newest += 1;
    state.value = "idle";
    report.value = null;
    files.value = [];
  }

  async function run(read: () => Promise<T[]>): Promise<void> {
    clear();
    const own = newest;
    state.value = "fetching";
    try {
      const found = await read();
      if (own !== newest) return;
      files.value = found;
    } catch {
      if (own === newest) state.value = "not-found";
      return;
    }
    await verify(own);
  }

  async function verify(own: number): Promise<void> {
    state.value = "working";
    share.value = 0;
    try {
      running = verifierStart(files.value, (done) => (share.value = done));
      const made = await running.report;
      if (own !== newest) return;
      report.value = made;
      state.value = "done";
    } catch {
      if (own === newest) state.value = "stopped";
    }
  }

  onUnmounted(clear);
  return { state, share, report, files, run, clear };
}
