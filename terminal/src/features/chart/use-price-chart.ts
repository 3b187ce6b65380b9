import { computed, onBeforeUnmount, onMounted, ref, shallowRef, watch, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import type { SymbolRecord } from "@/api/schema";
import type { Plot } from "@/lib/candles";
import { useClock } from "@/stores/clock";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";
import { useOrders } from "@/stores/orders";
import { useQuotes } from "@/stores/quotes";
import { useSymbols } from "@/stores/symbols";
import { useTicket } from "@/stores/ticket";
import type { HistoryEnd } from "./candle-feed";
import { ChartData, drawnKind } from "./chart-data";
import { clockExpiry, clockMark } from "./clock-mark";
import { onColours, readColours, readFont } from "./colours";
import { drawnOrder } from "./drawn-order";
import type { ChartKind, ChartOptions, ChartPort, MarkPlace, Size } from "./port";
import { useChartTexts, type ChartTexts } from "./texts";

const CHECK_EVERY_MS = 10_000;
const SETTLED_DRAWN = 6;

export type ChartPhase = "loading" | "ready" | "empty" | "failed";

export interface ChartAsk {
  symbol: SymbolRecord;
  plot: Plot;
  kind: () => ChartKind;
  /** Whether the engine draws a gap as room on its axis. */
  roomy: boolean;
  compact: boolean;
  engine: (element: HTMLElement, options: ChartOptions) => Promise<ChartPort> | ChartPort;
  onMarks: (places: readonly MarkPlace[], room: Size) => void;
}

/** Keep a chart of one symbol and interval drawn in an element, from stored and live ticks. */
export function usePriceChart(element: Ref<HTMLElement | null>, ask: ChartAsk) {
  const { symbol } = ask;
  const { t } = useI18n();
  const [clock, connection, market, quotes] = [useClock(), useConnection(), useMarket(), useQuotes()];
  const texts = useChartTexts();
  const phase = ref<ChartPhase>("loading");
  const live = ref(true);
  const end = ref<HistoryEnd>(null);
  /** Grows when candles were read, so that a table or a cursor looks again. */
  const version = ref(0);
  const chart = shallowRef<ChartPort | null>(null);
  const late = computed(() => market.wordOf(symbol) === "late" || connection.cutOff);
  const stops: (() => void)[] = [];
  let gone = false;

  const data = new ChartData({
    symbol,
    plot: ask.plot,
    kind: ask.kind(),
    roomy: ask.roomy,
    now: clock.now,
    newestMs: () => market.lastTick(symbol)?.atMs ?? null,
    live: () => live.value,
    late: () => late.value,
    onReset: () => {
      version.value += 1;
      if (data.series.last) phase.value = "ready";
    },
  });
  const marks = useMarks(symbol, texts);

  async function begin(): Promise<void> {
    phase.value = "loading";
    try {
      await data.feed.begin();
      phase.value = data.series.last ? "ready" : "empty";
    } catch {
      phase.value = "failed";
    }
  }

  function check(): void {
    if (phase.value === "ready" && !document.hidden) void data.feed.check().catch(() => undefined);
  }

  async function older(): Promise<void> {
    await data.feed.older().catch(() => undefined);
    end.value = data.feed.end;
  }

  function listen(drawn: ChartPort): void {
    const timer = setInterval(check, CHECK_EVERY_MS);
    document.addEventListener("visibilitychange", check);
    stops.push(
      quotes.listen(symbol.code, (tick) => { data.tick(tick); }),
      onColours(() => { drawn.setColours(readColours()); }),
      watch(late, () => { data.drawLast(market.lastTick(symbol)); }),
      watch(marks.orders, (now) => { drawn.setOrders(now); }, { immediate: true }),
      watch(marks.clock, (now) => { drawn.setClock(now); }, { immediate: true }),
      watch(ask.kind, (now) => { data.setKind(now); }),
      watch(() => connection.whole, (whole) => { if (whole) check(); }),
      () => { clearInterval(timer); document.removeEventListener("visibilitychange", check); },
    );
  }

  async function mount(target: HTMLElement): Promise<void> {
    const reading = begin();
    const hooks = { onNearStart: () => void older(), onLive: (now: boolean) => (live.value = now), onMarks: ask.onMarks };
    const drawn = await Promise.resolve(ask.engine(target, { ...lookOf(data, ask, t, texts), ...hooks })).catch(() => null);
    if (gone || !drawn) {
      drawn?.destroy();
      phase.value = "failed";
      return;
    }
    chart.value = drawn;
    data.attach(drawn);
    data.drawLast(market.lastTick(symbol));
    listen(drawn);
    await reading;
    data.drawLast(market.lastTick(symbol));
    drawn.setOrders(marks.orders.value);
  }

  onMounted(() => { if (element.value) void mount(element.value); });
  onBeforeUnmount(() => {
    gone = true;
    data.stop();
    for (const stop of stops) stop();
    chart.value?.destroy();
    chart.value = null;
  });

  const goLive = (): void => { chart.value?.goLive(); };
  return { data, chart, phase, live, end, version, late, orders: marks.orders, retry: begin, older, goLive };
}

const KEPT_MOST = 2000;

/** The axes ask for the same few words with every frame, so what was written is kept; a change of language or zone opens the chart anew. */
function kept<T extends number | string>(write: (value: T) => string): (value: T) => string {
  const known = new Map<T, string>();
  return (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    if (known.size >= KEPT_MOST) known.clear();
    const made = write(value);
    known.set(value, made);
    return made;
  };
}

type Translate = (key: string) => string;

/** How a chart is drawn: its scale, colours, words and figures. */
function lookOf(data: ChartData, { symbol, plot, kind, compact }: ChartAsk, t: Translate, texts: ChartTexts): Omit<ChartOptions, "onNearStart" | "onLive" | "onMarks"> {
  const axis = { day: kept(texts.day), minute: kept((atMs: number) => texts.clock(atMs).slice(0, 5)), second: kept(texts.clock) };
  return {
    scale: symbol.price_scale,
    widthMs: data.widthMs,
    compact,
    kind: drawnKind(kind(), plot),
    colours: readColours(),
    font: readFont(),
    words: {
      winsAbove: t("chart.winsAbove"), winsBelow: t("chart.winsBelow"), losesAbove: t("chart.losesAbove"), losesBelow: t("chart.losesBelow"),
      entry: t("chart.entry"), breakEven: t("chart.breakEven"), waiting: t("chart.waiting"), noTicks: t("chart.noTicks"),
    },
    priceText: kept((price: number) => texts.price(price.toFixed(symbol.price_scale))),
    figureText: kept(texts.amount),
    timeText: kept((atMs: number) => `${texts.day(atMs)} ${data.widthMs === 0 ? texts.clockMs(atMs) : texts.clock(atMs)}`),
    axisText: (atMs, part) => axis[part](atMs),
    positionOf: (atMs) => data.timeline.positionOf(atMs),
  };
}

/** What stands on a symbol's chart besides its candles: its orders, and the expiry that clock mode would buy. */
function useMarks(symbol: SymbolRecord, texts: ReturnType<typeof useChartTexts>) {
  const { t } = useI18n();
  const [orders, symbols, ticket] = [useOrders(), useSymbols(), useTicket()];
  const drawn = computed(() => {
    const settled = orders.recent.filter((order) => order.symbol === symbol.code).slice(0, SETTLED_DRAWN);
    return [...orders.openOnSymbol(symbol.code), ...settled].flatMap((order) => drawnOrder(order, symbol.price_scale, { t, ...texts }) ?? []);
  });
  const clock = computed(() => {
    const expiresMs = symbols.selected?.code === symbol.code ? clockExpiry(ticket) : null;
    return expiresMs === null ? null : clockMark(expiresMs, symbol.purchase_deadline_s, t, texts);
  });
  return { orders: drawn, clock };
}
