import { defineStore } from "pinia";
import { ref } from "vue";

/** Which windows of the frame are open; any part of the page may open them. */
export const useShell = defineStore("shell", () => {
  const keysOpen = ref(false);
  const moreOpen = ref(false);
  /** The step of the newcomer's tour, from 0; null while it does not run. */
  const tourStep = ref<number | null>(null);
  const startTour = (): void => { tourStep.value = 0; };
  return { keysOpen, moreOpen, tourStep, startTour };
});
