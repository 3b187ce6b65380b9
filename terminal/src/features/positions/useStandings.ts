import { computed, type ComputedRef } from "vue";
import type { Order } from "@/api/schema";
import { parseInstant } from "@/lib/time";
import { useClock } from "@/stores/clock";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";
import { useOrders } from "@/stores/orders";
import { useSymbols } from "@/stores/symbols";
import { useWallets } from "@/stores/wallets";
import { standingOf, sumOf, type Standing } from "./standing";

export interface OpenRow {
  order: Order;
  standing: Standing;
  price: string | null;
  ageMs: number;
  scale: number;
  leftMs: number;
  lengthMs: number;
}

/** The open orders of the chosen account with their time left and what they would come to now. */
export function useStandings(): { rows: ComputedRef<OpenRow[]>; sum: ComputedRef<string | null> } {
  const [clock, connection, market] = [useClock(), useConnection(), useMarket()];
  const [orders, symbols, wallets] = [useOrders(), useSymbols(), useWallets()];

  function rowOf(order: Order): OpenRow {
    const symbol = symbols.byCode.get(order.symbol);
    const price = symbol ? (market.lastTick(symbol)?.price ?? null) : null;
    const ageMs = symbol ? (market.ageMs(symbol) ?? 0) : 0;
    const late = symbol ? ageMs > symbol.max_tick_age_ms : true;
    const expiresMs = parseInstant(order.expires_at);
    const scale = symbol?.price_scale ?? 5;
    const standing = standingOf({ order, price, scale, late, nowMs: clock.nowMs, expiresMs, cutOff: connection.cutOff });
    return { order, standing, price, ageMs, scale, leftMs: expiresMs - clock.nowMs, lengthMs: expiresMs - parseInstant(order.accepted_at) };
  }

  const rows = computed(() => orders.open.map(rowOf));
  const sum = computed(() => sumOf(rows.value.map((row) => row.standing), wallets.scale));
  return { rows, sum };
}
