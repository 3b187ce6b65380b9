import type { Order } from "@/api/schema";
import { compareAmounts } from "@/lib/money";

export const SORTS = ["ends", "newest", "asset", "stake"] as const;
export type Sort = (typeof SORTS)[number];
export const FILTERS = ["all", "asset", "up", "down"] as const;
export type Filter = (typeof FILTERS)[number];

/** Open orders come with the next expiry first; filtered and sorted they stand as the user wants to read them. */
export function viewOf(orders: readonly Order[], filter: Filter, sort: Sort, symbol: string): readonly Order[] {
  const kept = filter === "all" ? orders : orders.filter((order) => (filter === "asset" ? order.symbol === symbol : order.direction === filter));
  switch (sort) {
    case "ends": return kept;
    case "newest": return [...kept].sort((a, b) => (a.accepted_at < b.accepted_at ? 1 : a.accepted_at > b.accepted_at ? -1 : 0));
    case "asset": return [...kept].sort((a, b) => a.symbol.localeCompare(b.symbol));
    default: return [...kept].sort((a, b) => compareAmounts(b.stake, a.stake));
  }
}
