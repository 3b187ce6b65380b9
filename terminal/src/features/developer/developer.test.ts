import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FRAMES_KEPT, FrameLog } from "./frames";
import { spacedJson } from "./pretty";
import { leftNow, rateRead } from "./rates";
import { asCurl, draftFault } from "./request";

describe("the console's own refusals", () => {
  const order = (body: string) => draftFault({ method: "POST", path: "/api/v1/orders", body });

  it("places on Demo and nowhere else", () => {
    expect(order('{"ledger": "demo", "stake": "1.00"}')).toBeNull();
    for (const body of [
      '{"ledger": "real"}', "{}", "[]", "null", '"demo"', '{"ledger": "demo", "wallet_id": "x"}', '{"ledger": "real", "ledger": "demo"}', '{"ledger": "demo", "\\u006cedger": "real"}',
    ]) expect(order(body)?.key).toBe("onlyDemo");
    expect(order("{")?.key).toBe("notJson");
  });

  it("writes nothing but orders", () => {
    expect(draftFault({ method: "POST", path: "/api/v1/tokens", body: '{"ledger": "demo"}' })?.key).toBe("onlyDemo");
  });

  it.each(["https://elsewhere.example/api/v1/me", "//elsewhere.example/api/v1/", "/_allauth/browser/v1/config", "/api/v1/../../admin/"])("does not leave the API for %s", (path) => {
    expect(draftFault({ method: "GET", path, body: "" })?.key).toBe("onlyApi");
  });

  it("quotes what a shell would read otherwise", () => {
    expect(asCurl({ method: "POST", path: "/api/v1/orders", body: '{"note": "it\'s"}' }, "http://h")).toContain(`-d '{"note": "it'\\''s"}'`);
  });
});

describe("spaced out JSON", () => {
  it("leaves numbers and strings exactly as they came", () => {
    expect(spacedJson('{"n":12345678901234567890.10,"s":"a,{\\"b\\":1}","e":[],"l":[1,{}]}')).toBe('{\n  "n": 12345678901234567890.10,\n  "s": "a,{\\"b\\":1}",\n  "e": [],\n  "l": [\n    1,\n    {}\n  ]\n}');
  });

  it("leaves other texts alone", () => {
    expect(spacedJson("{ no json")).toBe("{ no json");
  });
});

describe("rate limits", () => {
  const headers = new Headers({ RateLimit: '"reads";r=40;t=0', "RateLimit-Policy": '"reads";q=100;w=2' });

  it("reads the headers and fills up again, never beyond all", () => {
    const rate = rateRead(headers, 1000);
    expect(rate).toEqual({ group: "reads", left: 40, all: 100, perSecond: 50, atMs: 1000 });
    if (!rate) return;
    expect([leftNow(rate, 1000), leftNow(rate, 1500), leftNow(rate, 60_000)]).toEqual([40, 65, 100]);
  });

  it("says nothing about an answer without them", () => {
    expect(rateRead(new Headers(), 0)).toBeNull();
  });
});

describe("frames of a socket", () => {
  class Fake {
    static last: Fake;
    onopen: (() => void) | null = null;
    onmessage: ((event: { data: string }) => void) | null = null;
    onclose: ((event: { code: number }) => void) | null = null;
    sent: string[] = [];
    constructor() { Fake.last = this; }
    send(text: string): void { this.sent.push(text); }
    close(): void { this.onclose?.({ code: 1000 }); }
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "requestAnimationFrame"] });
    vi.stubGlobal("WebSocket", Fake);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("keeps the newest only, and stands still while paused", () => {
    const log = new FrameLog();
    log.start("ws://x", [{ id: 1 }]);
    Fake.last.onopen?.();
    for (let each = 0; each < FRAMES_KEPT + 5; each += 1) Fake.last.onmessage?.({ data: String(each) });
    vi.advanceTimersToNextFrame();
    expect(log.frames.value).toHaveLength(FRAMES_KEPT);
    expect(log.frames.value.at(-1)?.text).toBe(String(FRAMES_KEPT + 4));
    log.pause();
    Fake.last.onmessage?.({ data: "later" });
    vi.advanceTimersToNextFrame();
    expect([log.held.value, log.frames.value.at(-1)?.text]).toEqual([1, String(FRAMES_KEPT + 4)]);
    log.resume();
    expect(log.frames.value.at(-1)?.text).toBe("later");
    log.stop();
    expect(log.state.value).toBe("idle");
  });

  it("says with which code the server closed", () => {
    const log = new FrameLog();
    log.start("ws://x", []);
    Fake.last.onclose?.({ code: 4401 });
    expect([log.state.value, log.closeCode.value]).toEqual(["closed", 4401]);
  });
});
