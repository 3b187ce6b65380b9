import { ref, shallowRef } from "vue";
import { ApiProblem } from "@/api/problem";

export type ResourceState = "loading" | "ready" | "missing" | "failed";

/** Read one document: what came, or that this server does not offer it, or that it did not answer. */
export function useResource<T>(read: () => Promise<T>) {
  const state = ref<ResourceState>("loading");
  const value = shallowRef<T | null>(null);
  let newest = 0;

  async function begin(): Promise<void> {
    newest += 1;
    const own = newest;
    state.value = "loading";
    try {
      const found = await read();
      if (own !== newest) return;
      value.value = found;
      state.value = "ready";
    } catch (error) {
      if (own !== newest) return;
      state.value = error instanceof ApiProblem && error.status === 404 ? "missing" : "failed";
    }
  }

  return { state, value, begin };
}
