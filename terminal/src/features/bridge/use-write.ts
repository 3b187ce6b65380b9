import { ref } from "vue";
import { useI18n } from "vue-i18n";
import { fieldFaults } from "@/lib/fault-words";
import { ReauthDeclined } from "../security/reauth";
import { bridgeFault } from "./faults";
import { freshly } from "./fresh";

/** One write at a time: what was refused stands in words, by field where the server named one, and what was typed stays. */
export function useWrite() {
  const { t } = useI18n();
  const busy = ref(false);
  const refusal = ref("");
  const faults = ref<Record<string, string>>({});

  function clear(): void {
    refusal.value = "";
    faults.value = {};
  }

  /** True when it was done; a proof of identity that was not given is no failure. */
  async function run(call: () => Promise<void>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    clear();
    try {
      await freshly(call);
      return true;
    } catch (error) {
      if (error instanceof ReauthDeclined) return false;
      faults.value = fieldFaults(error);
      refusal.value = bridgeFault(error, t);
      return false;
    } finally {
      busy.value = false;
    }
  }

  const fault = (field: string): string => faults.value[field] ?? "";
  return { busy, refusal, faults, fault, run, clear };
}
