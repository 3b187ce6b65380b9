import { defineStore } from "pinia";
import { ref, watch } from "vue";
import { remember, remembered } from "@/lib/storage";

/** What an order is refused for besides the rules: a price that moved further than `drift`, a payout below `payout`. */
export interface Guard {
  drift: string | null;
  payout: "shown" | "any" | number;
}

export type ExpiryMode = "duration" | "clock";
export type DockTab = "open" | "recent";

export const UNGUARDED: Guard = { drift: null, payout: "shown" };
const RECENT_ASSETS = 6;

const isFields = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isMode = (value: unknown): value is ExpiryMode => value === "duration" || value === "clock";
const isTab = (value: unknown): value is DockTab => value === "open" || value === "recent";
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((each) => typeof each === "string");
const isGuard = (value: unknown): value is Guard =>
  isFields(value)
  && (value["drift"] === null || (typeof value["drift"] === "string" && /^\d{1,9}(\.\d{1,10})?$/.test(value["drift"])))
  && (value["payout"] === "shown" || value["payout"] === "any" || Number.isInteger(value["payout"]));
const isGuards = (value: unknown): value is Record<string, Guard> => isFields(value) && Object.values(value).every(isGuard);

/**
 * How one trades on this device. Each tab keeps its own copy while it is open, so that nothing jumps under a hand
 * when another tab changes it. One-click on Real is never remembered: a reload always begins with the question.
 */
export const useTradeSettings = defineStore("trade-settings", () => {
  const expiryMode = ref<ExpiryMode>(remembered("expiry_mode", "duration", isMode));
  const guards = ref<Record<string, Guard>>(remembered("guards", {}, isGuards));
  const recentAssets = ref<string[]>(remembered("recent_assets", [], isTexts));
  const dockTab = ref<DockTab>(remembered("dock_tab", "open", isTab));
  const oneClickReal = ref(false);

  const kept = { expiry_mode: expiryMode, guards, recent_assets: recentAssets, dock_tab: dockTab };
  for (const [key, value] of Object.entries(kept)) watch(value, (next) => { remember(key, next); }, { deep: true });

  function guardOf(code: string): Guard {
    return guards.value[code] ?? UNGUARDED;
  }

  function setGuard(code: string, change: Partial<Guard>): void {
    guards.value = { ...guards.value, [code]: { ...guardOf(code), ...change } };
  }

  function visited(code: string): void {
    recentAssets.value = [code, ...recentAssets.value.filter((each) => each !== code)].slice(0, RECENT_ASSETS);
  }

  return { expiryMode, guards, recentAssets, dockTab, oneClickReal, guardOf, setGuard, visited };
});
