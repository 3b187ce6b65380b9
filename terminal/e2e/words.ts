/** The words of two languages, as patterns of what they look like on a page. */

import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

type Tree = { [key: string]: string | Tree };

const FOLDER = resolve(import.meta.dirname, "../src/i18n");

async function messages(locale: string): Promise<string[]> {
  const found: string[] = [];
  const walk = (tree: Tree): void => {
    for (const each of Object.values(tree)) {
      if (typeof each === "string") found.push(...each.split(" | "));
      else walk(each);
    }
  };
  for (const file of readdirSync(join(FOLDER, locale))) {
    if (file === "index.ts") continue;
    const words = (await import(pathToFileURL(join(FOLDER, locale, file)).href)) as Record<string, Tree>;
    for (const each of Object.values(words)) walk(each);
  }
  return found;
}

function pattern(message: string): RegExp {
  const parts = message.split(/\{[^}]*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".{1,80}?")}$`);
}

/** A message that is nothing but places for figures says nothing about its language. */
const says = (message: string): boolean => /\p{L}{3}/u.test(message.replace(/\{[^}]*\}/g, ""));

/** Answers which of some texts are messages of one language and not of the other. */
export async function leftovers(of: string, shownIn: string): Promise<(texts: readonly string[]) => string[]> {
  const [own, foreign] = [await messages(shownIn), await messages(of)];
  const right = own.map(pattern);
  const known = new Set(own);
  // Two languages share a word or a name, hardly a sentence: one that stands in both was never translated.
  const untranslated = foreign.filter((message) => known.has(message) && (message.match(/\p{L}{2,}/gu)?.length ?? 0) > 3 && !/[<>:/]/.test(message)).map(pattern);
  const wrong = foreign.filter((message) => says(message) && !known.has(message)).map(pattern);
  // Screens have most of their texts in common.
  const judged = new Map<string, boolean>();
  const left = (text: string): boolean => untranslated.some((each) => each.test(text)) || (!known.has(text) && !right.some((each) => each.test(text)) && wrong.some((each) => each.test(text)));
  return (texts) => texts.filter((text) => {
    if (!judged.has(text)) judged.set(text, left(text));
    return judged.get(text);
  });
}
