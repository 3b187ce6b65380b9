import { computed, onScopeDispose, ref, watch, type ComputedRef, type Ref } from "vue";
import type { Order } from "@/api/schema";
import { parseInstant } from "@/lib/time";
import { useClock } from "@/stores/clock";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";
import { useOrders } from "@/stores/orders";
import { useSymbols } from "@/stores/symbols";
import { useWallets } from "@/stores/wallets";
import { standingOf, sumOf, type Standing } from "./standing";

export interface OpenView {
  standing: ComputedRef<Standing>;
  price: ComputedRef<string | null>;
  late: ComputedRef<boolean>;
  ageMs: ComputedRef<number>;
  scale: ComputedRef<number>;
  /** Whole seconds left: what is drawn with it changes once a second, not ten times. */
  leftS: ComputedRef<number>;
  lengthS: ComputedRef<number>;
  expiresMs: ComputedRef<number>;
}

const SUM_EVERY_MS = 500;

function standingInput(order: Order, nowMs: number, cutOff: boolean) {
  const market = useMarket();
  const symbol = useSymbols().byCode.get(order.symbol);
  const tick = symbol ? market.lastTick(symbol) : null;
  const late = symbol && tick ? nowMs - tick.atMs > symbol.max_tick_age_ms : true;
  return { order, price: tick?.price ?? null, scale: symbol?.price_scale ?? 5, nowMs, expiresMs: parseInstant(order.expires_at), late, cutOff };
}

/** An open order with its time left and what it would come to now; each part changes only when its own words do. */
export function useStanding(order: () => Order): OpenView {
  const [clock, connection, market, symbols] = [useClock(), useConnection(), useMarket(), useSymbols()];
  const symbol = computed(() => symbols.byCode.get(order().symbol));
  const scale = computed(() => symbol.value?.price_scale ?? 5);
  const tick = computed(() => (symbol.value ? market.lastTick(symbol.value) : null));
  const price = computed(() => tick.value?.price ?? null);
  const expiresMs = computed(() => parseInstant(order().expires_at));
  const expired = computed(() => clock.nowMs >= expiresMs.value);
  const late = computed(() => (symbol.value && tick.value ? clock.nowMs - tick.value.atMs > symbol.value.max_tick_age_ms : true));
  const ageMs = computed(() => (late.value && tick.value ? Math.floor((clock.nowMs - tick.value.atMs) / 1000) * 1000 : 0));
  const standing = computed(() => standingOf({ order: order(), price: price.value, scale: scale.value, nowMs: expired.value ? expiresMs.value : 0, expiresMs: expiresMs.value, late: late.value, cutOff: connection.cutOff }));
  return {
    standing, price, late, ageMs, scale, expiresMs,
    leftS: computed(() => Math.max(0, Math.ceil((expiresMs.value - clock.nowMs) / 1000))),
    lengthS: computed(() => Math.round((expiresMs.value - parseInstant(order().accepted_at)) / 1000)),
  };
}

/** What all open orders would come to, twice a second at most: nobody reads it faster, and there may be hundreds. */
export function useOpenSum(): Ref<string | null> {
  const [clock, connection, orders, wallets] = [useClock(), useConnection(), useOrders(), useWallets()];
  const sum = ref<string | null>(null);
  function count(): void {
    if (document.hidden) return;
    const [now, cutOff] = [clock.now(), connection.cutOff];
    sum.value = sumOf(orders.open.map((order) => standingOf(standingInput(order, now, cutOff))), wallets.scale);
  }
  const timer = setInterval(count, SUM_EVERY_MS);
  watch(() => orders.open.length, count, { immediate: true });
  onScopeDispose(() => { clearInterval(timer); });
  return sum;
}
