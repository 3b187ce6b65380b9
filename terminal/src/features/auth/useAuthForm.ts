import { ref } from "vue";
import { useI18n } from "vue-i18n";
import { faultsFrom, type Faults } from "./faults";

/** Send a form once at a time and keep what came back beside its fields. */
export function useAuthForm(fields: readonly string[]) {
  const { t } = useI18n();
  const busy = ref(false);
  const faults = ref<Faults>({ fields: {}, general: "" });

  async function send(check: () => Record<string, string>, call: () => Promise<void>): Promise<void> {
    if (busy.value) return;
    faults.value = { fields: check(), general: "" };
    if (Object.keys(faults.value.fields).length > 0) return;
    busy.value = true;
    try {
      await call();
    } catch (error) {
      faults.value = faultsFrom(error, fields, t);
    } finally {
      busy.value = false;
    }
  }

  const fault = (field: string): string => faults.value.fields[field] ?? "";
  return { busy, faults, send, fault };
}
