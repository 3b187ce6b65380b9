/** The little Markdown that the rules are written in: headings, paragraphs, lists, tables; bold and code within. */

export interface Span {
  text: string;
  kind: "plain" | "bold" | "code";
}

export type Block =
  | { kind: "heading"; spans: Span[] }
  | { kind: "paragraph"; spans: Span[] }
  | { kind: "list"; ordered: boolean; items: Span[][] }
  | { kind: "table"; head: Span[][]; rows: Span[][][] };

const ITEM = /^(?:[-*]|(\d+)\.) +(.*)$/;

/** Split a line into its plain, bold and code parts; links keep their words only. */
export function spansOf(line: string): Span[] {
  const text = line.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1");
  return [...text.matchAll(/\*\*(.+?)\*\*|`([^`]+)`|\*([^*]+)\*|([^*`]+|[*`])/g)].map(([, bold, code, slanted, plain]) => {
    if (bold !== undefined) return { text: bold.replaceAll("`", ""), kind: "bold" };
    if (code !== undefined) return { text: code, kind: "code" };
    return { text: slanted ?? plain ?? "", kind: "plain" };
  });
}

function cellsOf(line: string): Span[][] {
  return line.replace(/^\||\|$/g, "").split("|").map((cell) => spansOf(cell.trim()));
}

function listOf(lines: readonly string[]): Block {
  const items: string[] = [];
  let ordered = false;
  for (const line of lines) {
    const [found, number, words = ""] = ITEM.exec(line) ?? [];
    if (found === undefined) items.push(`${items.pop() ?? ""} ${line.trim()}`);
    else items.push(words);
    ordered ||= number !== undefined;
  }
  return { kind: "list", ordered, items: items.map(spansOf) };
}

/** The blocks between empty lines; one that is none of these is a paragraph. */
export function blocksOf(text: string): Block[] {
  const parts = text.split(/\n\s*\n/).map((part) => part.split("\n").filter((line) => line.trim() !== ""));
  return parts.flatMap((lines): Block[] => {
    const [first = "", second = ""] = lines;
    if (lines.length === 0) return [];
    if (first.startsWith("#")) return [{ kind: "heading", spans: spansOf(first.replace(/^#+ */, "")) }, ...blocksOf(lines.slice(1).join("\n"))];
    if (first.startsWith("|") && /^\|[-:| ]+\|$/.test(second)) return [{ kind: "table", head: cellsOf(first), rows: lines.slice(2).map(cellsOf) }];
    if (ITEM.test(first)) return [listOf(lines)];
    const itemAt = lines.findIndex((line) => ITEM.test(line));
    if (itemAt > 0) return [{ kind: "paragraph", spans: spansOf(lines.slice(0, itemAt).join(" ")) }, listOf(lines.slice(itemAt))];
    return [{ kind: "paragraph", spans: spansOf(lines.join(" ")) }];
  });
}
