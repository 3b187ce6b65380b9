import { mount, flushPromises } from "@vue/test-utils";
import { createMemoryHistory, createRouter } from "vue-router";
import { beforeEach, describe, expect, it, vi } from "vitest";
import * as trading from "@/api/trading";
import { i18n } from "@/i18n";
import { useClock } from "@/stores/clock";
import { usePreferences } from "@/stores/preferences";
import { useQuotes } from "@/stores/quotes";
import { useSymbols } from "@/stores/symbols";
import { useWallets } from "@/stores/wallets";
import { orderWith, symbolWith, walletWith } from "@/test-data";
import BuyButton from "./BuyButton.vue";
import TicketNotice from "./TicketNotice.vue";

vi.mock("@/api/trading");

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });

const shown = (component: typeof BuyButton | typeof TicketNotice, props = {}) => mount(component, { props, global: { plugins: [i18n, router] } });

beforeEach(() => {
  useSymbols().list = [symbolWith()];
  useWallets().wallets = [walletWith(), walletWith({ id: "w-real", ledger: "real" })];
  useQuotes().apply([{ symbol: "EURUSD", seq: 1, at: new Date(useClock().nowMs).toISOString(), price: "1.08512" }]);
});

describe("buy button", () => {
  it("names the account it buys from", async () => {
    const button = shown(BuyButton, { direction: "up" });
    expect(button.text()).toContain("Buy Up - DEMO");
    usePreferences().ledger = "real";
    await flushPromises();
    expect(button.text()).toContain("Buy Up - REAL");
  });

  it("goes from placing to accepted, with the opening price", async () => {
    let answer: (order: ReturnType<typeof orderWith>) => void = () => undefined;
    vi.mocked(trading.orderPlace).mockReturnValue(new Promise((resolve) => (answer = resolve)));
    const button = shown(BuyButton, { direction: "down" });
    await button.trigger("click");
    expect(button.text()).toContain("Placing");
    expect(button.attributes("aria-busy")).toBe("true");
    answer(orderWith({ direction: "down" }));
    await flushPromises();
    expect(button.text()).toContain("Accepted at 1.08512");
  });

  it("is off while the price is late, and the notice says why and when it returns", async () => {
    const button = shown(BuyButton, { direction: "up" });
    const notice = shown(TicketNotice);
    expect(notice.text()).toBe("");
    useClock().nowMs += 4200;
    await flushPromises();
    expect(button.attributes("aria-disabled")).toBe("true");
    expect(notice.text()).toContain("Buying is off: Price is late");
    expect(notice.text()).toContain("Last EURUSD tick is 4.2\u00a0s old, the limit is 3.0\u00a0s");
  });
});
