import { flushPromises } from "@vue/test-utils";
import { createPinia, setActivePinia } from "pinia";
import { describe, expect, it, vi } from "vitest";
import { useBridgeAlerts, type RaisedAlert } from "./bridge-alerts";
import { useSession } from "./session";

const alert = (at: number, kind = "bad_sig"): RaisedAlert => ({ id: `a${String(at)}`, kind, account: "50012345", server: "Broker-Demo", address: "203.0.113.7", at: new Date(Date.UTC(2026, 10, 30, 10, 0, at)).toISOString() });

function answering(alerts: readonly RaisedAlert[]): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(() => Promise.resolve(new Response(JSON.stringify({ data: alerts, next_cursor: null }), { headers: { "Content-Type": "application/json" } })));
}

function logIn(id: number): void {
  useSession().state = { kind: "signed-in", user: { id, email: "a@example.com" } };
}

describe("unseen alerts of the bridge", () => {
  it("are counted once each, read or told, and none is left after a look", async () => {
    logIn(1);
    answering([alert(2), alert(1)]);
    const alerts = useBridgeAlerts();
    await alerts.read();
    alerts.apply(alert(2));
    alerts.apply(alert(3));
    expect([alerts.count, alerts.last?.id]).toEqual(["3", "a3"]);
    alerts.look();
    expect(alerts.count).toBe("");
    alerts.apply(alert(4));
    expect(alerts.count).toBe("1");
  });

  it("stay seen when the page is loaded anew, for the one who looked", async () => {
    logIn(1);
    answering([alert(2), alert(1)]);
    await useBridgeAlerts().read();
    useBridgeAlerts().look();
    setActivePinia(createPinia());
    logIn(1);
    await useBridgeAlerts().read();
    expect(useBridgeAlerts().unseen).toBe(0);
    setActivePinia(createPinia());
    logIn(2);
    await useBridgeAlerts().read();
    expect(useBridgeAlerts().unseen).toBe(2);
  });

  it("are many beyond nine, and a list that cannot be read costs the number only", async () => {
    logIn(1);
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("no network"));
    const alerts = useBridgeAlerts();
    await alerts.read();
    await flushPromises();
    expect(alerts.count).toBe("");
    for (let at = 0; at < 30; at += 1) alerts.apply(alert(at));
    expect(alerts.count).toBe("9+");
  });
});
