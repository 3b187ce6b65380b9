import { onMounted, onUnmounted } from "vue";
import { useI18n } from "vue-i18n";
import { useRouter } from "vue-router";
import { useShortcut, useShortcuts } from "@/lib/shortcuts";
import { useShell } from "@/stores/shell";
import { usePageEntries } from "./pages";

/** Hear the keys of the page, and offer those that lead from page to page. */
export function usePageKeys(): void {
  const { t } = useI18n();
  const router = useRouter();
  const shell = useShell();
  const shortcuts = useShortcuts();
  const hear = (event: KeyboardEvent): void => { shortcuts.handle(event); };

  onMounted(() => { addEventListener("keydown", hear); });
  onUnmounted(() => { removeEventListener("keydown", hear); });

  useShortcut({ id: "page.keys", keys: "?", label: () => t("keys.show"), group: "page", run: () => { shell.keysOpen = true; } });
  for (const page of usePageEntries().all) {
    useShortcut({
      id: `page.${page.name}`,
      keys: page.keys,
      label: () => t("keys.go", { page: t(`nav.${page.name}`) }),
      group: "page",
      run: () => void router.push({ name: page.name }),
    });
  }
}
