import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fullJitterMs } from "./backoff";
import { ReconnectingSocket, type SocketOptions } from "./socket";
import { FakeSocket } from "./socket-fake";

const states: string[] = [];
const heard: unknown[] = [];

const made: ReconnectingSocket[] = [];

function socketWith(options: Partial<SocketOptions> = {}): ReconnectingSocket {
  const socket = new ReconnectingSocket({
    url: "ws://host/ws",
    onOpen: () => undefined,
    onMessage: (message) => heard.push(message),
    onState: (state) => states.push(state),
    random: () => 0.5,
    ...options,
  });
  made.push(socket);
  return socket;
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.install();
  states.length = heard.length = 0;
});
afterEach(() => {
  for (const socket of made.splice(0)) socket.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("back-off", () => {
  it("draws from the whole range up to a growing ceiling", () => {
    const bounds = { baseMs: 1000, maxMs: 15_000 };
    expect(fullJitterMs(0, bounds, () => 0)).toBe(0);
    expect(fullJitterMs(0, bounds, () => 0.999)).toBe(999);
    expect(fullJitterMs(3, bounds, () => 0.5)).toBe(4000);
    expect(fullJitterMs(40, bounds, () => 0.5)).toBe(7500);
  });
});

describe("reconnecting socket", () => {
  it("comes back after a loss, waiting longer each time it fails", () => {
    socketWith().start();
    FakeSocket.last.open();
    FakeSocket.last.drop(1006);
    vi.advanceTimersByTime(499);
    expect(FakeSocket.all).toHaveLength(1);
    vi.advanceTimersByTime(1);
    FakeSocket.last.drop(1006);
    vi.advanceTimersByTime(999);
    expect(FakeSocket.all).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(FakeSocket.all).toHaveLength(3);
    expect(states).toEqual(["connecting", "open", "waiting", "connecting", "waiting", "connecting"]);
  });

  it("counts a peer as gone that does not answer a ping", () => {
    socketWith().start();
    FakeSocket.last.open();
    expect(FakeSocket.last.sent).toEqual([{ type: "ping" }]);
    vi.advanceTimersByTime(10_000);
    expect(states.at(-1)).toBe("waiting");
  });

  it("pings every 20 seconds, measures the answer and keeps it from its user", () => {
    const latencies: number[] = [];
    socketWith({ onLatency: (ms) => latencies.push(ms) }).start();
    FakeSocket.last.open();
    vi.advanceTimersByTime(30);
    FakeSocket.last.hear({ type: "pong" });
    vi.advanceTimersByTime(20_000);
    FakeSocket.last.hear({ type: "pong" });
    expect(FakeSocket.last.sent).toHaveLength(2);
    expect(latencies[0]).toBe(30);
    expect(heard).toEqual([]);
    expect(states.at(-1)).toBe("open");
  });

  it("hands over messages and survives text that is no JSON", () => {
    socketWith().start();
    FakeSocket.last.open();
    FakeSocket.last.hearText("{broken");
    FakeSocket.last.hear({ type: "ok" });
    expect(heard).toEqual([{ type: "ok" }]);
  });

  it("stays away after a final close code", () => {
    const final = vi.fn();
    socketWith({ finalCodes: [4401], onFinal: final }).start();
    FakeSocket.last.open();
    FakeSocket.last.drop(4401);
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(final).toHaveBeenCalledWith(4401);
  });

  it("tries at once when the browser is online again", () => {
    socketWith().start();
    FakeSocket.last.open();
    dispatchEvent(new Event("offline"));
    expect(states.at(-1)).toBe("waiting");
    dispatchEvent(new Event("online"));
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("says nothing more after it was stopped", () => {
    const socket = socketWith();
    socket.start();
    FakeSocket.last.open();
    socket.stop();
    FakeSocket.last.drop(1006);
    vi.advanceTimersByTime(60_000);
    expect(states.at(-1)).toBe("idle");
    expect(FakeSocket.all).toHaveLength(1);
    expect(socket.send({})).toBe(false);
  });
});
