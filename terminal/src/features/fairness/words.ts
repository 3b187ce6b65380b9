import { useI18n } from "vue-i18n";
import { addWords } from "@/i18n";

/** Bring the words of the page, which trading does not wait for. */
export function bringWords(): Promise<void> {
  return addWords("fairness", {
    en: async () => ({ fairness: { ...(await import("@/i18n/en/fairness")).fairness, ...(await import("@/i18n/en/fairness_more")).fairnessMore, verify: (await import("@/i18n/en/verify")).verify } }),
    ru: async () => ({ fairness: { ...(await import("@/i18n/ru/fairness")).fairness, ...(await import("@/i18n/ru/fairness_more")).fairnessMore, verify: (await import("@/i18n/ru/verify")).verify } }),
    es: async () => ({ fairness: { ...(await import("@/i18n/es/fairness")).fairness, ...(await import("@/i18n/es/fairness_more")).fairnessMore, verify: (await import("@/i18n/es/verify")).verify } }),
  });
}

/** The words of the terminal and, below `fairness`, those of this page. */
export function useWords() {
  const { t, te } = useI18n();
  /** A sentence of the page by its key. */
  const f = (key: string, values: Record<string, unknown> = {}): string =>
    typeof values["count"] === "number" ? t(`fairness.${key}`, values, values["count"]) : t(`fairness.${key}`, values);
  /** A word that the terminal has for something, or the thing's own name. */
  const named = (key: string, name: string): string => (te(`${key}.${name}`) ? t(`${key}.${name}`) : name.replaceAll("_", " "));
  return { t, f, named };
}
