import { describe, expect, it } from "vitest";
import { alertMessage, reachable, stakeGood, type MessageAsk } from "./alert-message";

const ask = (changes: Partial<MessageAsk> = {}): MessageAsk => ({ from: "strategy", direction: "call", strategy: "breakout", stake: "10.00", mode: "fixed", expiryS: 60, secret: "s3cret", ...changes });

describe("the message of an alert", () => {
  it("lets a strategy say what it did, with the secret of the hook", () => {
    expect(JSON.parse(alertMessage(ask()))).toEqual({
      secret: "s3cret", strategy: "breakout", ticker: "{{exchange}}:{{ticker}}", action: "{{strategy.order.action}}", time: "{{time}}", timenow: "{{timenow}}", price: "{{close}}", stake: "10.00", expiry_s: 60,
    });
  });

  it("says the direction for an indicator, and leaves out what there is not: unknown and empty members are refused", () => {
    const message = JSON.parse(alertMessage(ask({ from: "indicator", direction: "put", strategy: "", stake: "2,5", mode: "percent", secret: null }))) as Record<string, unknown>;
    expect(message).toMatchObject({ action: "put", stake: "2.5", stake_mode: "percent" });
    expect(Object.keys(message)).not.toContain("secret");
    expect(Object.keys(message)).not.toContain("strategy");
  });

  it("keeps quotes and backslashes of a name from breaking it", () => {
    expect(JSON.parse(alertMessage(ask({ strategy: 'a"b\\c' })))).toMatchObject({ strategy: 'a"b\\c' });
  });

  it.each([["10", "fixed", true], ["0,50", "fixed", true], ["0", "fixed", false], ["1.234", "fixed", false], ["all", "fixed", false], ["", "fixed", false], ["100", "percent", true], ["101", "percent", false]] as const)("takes a stake of %j %s: %s", (typed, mode, good) => {
    expect(stakeGood(typed, mode)).toBe(good);
  });

  it.each([["https://trade.example.com/ea/v1/hook/x", true], ["http://203.0.113.9/x", true], ["https://trade.example.com:8443/x", false], ["http://127.0.0.1/x", false], ["http://192.168.1.5/x", false], ["https://172.20.0.1/x", false], ["http://desk.local/x", false], ["http://[2001:db8::1]/x", false]])("knows whether TradingView reaches %s", (address, is) => {
    expect(reachable(address)).toBe(is);
  });
});
