import { ref, watch, type Ref, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import type { SymbolRecord } from "@/api/schema";
import type { ChartData } from "./chart-data";
import type { ChartPort } from "./port";
import { fromScaled } from "@/lib/price";
import { useChartTexts, type ChartTexts } from "./texts";
import type { Slot } from "./timeline";

const FAR = 10;
const ZOOM = 1.25;

export interface CursorAsk {
  symbol: SymbolRecord;
  data: ChartData;
  chart: Readonly<ShallowRef<ChartPort | null>>;
  /** Grows when candles were read or let go. */
  version: Readonly<Ref<number>>;
}

/** The next slot with a candle from a place on, in the direction of the step; the place itself when there is none. */
export function nextCandle(slots: readonly Slot[], from: number, step: number): number {
  const toward = Math.sign(step);
  let at = Math.min(slots.length - 1, Math.max(0, from + step));
  while (slots[at]?.candle === null) at += toward;
  return slots[at]?.candle ? at : from;
}

/** What is spoken of a slot: its time, its prices, and that there was silence before it. */
export function spokenSlot(slots: readonly Slot[], index: number, widthMs: number, scale: number, t: (key: string, words: Record<string, unknown>) => string, texts: ChartTexts): string {
  const candle = slots[index]?.candle;
  if (!candle) return "";
  const price = (scaled: number): string => texts.price(fromScaled(scaled, scale));
  const time = widthMs === 0 ? texts.clockMs(candle.startMs) : widthMs >= 86_400_000 ? texts.date(candle.startMs) : texts.clock(candle.startMs);
  const told = widthMs === 0
    ? t("chart.cursorTick", { time, price: price(candle.close) })
    : t("chart.cursor", { time, open: price(candle.open), high: price(candle.high), low: price(candle.low), close: price(candle.close) });
  if (slots[index - 1]?.candle !== null) return told;
  const before = slots[nextCandle(slots, index, -1)]?.candle;
  return before ? `${told} ${t("chart.cursorGap", { age: texts.age(candle.startMs - before.startMs - widthMs) })}` : told;
}

/** A cursor over the candles for the keyboard: it moves the chart's own cross and says where it stands. */
export function useCursor({ symbol, data, chart, version }: CursorAsk) {
  const { t } = useI18n();
  const texts = useChartTexts();
  const spoken = ref("");
  let at: number | null = null;
  let atMs = 0;

  function put(index: number | null): void {
    at = index;
    const slots = data.timeline.slots;
    atMs = index === null ? 0 : (slots[index]?.atMs ?? 0);
    chart.value?.setCursor(index);
    spoken.value = index === null ? "" : spokenSlot(slots, index, data.widthMs, symbol.price_scale, t, texts);
  }

  // Older candles push the place of every other one; the cursor keeps its candle, not its number.
  watch(version, () => {
    if (at === null) return;
    const found = data.timeline.slots.findIndex((slot) => slot.atMs === atMs && slot.candle);
    at = found < 0 ? null : found;
  });

  function moved(key: string): number | null {
    const slots = data.timeline.slots;
    const last = slots.length - 1;
    const from = at ?? last + 1;
    switch (key) {
      case "ArrowLeft": return nextCandle(slots, from, -1);
      case "ArrowRight": return at === null ? last : nextCandle(slots, from, 1);
      case "PageUp": return nextCandle(slots, from, -FAR);
      case "PageDown": return nextCandle(slots, from, FAR);
      case "Home": return nextCandle(slots, -1, 1);
      case "End": return last;
      default: return null;
    }
  }

  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target !== event.currentTarget) return;
    const zoom = event.key === "+" || event.key === "=" ? ZOOM : event.key === "-" ? 1 / ZOOM : null;
    const index = moved(event.key);
    if (zoom !== null) chart.value?.zoom(zoom);
    else if (event.key === "Escape" && at !== null) put(null);
    else if (index !== null && index >= 0) put(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return { spoken, onKey, leave: () => { if (at !== null) put(null); } };
}
