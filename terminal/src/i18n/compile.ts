import type { MessageContext, MessageFunction } from "vue-i18n";

type Context = MessageContext<string>;
type Part = string | { hole: string };
export interface Words {
  [key: string]: string | Words;
}
export interface Spoken {
  [key: string]: MessageFunction<string> | Spoken;
}

const HOLE = /\{(\w+)\}/;

/** Every other part of a text split at its holes is the name of one. */
function partsOf(form: string): Part[] {
  return form.split(HOLE).map((part, at) => (at % 2 === 0 ? part : { hole: part }));
}

function filled(parts: readonly Part[], context: Context): string {
  return parts.map((part) => (typeof part === "string" ? part : String(context.named(part.hole) ?? ""))).join("");
}

/** A message is read when it is first said: most of a language never is in one visit. */
function message(text: string): MessageFunction<string> {
  let forms: Part[][] | undefined;
  return (context: Context) => {
    forms ??= text.split("|").map((form) => partsOf(form.trim()));
    const said = forms.map((form) => filled(form, context));
    return said.length === 1 ? (said[0] ?? "") : context.plural(said);
  };
}

/**
 * Words as functions that say them: text with holes such as `{name}`, its plural forms between bars.
 *
 * This is all that our messages know; the library's own compiler knows more and weighs several kilobytes on every visit.
 */
export function spoken(words: Words): Spoken {
  return Object.fromEntries(Object.entries(words).map(([key, each]) => [key, typeof each === "string" ? message(each) : spoken(each)]));
}
