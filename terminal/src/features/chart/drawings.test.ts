import { createPinia, setActivePinia } from "pinia";
import { describe, expect, it } from "vitest";
import { DRAWINGS_MOST, useDrawings } from "./drawings";

const points = [{ atMs: 1000, price: 1.5 }, { atMs: 2000, price: 1.6 }];

describe("drawings", () => {
  it("stay with their symbol on this device", () => {
    const id = useDrawings().add("EURUSD", "segment", points);
    setActivePinia(createPinia());
    const again = useDrawings();
    expect(again.of("EURUSD")).toEqual([{ id, tool: "segment", points, text: "" }]);
    expect(again.of("GBPUSD")).toEqual([]);
  });

  it("move as a whole by time and price", () => {
    const drawings = useDrawings();
    const id = drawings.add("EURUSD", "segment", points) ?? "";
    drawings.shift("EURUSD", id, { atMs: 500, price: 0.25 });
    expect(drawings.of("EURUSD")[0]?.points).toEqual([{ atMs: 1500, price: 1.75 }, { atMs: 2500, price: 1.85 }]);
  });

  it("are no longer selected once they are deleted", () => {
    const drawings = useDrawings();
    drawings.selected = drawings.add("EURUSD", "horizontal", points.slice(0, 1));
    drawings.remove("EURUSD", drawings.selected ?? "");
    expect(drawings.selected).toBeNull();
    expect(drawings.of("EURUSD")).toEqual([]);
  });

  it("are refused beyond the most that is kept, and damaged ones are dropped", () => {
    const drawings = useDrawings();
    for (let each = 0; each < DRAWINGS_MOST; each += 1) drawings.add("EURUSD", "vertical", points.slice(0, 1));
    expect(drawings.add("EURUSD", "vertical", points.slice(0, 1))).toBeNull();
    localStorage.setItem("fairstrike.drawings.BTCUSDT", JSON.stringify([{ id: "x", tool: "heart", points, text: "" }]));
    expect(drawings.of("BTCUSDT")).toEqual([]);
  });
});
