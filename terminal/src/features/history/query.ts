import type { Ledger, OrdersQuery } from "@/api/schema";
import { spanOf } from "./period";

export const RESULTS = ["settled", "open", "won", "lost", "tied", "refunded"] as const;
export const DEFAULTS = { result: "settled", symbol: "", direction: "", client: "", from: "", to: "" };
export type Filters = typeof DEFAULTS;

const isResult = (value: string): value is "won" | "lost" | "tied" | "refunded" => ["won", "lost", "tied", "refunded"].includes(value);

/** What the list of orders is asked for; words in the address that no filter knows are left out. */
export function ordersQuery(filters: Filters, ledger: Ledger, zone: string): OrdersQuery {
  const { result, symbol, direction, client } = filters;
  return {
    ledger,
    ...(isResult(result) ? { result } : { state: result === "open" ? ("open" as const) : ("settled" as const) }),
    ...(symbol === "" ? {} : { symbol }),
    ...(direction === "up" || direction === "down" ? { direction } : {}),
    ...(client === "" ? {} : { client_order_id: client }),
    ...spanOf(filters, zone),
  };
}
