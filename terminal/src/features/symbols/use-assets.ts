import { computed, ref, watch, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { useAnnouncer } from "@/stores/announcer";
import { usePreferences } from "@/stores/preferences";
import { useSymbols } from "@/stores/symbols";
import { groupsOf, movedTo, searchSymbols, type AssetSort } from "./search";

/** What the dialog of assets shows: the search, the group, the order, and which row the keys stand on. */
export function useAssets(open: Ref<boolean>) {
  const { t } = useI18n();
  const [symbols, preferences, announcer] = [useSymbols(), usePreferences(), useAnnouncer()];
  const query = ref("");
  const group = ref("all");
  const sorted = ref<AssetSort>("payout");
  const active = ref(0);

  const groups = computed(() => ["all", "favourites", "recent", ...(groupsOf(symbols.list ?? []).length > 1 ? groupsOf(symbols.list ?? []) : [])]);
  const sort = computed<AssetSort>(() => (group.value === "favourites" || group.value === "recent" ? "own" : sorted.value));
  const source = computed(() => (group.value === "favourites" ? symbols.favourites : group.value === "recent" ? symbols.recent : (symbols.list ?? [])));
  const found = computed(() => searchSymbols(source.value, query.value, group.value, sort.value));
  const reorders = computed(() => group.value === "favourites" && query.value.trim() === "");

  watch(open, (now) => {
    if (!now) return;
    query.value = "";
    group.value = "all";
    active.value = Math.max(0, found.value.findIndex((each) => each.code === symbols.selected?.code));
  });
  watch([query, group, sorted], () => (active.value = 0));

  function step(by: number): void {
    active.value = Math.min(found.value.length - 1, Math.max(0, active.value + by));
  }

  /** Put a favourite at another place among those that are shown. */
  function place(code: string, at: number): void {
    const shown = found.value.map((each) => each.code);
    if (at < 0 || at >= shown.length || shown[at] === code) return;
    const target = shown[at] ?? code;
    preferences.favourites = movedTo(preferences.favourites, code, preferences.favourites.indexOf(target));
    active.value = at;
    announcer.say(t("symbols.moved", { code, place: at + 1, count: shown.length }));
  }

  return { query, group, groups, sorted, active, found, reorders, step, place };
}
