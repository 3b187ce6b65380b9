/** Tags as the server keeps them. */

export const TAGS_MAX = 10;
export const TAG_LENGTH_MAX = 24;
export const NOTE_LENGTH_MAX = 2000;

/** The name by which a tag is known: in small letters, with single spaces. */
export function tagNamed(text: string): string {
  return text.normalize("NFC").toLowerCase().split(/\s+/).filter((part) => part !== "").join(" ");
}

/** The server counts characters as code points. */
export const lengthOf = (text: string): number => [...text].length;

export function tagFault(name: string, count: number): "" | "tooMany" | "tooLong" {
  if (count >= TAGS_MAX) return "tooMany";
  return lengthOf(name) > TAG_LENGTH_MAX ? "tooLong" : "";
}
