import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";
import { resettlementsList, type Resettlement } from "@/api/fairness";

/** The newest nightly re-settlement, for the foot of the page. Nothing is shown that the server did not say. */
export const useEvidence = defineStore("evidence", () => {
  const newest = shallowRef<Resettlement | null>(null);
  const known = ref(false);

  async function read(): Promise<void> {
    try {
      newest.value = (await resettlementsList()).data[0] ?? null;
      known.value = true;
    } catch {
      known.value = false;
    }
  }

  return { newest, known, read };
});
