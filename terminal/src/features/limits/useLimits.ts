import { computed, onMounted, onUnmounted, ref, shallowRef, watch } from "vue";
import { useI18n } from "vue-i18n";
import { limitsRead } from "@/api/limits";
import type { LimitName, Limits } from "@/api/schema";
import { useFormats } from "@/lib/formats";
import { parseInstant } from "@/lib/time";
import { useOrders } from "@/stores/orders";
import { useWallets } from "@/stores/wallets";
import { isMoney, type LimitValue } from "./choice";

const EVERY_MS = 60_000;

/** The limits as the server last told them; read again when orders change, each minute, and on return to the page. */
export function useLimits() {
  const orders = useOrders();
  const limits = shallowRef<Limits | null>(null);
  const failed = ref(false);
  let newest = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  async function load(): Promise<void> {
    newest += 1;
    const own = newest;
    failed.value = false;
    try {
      const found = await limitsRead();
      if (own === newest) limits.value = found;
    } catch {
      if (own === newest) failed.value = true;
    }
  }

  /** Take what the server answered to a change. */
  function take(found: Limits): void {
    newest += 1;
    limits.value = found;
  }

  function onVisible(): void {
    if (!document.hidden) void load();
  }

  onMounted(() => {
    void load();
    timer = setInterval(onVisible, EVERY_MS);
    document.addEventListener("visibilitychange", onVisible);
  });
  onUnmounted(() => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", onVisible);
  });
  watch([() => orders.lastSettled, () => orders.open.length], () => void load());

  return { limits, failed, load, take };
}

/** The words for values of limits and for instants, in the chosen language and zone. */
export function useLimitWords() {
  const { t } = useI18n();
  const wallets = useWallets();
  const formats = useFormats();
  const currency = computed(() => wallets.wallets?.find((each) => each.ledger === "real")?.currency ?? "USD");

  /** `100.00 USD`, `5 orders`, `60 minutes` or `No limit`. */
  function valued(name: LimitName, value: LimitValue): string {
    if (value === null) return t("limits.none");
    if (isMoney(name)) return `${formats.amount(String(value))} ${currency.value}`;
    const count = Number(value);
    return t(name === "session" ? "limits.minutes" : "limits.orders", { count: formats.count(count) }, count);
  }

  const moment = (ms: number): string => `${formats.date(ms)}, ${formats.clock(ms).slice(0, 5)} ${formats.zone(ms)}`;
  const instant = (text: string): string => moment(parseInstant(text));
  return { t, valued, moment, instant, currency };
}
