import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { symbolsList } from "@/api/trading";
import { isFields } from "@/api/messages";
import type { MarketState, SymbolRecord } from "@/api/schema";
import { usePreferences } from "./preferences";
import { useTradeSettings } from "./trade-settings";

/** The symbols on offer with their public terms and market states. */
export const useSymbols = defineStore("symbols", () => {
  const preferences = usePreferences();
  const settings = useTradeSettings();
  const list = ref<SymbolRecord[] | null>(null);

  const byCode = computed(() => new Map((list.value ?? []).map((each) => [each.code, each])));
  const selected = computed(() => byCode.value.get(preferences.symbol) ?? list.value?.[0] ?? null);
  const recent = computed(() => settings.recentAssets.flatMap((code) => byCode.value.get(code) ?? []));
  const favourites = computed(() => preferences.favourites.flatMap((code) => byCode.value.get(code) ?? []));

  /** Tabs: the favourites, and the selected symbol when it is none of them. */
  const tabs = computed(() => {
    const chosen = selected.value;
    return !chosen || favourites.value.includes(chosen) ? favourites.value : [...favourites.value, chosen];
  });

  async function read(): Promise<void> {
    list.value = await symbolsList();
  }

  function select(code: string): void {
    preferences.symbol = code;
    settings.visited(code);
  }

  /** The next or previous of the tabs, round the end. */
  function step(direction: 1 | -1): void {
    const codes = tabs.value.map((each) => each.code);
    const at = codes.indexOf(selected.value?.code ?? "");
    const next = codes[(at + direction + codes.length) % codes.length];
    if (next !== undefined) select(next);
  }

  function setState(code: string, state: MarketState): void {
    const symbol = byCode.value.get(code);
    if (symbol) symbol.state = state;
  }

  /** Take a public event: whatever terms it carries replace ours. */
  function applyPublic(data: unknown): void {
    if (!isFields(data)) return;
    const code = data["code"] ?? data["symbol"];
    const symbol = typeof code === "string" ? byCode.value.get(code) : undefined;
    if (!symbol) {
      void read();
      return;
    }
    for (const key of Object.keys(symbol)) if (key in data && key !== "last_tick") Object.assign(symbol, { [key]: data[key] });
  }

  return { list, byCode, selected, favourites, recent, tabs, read, select, step, setState, applyPublic };
});
