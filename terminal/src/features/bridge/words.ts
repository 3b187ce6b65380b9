import { addWords } from "@/i18n";

/** Bring the words of the bridge, which no other page needs. */
export async function bringBridgeWords(): Promise<void> {
  await Promise.all([
    addWords("bridge", {
      en: async () => (await import("@/i18n/en/bridge")).bridge,
      ru: async () => (await import("@/i18n/ru/bridge")).bridge,
      es: async () => (await import("@/i18n/es/bridge")).bridge,
    }),
    addWords("hooks", {
      en: async () => (await import("@/i18n/en/hooks")).hooks,
      ru: async () => (await import("@/i18n/ru/hooks")).hooks,
      es: async () => (await import("@/i18n/es/hooks")).hooks,
    }),
    addWords("signals", {
      en: async () => (await import("@/i18n/en/signals")).signals,
      ru: async () => (await import("@/i18n/ru/signals")).signals,
      es: async () => (await import("@/i18n/es/signals")).signals,
    }),
  ]);
}
