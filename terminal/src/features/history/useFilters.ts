import { computed, type WritableComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

/**
 * Filters that live in the address: a link to the page is a link to what it shows, and Back takes a filter back.
 * `defaults` holds each filter's name and its value when the address does not name it.
 */
export function useFilters<K extends string>(defaults: Record<K, string>) {
  const [route, router] = [useRoute(), useRouter()];
  const names = Object.keys(defaults) as K[];

  const values = computed<Record<K, string>>(() => {
    const found = { ...defaults };
    for (const name of names) {
      const given = route.query[name];
      if (typeof given === "string") found[name] = given;
    }
    return found;
  });

  async function set(changes: Partial<Record<K, string>>): Promise<void> {
    const next: Record<string, string> = {};
    for (const name of names) {
      const value = changes[name] ?? values.value[name];
      if (value !== defaults[name]) next[name] = value;
    }
    await router.replace({ query: next, hash: route.hash });
  }

  const field = (name: K): WritableComputedRef<string> =>
    computed({ get: () => values.value[name], set: (value) => void set({ [name]: value } as Partial<Record<K, string>>) });

  const narrowed = computed(() => names.some((name) => values.value[name] !== defaults[name]));
  const clear = (): Promise<void> => set(defaults);
  return { values, set, field, narrowed, clear };
}
