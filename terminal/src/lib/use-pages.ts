import { ref, shallowRef } from "vue";
import type { Page } from "@/api/schema";

/** Read a list page by page, newest first, keeping what was read. */
export function usePages<T>(read: (cursor?: string) => Promise<Page<T>>) {
  const rows = shallowRef<T[] | null>(null);
  const failed = ref(false);
  const busy = ref(false);
  const next = ref<string | null>(null);

  async function load(cursor?: string): Promise<void> {
    busy.value = true;
    failed.value = false;
    try {
      const page = await read(cursor);
      rows.value = cursor === undefined ? page.data : [...(rows.value ?? []), ...page.data];
      next.value = page.next_cursor;
    } catch {
      failed.value = true;
    } finally {
      busy.value = false;
    }
  }

  const begin = (): Promise<void> => load();
  const more = (): Promise<void> => (next.value === null ? Promise.resolve() : load(next.value));
  return { rows, failed, busy, next, begin, more };
}
