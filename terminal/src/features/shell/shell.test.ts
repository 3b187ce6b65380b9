import { flushPromises, mount } from "@vue/test-utils";
import { describe, expect, it, vi } from "vitest";
import { createMemoryHistory, createRouter } from "vue-router";
import { i18n } from "@/i18n";
import { useShortcuts } from "@/lib/shortcuts";
import { useBridgeAlerts } from "@/stores/bridge-alerts";
import { useEvidence } from "@/stores/evidence";
import { usePreferences } from "@/stores/preferences";
import { useShell } from "@/stores/shell";
import AccountSwitch from "./AccountSwitch.vue";
import LeftRail from "./LeftRail.vue";
import ShortcutsDialog from "./ShortcutsDialog.vue";
import StatusBar from "./StatusBar.vue";

const page = { template: "<p />" };
const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/", name: "trade", component: page }, { path: "/wallet", name: "wallet", component: page }, { path: "/fairness", name: "fairness", component: page }] });
const global = { plugins: [i18n, router] };

describe("the frame", () => {
  it("tells the chosen account by its name and lets the arrows choose", async () => {
    const bar = mount(AccountSwitch, { global, attachTo: document.body });
    expect(bar.get("[role=radiogroup]").attributes("aria-label")).toBe("Account: Demo, Practice money");
    const demo = bar.get<HTMLElement>("[data-account=demo]");
    demo.element.focus();
    await demo.trigger("keydown", { key: "ArrowLeft" });
    expect(usePreferences().ledger).toBe("real");
    expect(bar.get("[data-account=real]").attributes("aria-checked")).toBe("true");
    expect(bar.get("[role=radiogroup]").attributes("aria-label")).toBe("Account: Real, Real money");
  });

  it("counts the bridge's unseen alerts at the page that leads to them, aloud too", () => {
    const alerts = useBridgeAlerts();
    const links = mount(LeftRail, { global: { plugins: [i18n, createRouter({ history: createMemoryHistory(), routes: [{ path: "/", component: page }, { path: "/developer", name: "developer", component: page }] })] } });
    expect(links.get("a").attributes("aria-label")).toBe("Developer");
    alerts.add([{ id: "a1", at: "2026-11-30T10:00:00.000Z" }]);
    return links.vm.$nextTick().then(() => { expect([links.get("a").attributes("aria-label"), links.get("em").text()]).toEqual(["Developer, 1 new alert of the bridge", "1"]); });
  });

  it("leads only to pages that there are", () => {
    expect(mount(LeftRail, { global }).findAll("a").map((link) => link.text())).toEqual(["Trade", "Wallet"]);
  });

  it("shows no figure of a re-settlement that the server did not tell", async () => {
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("no network"));
    const bar = mount(StatusBar, { global });
    await flushPromises();
    expect(bar.find("[data-testid=resettlement]").exists()).toBe(false);
    useEvidence().newest = { at: "2026-11-30T02:00:00Z", from: null, to: "2026-11-30T00:00:00Z", checked: 48210, differences: 0, unavailable: 0 };
    await flushPromises();
    expect(bar.get("[data-testid=resettlement]").text()).toContain("48,210 orders checked, 0 differences");
  });
});

describe("the list of keys", () => {
  it("lists every key and gives an action another one", async () => {
    const run = vi.fn();
    const shortcuts = useShortcuts();
    shortcuts.add({ id: "trade.up", keys: "ArrowUp", label: () => "Buy Up", group: "trade", run });
    useShell().keysOpen = true;
    mount(ShortcutsDialog, { global, attachTo: document.body });
    await flushPromises();
    const change = document.querySelector<HTMLElement>("[aria-label='Change the key of Buy Up, now ↑']");
    change?.click();
    await flushPromises();
    change?.dispatchEvent(new KeyboardEvent("keydown", { key: "u", code: "KeyU", bubbles: true, cancelable: true }));
    await flushPromises();
    expect(shortcuts.chord("trade.up")).toBe("U");
    expect(document.querySelector("[aria-label='Change the key of Buy Up, now U']")).not.toBeNull();
    expect(run).not.toHaveBeenCalled();
  });
});
