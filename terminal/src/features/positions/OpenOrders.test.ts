import { mount, flushPromises } from "@vue/test-utils";
import { createMemoryHistory, createRouter } from "vue-router";
import { beforeEach, describe, expect, it } from "vitest";
import { i18n } from "@/i18n";
import { useClock } from "@/stores/clock";
import { useConnection } from "@/stores/connection";
import { useOrders } from "@/stores/orders";
import { useQuotes } from "@/stores/quotes";
import { useSymbols } from "@/stores/symbols";
import { orderWith, symbolWith } from "@/test-data";
import OpenOrders from "./OpenOrders.vue";

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });
const at = (ms: number): string => new Date(ms).toISOString();
let now = 0;

function tick(symbol: string, seq: number, price: string): void {
  useQuotes().apply([{ symbol, seq, at: at(now), price }]);
}

function shown(count: number, changes = {}) {
  const orders = Array.from({ length: count }, (_, index) => orderWith({ id: `o${String(index)}`, symbol: index % 2 ? "BTCUSDT" : "EURUSD", accepted_at: at(now), expires_at: at(now + 60_000), ...changes }));
  useOrders().loaded = true;
  for (const order of orders) useOrders().apply(order);
  return mount(OpenOrders, { props: { shown: orders }, global: { plugins: [i18n, router] } });
}

beforeEach(() => {
  now = useClock().nowMs;
  useSymbols().list = [symbolWith(), symbolWith({ code: "BTCUSDT" })];
  tick("EURUSD", 1, "1.08536");
  tick("BTCUSDT", 1, "1.08500");
});

describe("the table of open orders", () => {
  it("draws only what is in sight of five hundred", () => {
    const table = shown(500);
    expect(table.findAll("[data-testid=open-order]").length).toBeLessThan(30);
  });

  it("draws anew the prices of the symbol that ticked and leaves every other row alone", async () => {
    const table = shown(500);
    const touched = new Set<string>();
    const observer = new MutationObserver((changes) => {
      for (const change of changes) touched.add((change.target.parentElement?.closest("[data-order]") as HTMLElement | null)?.dataset["order"] ?? "");
    });
    observer.observe(table.element, { subtree: true, childList: true, characterData: true });
    tick("EURUSD", 2, "1.08540");
    await flushPromises();
    await new Promise((resolve) => setTimeout(resolve, 20));
    observer.disconnect();
    expect(touched.size).toBeGreaterThan(0);
    expect([...touched].every((id) => id === "" || Number(id.slice(1)) % 2 === 0)).toBe(true);
  });

  it("says that the result will come while the line is cut, and waits for the tick of an order without one", async () => {
    const table = shown(1, { open_price: null, open_tick: null });
    expect(table.text()).toContain("waits for its tick");
    expect(table.text()).toContain("Unknown");
    useConnection().online = false;
    await flushPromises();
    expect(table.text()).toContain("Result pending");
    expect(table.text()).toContain("will settle without you");
  });

  it("opens the page of an order from its row", () => {
    expect(shown(1).get("a").attributes("href")).toBe("/orders/o0");
  });
});
