import { useRouter } from "vue-router";
import type { IconName } from "@/design/icons";

export type PageName = "trade" | "history" | "journal" | "tournaments" | "wallet" | "limits" | "developer" | "security" | "help";

export interface PageEntry {
  name: PageName;
  icon: IconName;
  /** Its key, with the left hand on Shift. */
  keys: string;
}

const pages: readonly PageEntry[] = [
  { name: "trade", icon: "trade", keys: "Shift+T" },
  { name: "history", icon: "history", keys: "Shift+H" },
  { name: "journal", icon: "journal", keys: "Shift+J" },
  { name: "tournaments", icon: "cup", keys: "" },
  { name: "wallet", icon: "wallet", keys: "Shift+W" },
  { name: "limits", icon: "gauge", keys: "Shift+L" },
  { name: "developer", icon: "code", keys: "" },
  { name: "security", icon: "lock", keys: "" },
  { name: "help", icon: "help", keys: "" },
];
const RAIL: readonly PageName[] = ["trade", "history", "journal", "tournaments", "wallet", "limits", "developer", "help"];
const TABS: readonly PageName[] = ["trade", "history", "journal", "wallet"];

/** The pages there are, for each place that leads to them. A page without a route has no entry anywhere. */
export function usePageEntries() {
  const router = useRouter();
  const all = pages.filter((page) => router.hasRoute(page.name));
  const within = (names: readonly PageName[]): PageEntry[] => all.filter((page) => names.includes(page.name));
  return { all, rail: within(RAIL), tabs: within(TABS), more: all.filter((page) => !TABS.includes(page.name)) };
}
