import { describe, expect, it } from "vitest";
import { orderWith } from "@/test-data";
import { viewOf } from "./open-view";

const orders = [
  orderWith({ id: "a", symbol: "EURUSD", direction: "up", stake: "5.00", accepted_at: "2026-11-20T10:00:00.000Z" }),
  orderWith({ id: "b", symbol: "BTCUSDT", direction: "down", stake: "100.00", accepted_at: "2026-11-20T10:00:01.000Z" }),
  orderWith({ id: "c", symbol: "EURUSD", direction: "down", stake: "25.00", accepted_at: "2026-11-20T10:00:02.000Z" }),
];
const ids = (...args: Parameters<typeof viewOf>): string[] => viewOf(...args).map((order) => order.id);

describe("the list of open orders", () => {
  it("shows all, one asset, or one direction", () => {
    expect(ids(orders, "all", "ends", "EURUSD")).toEqual(["a", "b", "c"]);
    expect(ids(orders, "asset", "ends", "EURUSD")).toEqual(["a", "c"]);
    expect(ids(orders, "down", "ends", "EURUSD")).toEqual(["b", "c"]);
  });

  it("sorts by purchase, asset, and stake as money, not as text", () => {
    expect(ids(orders, "all", "newest", "")).toEqual(["c", "b", "a"]);
    expect(ids(orders, "all", "asset", "")).toEqual(["b", "a", "c"]);
    expect(ids(orders, "all", "stake", "")).toEqual(["b", "c", "a"]);
  });
});
