import { onScopeDispose, ref, type Ref } from "vue";

/** Whether a media query holds, kept current. */
export function useMediaQuery(query: string): Readonly<Ref<boolean>> {
  const list = matchMedia(query);
  const holds = ref(list.matches);
  const update = (): void => {
    holds.value = list.matches;
  };
  list.addEventListener("change", update);
  onScopeDispose(() => { list.removeEventListener("change", update); });
  return holds;
}
