import { addWords } from "@/i18n";

/** Bring the words of the account's pages and of logging in by passkey, which trading does not wait for. */
export function bringAccountWords(): Promise<void> {
  return addWords("account", {
    en: async () => {
      const [{ limits }, { security }, { developer }] = await Promise.all([import("@/i18n/en/limits"), import("@/i18n/en/security"), import("@/i18n/en/developer")]);
      return { ...limits, ...security, ...developer };
    },
    ru: async () => {
      const [{ limits }, { security }, { developer }] = await Promise.all([import("@/i18n/ru/limits"), import("@/i18n/ru/security"), import("@/i18n/ru/developer")]);
      return { ...limits, ...security, ...developer };
    },
    es: async () => {
      const [{ limits }, { security }, { developer }] = await Promise.all([import("@/i18n/es/limits"), import("@/i18n/es/security"), import("@/i18n/es/developer")]);
      return { ...limits, ...security, ...developer };
    },
  });
}
