import { describe, expect, it } from "vitest";
import { LOCALES, russianForm, type Locale } from ".";

type Tree = { [key: string]: string | Tree };
const files = import.meta.glob<Record<string, Tree>>("./{en,ru,es}/*.ts", { eager: true });
/** One, few and many in Russian; elsewhere one and more, or none, one and more. */
const FORMS: Record<Locale, readonly number[]> = { en: [2, 3], ru: [3], es: [2, 3] };

function flat(tree: Tree, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] => (typeof value === "string" ? [[path + key, value]] : flat(value, `${path}${key}.`)));
}

/** All texts of a file of words in a language, by their keys. */
function textsOf(locale: Locale, file: string): Map<string, string> {
  const words = files[`./${locale}/${file}.ts`];
  return new Map(flat((words?.[file] ?? {}) as Tree));
}

/** A file that passes the English words on is one that waits for its translation. */
const waits = (locale: Locale, file: string): boolean => locale !== "en" && files[`./${locale}/${file}.ts`]?.[file] === files[`./en/${file}.ts`]?.[file];

const names = Object.keys(files).filter((path) => path.startsWith("./en/") && !path.endsWith("index.ts")).map((path) => path.slice("./en/".length, -".ts".length));
const holes = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name))].sort();
const forms = (text: string): string[] => text.split(" | ");

describe.each(names)("the words of %s", (name) => {
  const english = textsOf("en", name);

  it.each(LOCALES)("have the same keys in %s and none is empty", (locale) => {
    const texts = textsOf(locale, name);
    expect([...texts.keys()].sort()).toEqual([...english.keys()].sort());
    expect([...texts].filter(([, text]) => text.trim() === "").map(([key]) => key)).toEqual([]);
  });

  it.each(LOCALES)("have the same places for values in %s, in each plural form", (locale) => {
    const wrong = [...textsOf(locale, name)].filter(([key, text]) => {
      const wanted = holes(english.get(key) ?? "");
      // The form for one may say the number as a word; no form may ask for a value that is never given.
      return holes(text).join() !== wanted.join() || forms(text).some((form) => holes(form).some((hole) => !wanted.includes(hole)));
    });
    expect(wrong.map(([key]) => key)).toEqual([]);
  });

  it.each(LOCALES)("know no other syntax than holes and bars in %s: it would be shown as it stands", (locale) => {
    const wrong = [...textsOf(locale, name)].filter(([, text]) => /[{}]/.test(text.replace(/\{\w+\}/g, "")) || /@[:.]/.test(text));
    expect(wrong.map(([key]) => key)).toEqual([]);
  });

  it.each(LOCALES)("count their plural forms in %s", (locale) => {
    if (waits(locale, name)) return;
    const wrong = [...textsOf(locale, name)].filter(([key, text]) => {
      const plural = forms(english.get(key) ?? "").length > 1;
      return !(plural ? FORMS[locale] : [1]).includes(forms(text).length);
    });
    expect(wrong.map(([key]) => key)).toEqual([]);
  });

  it.for(["ru", "es"] as const)("are translated in %s", (locale, { skip }) => {
    if (waits(locale, name)) skip("not translated yet");
    const texts = textsOf(locale, name);
    const longer = [...english].filter(([, text]) => text.split(" ").length > 4);
    expect(longer.filter(([key, text]) => texts.get(key) === text).map(([key]) => key)).toEqual([]);
  });
});

describe("the Russian plural", () => {
  it("knows one, few and many", () => {
    const of = (count: number): number => russianForm(count, 3);
    expect([1, 21, 101].map(of)).toEqual([0, 0, 0]);
    expect([2, 3, 4, 22].map(of)).toEqual([1, 1, 1, 1]);
    expect([0, 5, 11, 12, 14, 20, 111].map(of)).toEqual([2, 2, 2, 2, 2, 2, 2]);
  });
});
