import { describe, expect, it } from "vitest";
import { orderWith } from "@/test-data";
import { useOrders } from "./orders";
import { usePreferences } from "./preferences";

const won = orderWith({ state: "won", profit: "8.50", payout: "18.50", settled_at: "2026-11-20T10:01:00.048Z" });

describe("orders", () => {
  it("move from open to recent when they settle", () => {
    const orders = useOrders();
    orders.apply(orderWith());
    expect(orders.open.map((order) => order.id)).toEqual(["o1"]);
    orders.apply(won);
    expect(orders.open).toEqual([]);
    expect(orders.recent.map((order) => order.state)).toEqual(["won"]);
    expect(orders.lastSettled?.id).toBe("o1");
  });

  it("never open again: a late answer loses against the settlement", () => {
    const orders = useOrders();
    orders.apply(won);
    orders.apply(orderWith());
    expect(orders.open).toEqual([]);
  });

  it("of one ledger are never mixed with another's", () => {
    const orders = useOrders();
    orders.apply(orderWith());
    orders.apply(orderWith({ id: "o2", ledger: "real" }));
    expect(orders.open.map((order) => order.id)).toEqual(["o1"]);
    usePreferences().ledger = "real";
    expect(orders.open.map((order) => order.id)).toEqual(["o2"]);
  });

  it("stand with the next expiry first", () => {
    const orders = useOrders();
    orders.apply(orderWith({ id: "late", expires_at: "2026-11-20T11:00:00.000Z" }));
    orders.apply(orderWith({ id: "soon" }));
    expect(orders.open.map((order) => order.id)).toEqual(["soon", "late"]);
  });
});
