import type { SymbolRecord } from "@/api/schema";

export const OWN_GROUPS = ["all", "favourites", "recent"] as const;
export type AssetSort = "payout" | "name" | "own";

/** The classes of assets on offer, in the order they come. */
export function groupsOf(symbols: readonly SymbolRecord[]): string[] {
  return [...new Set(symbols.map((symbol) => symbol.asset_class))];
}

/** Find assets by code or name: codes that begin with the words first, then by payout or name; `own` keeps the order given. */
export function searchSymbols(symbols: readonly SymbolRecord[], query: string, group: string, sort: AssetSort = "payout"): SymbolRecord[] {
  const words = query.trim().toLowerCase();
  const rank = (symbol: SymbolRecord): number => (symbol.code.toLowerCase().startsWith(words) ? 0 : 1);
  const found = symbols
    .filter((symbol) => (OWN_GROUPS as readonly string[]).includes(group) || symbol.asset_class === group)
    .filter((symbol) => `${symbol.code} ${symbol.name}`.toLowerCase().includes(words));
  if (sort === "own") return found;
  return found.sort((a, b) => rank(a) - rank(b) || (sort === "payout" ? b.payout_percent - a.payout_percent : 0) || a.code.localeCompare(b.code));
}

/** A list with one of its items moved to another place; a place outside leaves it as it is. */
export function movedTo<T>(list: readonly T[], item: T, place: number): T[] {
  const from = list.indexOf(item);
  if (from < 0 || place < 0 || place >= list.length) return [...list];
  const rest = list.filter((each) => each !== item);
  return [...rest.slice(0, place), item, ...rest.slice(place)];
}
