import type { Component } from "vue";
import { bringAccountWords } from "../security/words";
import AlertsPage from "./AlertsPage.vue";
import AttributionPage from "./AttributionPage.vue";
import BridgePage from "./BridgePage.vue";
import HooksPage from "./HooksPage.vue";
import InstallationPage from "./InstallationPage.vue";
import InstallationsPage from "./InstallationsPage.vue";
import SignalPage from "./SignalPage.vue";
import SignalsPage from "./SignalsPage.vue";
import SymbolsPage from "./SymbolsPage.vue";
import { bringBridgeWords } from "./words";

const PARTS = {
  frame: BridgePage, installations: InstallationsPage, installation: InstallationPage, signals: SignalsPage, signal: SignalPage, attribution: AttributionPage, symbols: SymbolsPage, hooks: HooksPage, alerts: AlertsPage,
} satisfies Record<string, Component>;

export type Part = keyof typeof PARTS;

/** A page of the bridge, with its words and those of the developer's pages that it belongs to. */
export async function bridgePart(name: Part): Promise<Component> {
  await Promise.all([bringBridgeWords(), bringAccountWords()]);
  return PARTS[name];
}
