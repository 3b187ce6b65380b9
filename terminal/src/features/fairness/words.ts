import { useI18n } from "vue-i18n";
import { i18n } from "@/i18n";
import { fairness } from "@/i18n/en/fairness";
import { verify } from "@/i18n/en/verify";

i18n.global.mergeLocaleMessage("en", { fairness: { ...fairness, verify } });

/** The words of the terminal and, below `fairness`, those of this page. */
export function useWords() {
  const { t, te } = useI18n();
  /** A sentence of the page by its key. */
  const f = (key: string, values: Record<string, unknown> = {}): string =>
    typeof values["count"] === "number" ? t(`fairness.${key}`, values, values["count"]) : t(`fairness.${key}`, values);
  /** A word that the terminal has for something, or the thing's own name. */
  const named = (key: string, name: string): string => (te(`${key}.${name}`, "en") ? t(`${key}.${name}`) : name.replaceAll("_", " "));
  return { t, f, named };
}
