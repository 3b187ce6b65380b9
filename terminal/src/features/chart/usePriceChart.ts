import { computed, onBeforeUnmount, onMounted, ref, shallowRef, watch, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { candlesRead } from "@/api/trading";
import type { SymbolRecord } from "@/api/schema";
import { intervalMs, type Candle, type Interval } from "@/lib/candles";
import { toPlotted, toScaled } from "@/lib/price";
import { useClock } from "@/stores/clock";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";
import { useOrders } from "@/stores/orders";
import { useQuotes } from "@/stores/quotes";
import { CandleFeed } from "./candle-feed";
import { onColours, readColours } from "./colours";
import { LightweightChart } from "./lightweight";
import { drawnOrder } from "./drawn-order";
import type { ChartPort } from "./port";

const CHECK_EVERY_MS = 10_000;
const SETTLED_DRAWN = 6;

export type ChartPhase = "loading" | "ready" | "empty" | "failed";

/** Keep a chart of one symbol and interval drawn in an element, from stored and live ticks. */
export function usePriceChart(element: Ref<HTMLElement | null>, symbol: SymbolRecord, interval: Interval, compact: boolean) {
  const { t } = useI18n();
  const [clock, connection, market, orders, quotes] = [useClock(), useConnection(), useMarket(), useOrders(), useQuotes()];
  const phase = ref<ChartPhase>("loading");
  const live = ref(true);
  const newest = shallowRef<readonly Candle[]>([]);
  const scale = symbol.price_scale;
  let chart: ChartPort | null = null;
  const stops: (() => void)[] = [];

  const feed = new CandleFeed({
    widthMs: intervalMs(interval),
    scale,
    read: (from, to) => candlesRead(symbol.code, interval, from, to),
    now: clock.now,
    newestMs: () => market.lastTick(symbol)?.atMs ?? null,
    onReset: (candles) => {
      chart?.setCandles(candles);
      newest.value = candles.slice(-20);
      phase.value = "ready";
    },
    onUpdate: (candle) => {
      chart?.update(candle);
      if (phase.value === "empty") phase.value = "ready";
    },
  });

  const drawnOrders = computed(() => {
    const settled = orders.recent.filter((order) => order.symbol === symbol.code).slice(0, SETTLED_DRAWN);
    return [...orders.openOnSymbol(symbol.code), ...settled].flatMap((order) => drawnOrder(order, scale, t) ?? []);
  });
  const last = computed(() => {
    const tick = market.lastTick(symbol);
    return tick ? { atMs: tick.atMs, price: toPlotted(toScaled(tick.price, scale), scale), late: market.word === "late" || connection.cutOff } : null;
  });

  async function begin(): Promise<void> {
    phase.value = "loading";
    try {
      await feed.begin();
      if (phase.value === "loading") phase.value = feed.series.last ? "ready" : "empty";
    } catch {
      phase.value = "failed";
    }
  }

  function check(): void {
    if (phase.value === "ready" && !document.hidden) void feed.check().catch(() => undefined);
  }

  function mountChart(target: HTMLElement): void {
    chart = new LightweightChart(target, {
      scale,
      widthMs: intervalMs(interval),
      compact,
      colours: readColours(),
      words: { winsAbove: t("chart.winsAbove"), winsBelow: t("chart.winsBelow"), entry: t("chart.entry") },
      positionOf: (atMs) => feed.series.positionOf(atMs),
      onNearStart: () => void feed.older().catch(() => undefined),
      onLive: (now) => (live.value = now),
    });
    stops.push(
      quotes.listen(symbol.code, (tick) => { feed.add({ atMs: tick.atMs, price: toScaled(tick.price, scale) }); }),
      onColours(() => chart?.setColours(readColours())),
      watch(last, (now) => chart?.setLast(now), { immediate: true }),
      watch(drawnOrders, (now) => chart?.setOrders(now), { immediate: true }),
      watch(() => connection.whole, (whole) => { if (whole) check(); }),
    );
    const timer = setInterval(check, CHECK_EVERY_MS);
    stops.push(() => { clearInterval(timer); });
    document.addEventListener("visibilitychange", check);
    stops.push(() => { document.removeEventListener("visibilitychange", check); });
    void begin().then(() => chart?.setOrders(drawnOrders.value));
  }

  onMounted(() => {
    if (element.value) mountChart(element.value);
  });
  onBeforeUnmount(() => {
    feed.stop();
    for (const stop of stops) stop();
    chart?.destroy();
    chart = null;
  });

  return { phase, live, newest, retry: begin, goLive: () => chart?.goLive() };
}
