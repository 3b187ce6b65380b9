import { addWords } from "@/i18n";

/** Bring the words of an order's page and of the journal, which trading does not wait for. */
export function bringOrderWords(): Promise<void> {
  return addWords("order", {
    en: async () => (await import("@/i18n/en/order")).order,
    ru: async () => (await import("@/i18n/ru/order")).order,
    es: async () => (await import("@/i18n/es/order")).order,
  });
}
