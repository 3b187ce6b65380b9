import { flushPromises, mount } from "@vue/test-utils";
import { describe, expect, it } from "vitest";
import { i18n } from "@/i18n";
import { useClock } from "@/stores/clock";
import { useConnection } from "@/stores/connection";
import { useQuotes } from "@/stores/quotes";
import { useSymbols } from "@/stores/symbols";
import { symbolWith } from "@/test-data";
import ConnectionState from "./ConnectionState.vue";

describe("connection state", () => {
  it("tells live, delayed, reconnecting and offline in words", async () => {
    const connection = useConnection();
    useSymbols().list = [symbolWith()];
    useQuotes().apply([{ symbol: "EURUSD", seq: 1, at: new Date(useClock().nowMs - 200).toISOString(), price: "1.08512" }]);
    const state = mount(ConnectionState, { global: { plugins: [i18n] } });
    const word = async (): Promise<string> => { await flushPromises(); return state.get("[role=status]").text(); };
    expect(await word()).toBe("Connecting");
    connection.setQuotes("open");
    connection.setAccount("open", null);
    expect(await word()).toBe("Live");
    expect(state.text().replaceAll("\u00a0", " ")).toContain("tick 0.2 s ago");
    useClock().nowMs += 4000;
    expect(await word()).toBe("Delayed");
    connection.setAccount("waiting", null);
    expect(await word()).toBe("Reconnecting");
    connection.online = false;
    expect(await word()).toBe("Offline");
  });
});
