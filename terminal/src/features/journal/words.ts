import { addWords } from "@/i18n";

/** Bring the words of the journal, which trading does not wait for. */
export function bringJournalWords(): Promise<void> {
  return addWords("journal", {
    en: async () => (await import("@/i18n/en/journal")).journal,
    ru: async () => (await import("@/i18n/ru/journal")).journal,
    es: async () => (await import("@/i18n/es/journal")).journal,
  });
}
