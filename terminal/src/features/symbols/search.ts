import type { SymbolRecord } from "@/api/schema";

/** The classes of assets on offer, in the order they come. */
export function groupsOf(symbols: readonly SymbolRecord[]): string[] {
  return [...new Set(symbols.map((symbol) => symbol.asset_class))];
}

/** Find assets by code or name: codes that begin with the words first, then by payout, then by code. */
export function searchSymbols(symbols: readonly SymbolRecord[], query: string, group: string): SymbolRecord[] {
  const words = query.trim().toLowerCase();
  const rank = (symbol: SymbolRecord): number => (symbol.code.toLowerCase().startsWith(words) ? 0 : 1);
  return symbols
    .filter((symbol) => group === "all" || symbol.asset_class === group)
    .filter((symbol) => `${symbol.code} ${symbol.name}`.toLowerCase().includes(words))
    .sort((a, b) => rank(a) - rank(b) || b.payout_percent - a.payout_percent || a.code.localeCompare(b.code));
}
