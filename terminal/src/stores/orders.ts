import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { ordersList, ordersOpen } from "@/api/trading";
import type { Order } from "@/api/schema";
import { usePreferences } from "./preferences";

const RECENT_KEPT = 50;
const SETTLED_KEPT = 200;

// Instants on the wire have one width, so they sort as text; parsing each in a comparison costs a burst its frame.
const settledAt = (order: Order): string => order.settled_at ?? order.expires_at;
const later = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0);

/** Forget the oldest settled orders, so that a long session does not grow. */
function pruned(orders: Map<string, Order>): Map<string, Order> {
  if (orders.size <= 2 * SETTLED_KEPT) return orders;
  const settled = [...orders.values()].filter((order) => order.state !== "open").sort((a, b) => later(settledAt(a), settledAt(b)));
  for (const order of settled.slice(SETTLED_KEPT)) orders.delete(order.id);
  return orders;
}

/** Open and recently settled orders over all ledgers, each kept once by its id. */
export const useOrders = defineStore("orders", () => {
  const preferences = usePreferences();
  const byId = shallowRef(new Map<string, Order>());
  const loaded = ref(false);
  const lastSettled = shallowRef<Order | null>(null);

  const ofLedger = computed(() => [...byId.value.values()].filter((order) => order.ledger === preferences.ledger));
  const open = computed(() =>
    ofLedger.value
      .filter((order) => order.state === "open")
      .sort((a, b) => later(b.expires_at, a.expires_at) || later(b.id, a.id)),
  );
  const recent = computed(() =>
    ofLedger.value
      .filter((order) => order.state !== "open")
      .sort((a, b) => later(settledAt(a), settledAt(b)) || later(a.id, b.id))
      .slice(0, RECENT_KEPT),
  );
  const openOnSymbol = computed(() => (code: string) => open.value.filter((order) => order.symbol === code));

  async function read(): Promise<void> {
    const [stillOpen, real, demo] = await Promise.all([
      ordersOpen(),
      ordersList({ state: "settled", ledger: "real", limit: RECENT_KEPT }),
      ordersList({ state: "settled", ledger: "demo", limit: RECENT_KEPT }),
    ]);
    const all = [...real.data, ...demo.data, ...stillOpen];
    byId.value = new Map(all.map((order) => [order.id, order]));
    loaded.value = true;
  }

  /** Take an order as an event or an answer tells it; a settled one never opens again. */
  function apply(order: Order): void {
    const known = byId.value.get(order.id);
    if (known && known.state !== "open") return;
    byId.value = pruned(new Map(byId.value).set(order.id, order));
    if (order.state !== "open") lastSettled.value = order;
  }

  function clear(): void {
    byId.value = new Map();
    loaded.value = false;
    lastSettled.value = null;
  }

  return { byId, loaded, lastSettled, open, recent, openOnSymbol, read, apply, clear };
});
