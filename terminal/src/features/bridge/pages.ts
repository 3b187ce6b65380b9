import type { RouteComponent, RouteRecordRaw } from "vue-router";
import { bringAccountWords } from "../security/words";
import { bringBridgeWords } from "./words";

type PageModule = Promise<{ default: RouteComponent }>;

/** A page with the words of the bridge and of the developer's pages that it belongs to. */
const withWords = (bring: () => PageModule) => async (): Promise<RouteComponent> => {
  const [page] = await Promise.all([bring(), bringBridgeWords(), bringAccountWords()]);
  return page.default;
};

/** The bridge within the developer's pages. */
export const bridgeRoutes: RouteRecordRaw = {
  path: "bridge",
  component: withWords(() => import("./BridgePage.vue")),
  children: [
    { path: "", name: "bridge", component: () => import("./InstallationsPage.vue") },
    { path: "installations/:id", name: "bridge-installation", component: () => import("./InstallationPage.vue") },
    { path: "signals", name: "bridge-signals", component: () => import("./SignalsPage.vue") },
    { path: "signals/:event", name: "bridge-signal", component: () => import("./SignalPage.vue") },
    { path: "attribution", name: "bridge-attribution", component: () => import("./AttributionPage.vue") },
    { path: "symbols", name: "bridge-symbols", component: () => import("./SymbolsPage.vue") },
    { path: "alerts", name: "bridge-alerts", component: () => import("./AlertsPage.vue") },
  ],
};
