import { computed, onMounted, onScopeDispose, ref, watch, type ComputedRef, type Ref } from "vue";

const EXTRA_ROWS = 6;
const UNMEASURED_PX = 800;

export interface Slice {
  from: number;
  to: number;
  /** Height of what is left out above and below. */
  before: number;
  after: number;
}

/** Which rows of a long list are in sight, all of one height; pure. */
export function sliceOf(count: number, rowPx: number, scrolledPx: number, viewPx: number): Slice {
  const from = Math.min(count, Math.max(0, Math.floor(scrolledPx / rowPx) - EXTRA_ROWS));
  const to = Math.max(from, Math.min(count, Math.ceil((scrolledPx + viewPx) / rowPx) + EXTRA_ROWS));
  return { from, to, before: from * rowPx, after: (count - to) * rowPx };
}

function scrollerOf(element: HTMLElement): HTMLElement {
  for (let each = element.parentElement; each; each = each.parentElement) {
    if (/(auto|scroll)/.test(getComputedStyle(each).overflowY)) return each;
  }
  return document.documentElement;
}

/** Draw only the rows of a list that are in sight of what scrolls around it. */
export function useSlice(list: Readonly<Ref<HTMLElement | null>>, count: () => number, rowPx: () => number): ComputedRef<Slice> {
  const scrolled = ref(0);
  const view = ref(UNMEASURED_PX);
  let scroller: HTMLElement | null = null;
  let observer: ResizeObserver | null = null;

  function measure(): void {
    if (!scroller || !list.value) return;
    const top = list.value.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    // Whole rows only: a list that moves by a pixel draws nothing anew.
    scrolled.value = Math.floor(Math.max(0, -top) / rowPx()) * rowPx();
    view.value = scroller.clientHeight || UNMEASURED_PX;
  }

  function attach(): void {
    detach();
    if (!list.value) return;
    scroller = scrollerOf(list.value);
    scroller.addEventListener("scroll", measure, { passive: true });
    observer = new ResizeObserver(measure);
    observer.observe(scroller);
    measure();
  }

  function detach(): void {
    scroller?.removeEventListener("scroll", measure);
    observer?.disconnect();
    scroller = observer = null;
  }

  onMounted(attach);
  watch(list, attach);
  onScopeDispose(detach);
  return computed(() => sliceOf(count(), rowPx(), scrolled.value, view.value));
}
