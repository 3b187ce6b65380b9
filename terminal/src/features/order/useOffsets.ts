import { useI18n } from "vue-i18n";
import { useFormats } from "@/lib/formats";
import { MINUS } from "@/lib/money";

/** Distances in time as the receipt tells them: `−112 ms`, `+48 ms`, `60.000 s`. */
export function useOffsets() {
  const { t } = useI18n();
  const formats = useFormats();

  function length(ms: number): string {
    const whole = Math.abs(ms);
    return whole < 1000 ? t("order.ms", { n: whole }) : t("order.s", { n: formats.amount((whole / 1000).toFixed(3)) });
  }

  const offset = (ms: number): string => (ms === 0 ? t("order.ms", { n: 0 }) : `${ms < 0 ? MINUS : "+"}${length(ms)}`);
  return { length, offset };
}
