import { createI18n } from "vue-i18n";
import { spoken, type Words } from "./compile";
import type { en } from "./en";

export type Messages = typeof en;
export const LOCALES = ["en", "ru", "es"] as const;
export type Locale = (typeof LOCALES)[number];
type Loader = () => Promise<Words>;
type Loaders = Record<Locale, Loader>;

/** Each language by its own name, as its readers look for it. */
export const LOCALE_NAMES: Record<Locale, string> = { en: "English", ru: "Русский", es: "Español" };

/** Russian forms stand as one, few, many: 1 ордер, 2 ордера, 5 ордеров. */
export function russianForm(count: number, forms: number): number {
  const [tens, ones] = [count % 100, count % 10];
  const form = tens > 10 && tens < 20 ? 2 : ones === 1 ? 0 : ones > 1 && ones < 5 ? 1 : 2;
  return Math.min(form, forms - 1);
}

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: "en",
  fallbackLocale: "en",
  messages: {} as Record<Locale, Messages>,
  pluralRules: { ru: russianForm },
  missingWarn: false,
  fallbackWarn: false,
});

const core: Loaders = {
  en: async () => (await import("./en")).en,
  ru: async () => (await import("./ru")).ru,
  es: async () => (await import("./es")).es,
};
const pages = new Map<string, Loaders>();
const loaded = new Set<string>();

async function load(locale: Locale, name: string, loaders: Loaders): Promise<void> {
  const key = `${locale} ${name}`;
  if (loaded.has(key)) return;
  i18n.global.mergeLocaleMessage(locale, spoken(await loaders[locale]()));
  loaded.add(key);
}

/** The language the browser asks for first among those there are. */
export function firstLocale(wanted: readonly string[] = navigator.languages): Locale {
  for (const tag of wanted) {
    const found = LOCALES.find((each) => tag.toLowerCase().split("-")[0] === each);
    if (found) return found;
  }
  return "en";
}

/** Bring the words of a language and show it; when they cannot be had, the language stays as it is, or English. */
export async function setLocale(locale: Locale): Promise<void> {
  try {
    await Promise.all([load(locale, "", core), ...[...pages].map(([name, loaders]) => load(locale, name, loaders))]);
  } catch {
    if (locale !== "en" && !loaded.has(`${i18n.global.locale.value} `)) await setLocale("en");
    return;
  }
  i18n.global.locale.value = locale;
  document.documentElement.lang = locale;
}

/** Words that come with a page of their own, in the language shown now and in those chosen later. */
export async function addWords(name: string, loaders: Loaders): Promise<void> {
  pages.set(name, loaders);
  await load(i18n.global.locale.value, name, loaders);
}
