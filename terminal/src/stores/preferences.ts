import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";
import { firstLocale, LOCALES, type Locale } from "@/i18n";
import { paintFrame } from "@/design/frame";
import { INTERVALS, type Interval } from "@/lib/candles";
import { remember, remembered } from "@/lib/storage";

export type Theme = "system" | "dark" | "light";
export type Pair = "blue-orange" | "green-red";
export type { Locale };
/** The browser's own zone, UTC, or a zone by its IANA name. */
export type Zone = "local" | "utc" | (string & {});
export type LedgerChoice = "real" | "demo" | "tournament";

const oneOf = <T extends string>(...words: readonly T[]) => (value: unknown): value is T => words.includes(value as T);
const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value);
const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
const isTextMap = (value: unknown): value is Record<string, string> => typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isText);

/** What the user chose on this device; nothing here is money or state of the account. */
export const usePreferences = defineStore("preferences", () => {
  const theme = ref<Theme>(remembered("theme", "system", oneOf("system", "dark", "light")));
  const pair = ref<Pair>(remembered("pair", "blue-orange", oneOf("blue-orange", "green-red")));
  const ledger = ref<LedgerChoice>(remembered("ledger", "demo", oneOf("real", "demo", "tournament")));
  const symbol = ref(remembered("symbol", "EURUSD", isText));
  const interval = ref<Interval>(remembered("interval", "5s", oneOf(...INTERVALS)));
  const favourites = ref<string[]>(remembered("favourites", ["EURUSD", "GBPUSD", "USDJPY", "BTCUSDT", "ETHUSDT", "XAUUSD"], isTexts));
  const durationS = ref(remembered("duration_s", 30, isCount));
  const stake = ref(remembered("stake", "10.00", isText));

  const locale = ref<Locale>(remembered("locale", firstLocale(), oneOf(...LOCALES)));
  const zone = ref<Zone>(remembered("zone", "utc", isText));
  const dockHeight = ref(remembered("dock_height", 248, isCount));
  const dockOpen = ref(remembered("dock_open", true, isFlag));
  /** Keys the user gave to actions, by the action's id; an empty one takes its key away. */
  const keys = ref<Record<string, string>>(remembered("keys", {}, isTextMap));
  const singleKeys = ref(remembered("single_keys", true, isFlag));
  const tradeKeys = ref(remembered("trade_keys", true, isFlag));
  const toured = ref(remembered("toured", false, isFlag));

  const kept = {
    theme, pair, ledger, symbol, interval, favourites, duration_s: durationS, stake, locale, zone,
    dock_height: dockHeight, dock_open: dockOpen, keys, single_keys: singleKeys, trade_keys: tradeKeys, toured,
  };
  for (const [key, value] of Object.entries(kept)) watch(value, (next) => { remember(key, next); }, { deep: true });

  watch([theme, pair], () => {
    const classes = document.documentElement.classList;
    classes.toggle("dark", theme.value === "dark");
    classes.toggle("light", theme.value === "light");
    classes.toggle("pair-green-red", pair.value === "green-red");
    paintFrame(theme.value);
  }, { immediate: true, flush: "sync" });

  const isFavourite = computed(() => (code: string) => favourites.value.includes(code));

  function toggleFavourite(code: string): void {
    const at = favourites.value.indexOf(code);
    if (at < 0) favourites.value.push(code);
    else favourites.value.splice(at, 1);
  }

  return {
    theme, pair, ledger, symbol, interval, favourites, durationS, stake, isFavourite, toggleFavourite,
    locale, zone, dockHeight, dockOpen, keys, singleKeys, tradeKeys, toured,
  };
});
