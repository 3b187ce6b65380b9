import { ref, shallowRef } from "vue";
import type { Page } from "@/api/schema";

/** Read a list page by page, newest first, keeping what was read; an answer to an earlier question is dropped. */
export function usePages<T>(read: (cursor?: string) => Promise<Page<T>>) {
  const rows = shallowRef<T[] | null>(null);
  const failed = ref(false);
  const busy = ref(false);
  const next = ref<string | null>(null);
  let newest = 0;

  async function load(cursor?: string): Promise<void> {
    newest += 1;
    const own = newest;
    busy.value = true;
    failed.value = false;
    try {
      const page = await read(cursor);
      if (own !== newest) return;
      rows.value = cursor === undefined ? page.data : [...(rows.value ?? []), ...page.data];
      next.value = page.next_cursor;
    } catch {
      if (own === newest) failed.value = true;
    } finally {
      if (own === newest) busy.value = false;
    }
  }

  const begin = (): Promise<void> => load();
  const more = (): Promise<void> => (next.value === null ? Promise.resolve() : load(next.value));
  return { rows, failed, busy, next, begin, more };
}
