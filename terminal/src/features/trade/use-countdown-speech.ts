import { watch, computed } from "vue";
import { useI18n } from "vue-i18n";
import { useFormats } from "@/lib/formats";
import { parseInstant } from "@/lib/time";
import { useAnnouncer } from "@/stores/announcer";
import { useClock } from "@/stores/clock";
import { useOrders } from "@/stores/orders";

const MARKS_S = [60, 30, 10];

/** Which open orders have just so many seconds left, of those that last longer than that; pure. */
export function marked<T extends { expires_at: string; accepted_at: string }>(orders: readonly T[], nowS: number): { left: number; orders: T[] } | null {
  for (const left of MARKS_S) {
    const at = orders.filter((order) => Math.ceil(parseInstant(order.expires_at) / 1000) - nowS === left && parseInstant(order.expires_at) - parseInstant(order.accepted_at) > (left + 2) * 1000);
    if (at.length > 0) return { left, orders: at };
  }
  return null;
}

/** Says aloud that an order has a minute, half a minute, ten seconds left; never each second. */
export function useCountdownSpeech(): void {
  const { t } = useI18n();
  const formats = useFormats();
  const [clock, orders, announcer] = [useClock(), useOrders(), useAnnouncer()];
  const nowS = computed(() => Math.floor(clock.nowMs / 1000));

  watch(nowS, (now) => {
    const due = marked(orders.open, now);
    const first = due?.orders[0];
    if (!due || !first) return;
    const left = formats.duration(due.left);
    announcer.say(due.orders.length === 1
      ? t("positions.leftOne", { symbol: first.symbol, direction: t(`positions.direction.${first.direction}`), left })
      : t("positions.leftMany", { count: due.orders.length, left }, due.orders.length));
  });
}
