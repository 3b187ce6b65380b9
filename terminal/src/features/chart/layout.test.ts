import { createPinia, setActivePinia } from "pinia";
import { nextTick } from "vue";
import { describe, expect, it } from "vitest";
import type { SymbolRecord } from "@/api/schema";
import { useSymbols } from "@/stores/symbols";
import { useChartLayout } from "./layout";

function withSymbols() {
  const symbols = useSymbols();
  symbols.list = ["EURUSD", "GBPUSD", "BTCUSDT"].map((code) => ({ code }) as SymbolRecord);
  return symbols;
}

describe("chart layout", () => {
  it("keeps the ticket and the active chart on the same symbol, both ways", async () => {
    const symbols = withSymbols();
    const layout = useChartLayout();
    layout.count = 2;
    const other = layout.panes[1];
    if (other) other.symbol = "BTCUSDT";
    layout.activate(1);
    expect(symbols.selected?.code).toBe("BTCUSDT");
    symbols.select("EURUSD");
    await nextTick();
    expect(layout.panes[1]?.symbol).toBe("EURUSD");
  });

  it("shows the active chart's symbol in all of them when they are linked, and gives each its own back after", () => {
    withSymbols();
    const layout = useChartLayout();
    layout.count = 4;
    const third = layout.panes[2];
    if (third) third.symbol = "BTCUSDT";
    layout.linked = true;
    expect([0, 1, 2, 3].map((index) => layout.symbolOf(index))).toEqual(["EURUSD", "EURUSD", "EURUSD", "EURUSD"]);
    layout.linked = false;
    expect(layout.symbolOf(2)).toBe("BTCUSDT");
  });

  it("comes back on this device, and falls back when what was kept is damaged", async () => {
    withSymbols();
    const layout = useChartLayout();
    layout.count = 4;
    layout.current.plot = "tick";
    layout.current.kind = "area";
    layout.current.indicators = [{ name: "RSI", params: [6] }];
    await nextTick();
    setActivePinia(createPinia());
    withSymbols();
    const again = useChartLayout();
    expect([again.count, again.current.plot, again.current.kind, again.current.indicators]).toEqual([4, "tick", "area", [{ name: "RSI", params: [6] }]]);
    localStorage.setItem("fairstrike.chart.layout", JSON.stringify({ count: 3, panes: [] }));
    setActivePinia(createPinia());
    expect(useChartLayout().count).toBe(1);
  });

  it("activates a chart that is still there when charts are closed", async () => {
    withSymbols();
    const layout = useChartLayout();
    layout.count = 4;
    layout.activate(3);
    layout.count = 1;
    await nextTick();
    expect(layout.active).toBe(0);
  });
});
