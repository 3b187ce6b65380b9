import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";
import { INTERVALS, type Interval } from "@/lib/candles";
import { remember, remembered } from "@/lib/storage";

export type Theme = "system" | "dark" | "light";
export type Pair = "blue-orange" | "green-red";
export type LedgerChoice = "real" | "demo" | "tournament";

const oneOf = <T extends string>(...words: readonly T[]) => (value: unknown): value is T => words.includes(value as T);
const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value);

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

  const kept = { theme, pair, ledger, symbol, interval, favourites, duration_s: durationS, stake };
  for (const [key, value] of Object.entries(kept)) watch(value, (next) => { remember(key, next); }, { deep: true });

  watch([theme, pair], () => {
    const classes = document.documentElement.classList;
    classes.toggle("dark", theme.value === "dark");
    classes.toggle("light", theme.value === "light");
    classes.toggle("pair-green-red", pair.value === "green-red");
  }, { immediate: true, flush: "sync" });

  const isFavourite = computed(() => (code: string) => favourites.value.includes(code));

  function toggleFavourite(code: string): void {
    const at = favourites.value.indexOf(code);
    if (at < 0) favourites.value.push(code);
    else favourites.value.splice(at, 1);
  }

  return { theme, pair, ledger, symbol, interval, favourites, durationS, stake, isFavourite, toggleFavourite };
});
