import { onMounted, onScopeDispose, ref, shallowRef } from "vue";

/**
 * Read something again and again while the page is seen. What was read last stays when a reading fails; readings never
 * overlap, and a slow server is asked less often.
 */
export function usePoll<T>(read: () => Promise<T>, everyMs: number) {
  const value = shallowRef<T | null>(null);
  const failed = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let newest = 0;
  let ended = false;

  function later(): void {
    clearTimeout(timer);
    if (!ended && !document.hidden) timer = setTimeout(() => void load(), everyMs);
  }

  /** Read now; an answer to an earlier question is dropped. */
  async function load(): Promise<void> {
    newest += 1;
    const own = newest;
    clearTimeout(timer);
    try {
      const found = await read();
      if (own !== newest || ended) return;
      value.value = found;
      failed.value = false;
    } catch {
      if (own !== newest || ended) return;
      failed.value = true;
    }
    later();
  }

  /** Forget what was read and read anew: the question has changed. */
  function restart(): Promise<void> {
    value.value = null;
    failed.value = false;
    return load();
  }

  function seen(): void {
    if (document.hidden) clearTimeout(timer);
    else void load();
  }

  onMounted(() => {
    document.addEventListener("visibilitychange", seen);
    void load();
  });
  onScopeDispose(() => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  });
  return { value, failed, load, restart };
}
