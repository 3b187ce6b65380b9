import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeSocket } from "@/lib/socket-fake";
import { AccountStream, type AccountStreamOptions } from "./account-stream";
import { ApiProblem } from "./problem";
import type { AccountEvent } from "./schema";

function event(seq: number, prev: number): AccountEvent {
  return { seq, prev_seq: prev, v: 1, type: "order.settled", at: "2026-11-20T00:00:00.000Z", ledger: "demo", data: { n: seq } };
}

const onSocket = (seq: number, prev: number): object => ({ channel: "account", ...event(seq, prev) });
const expired = new ApiProblem({ type: "", title: "", status: 410, detail: "", code: "events.cursor_expired", request_id: "", retryable: false, errors: [] });
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

const made: AccountStream[] = [];
let applied: number[] = [];
let stored: AccountEvent[] = [];

function streamWith(options: Partial<AccountStreamOptions> = {}): AccountStream {
  return new AccountStream({
    url: "ws://host/ws/v1/",
    lastSeq: () => Promise.resolve(stored.at(-1)?.seq ?? 0),
    eventsAfter: (seq) => Promise.resolve({ data: stored.filter((each) => each.seq > seq), last_seq: stored.at(-1)?.seq ?? 0 }),
    readState: () => Promise.resolve(),
    apply: (each) => applied.push(each.seq),
    onPublic: () => undefined,
    onState: () => undefined,
    onLatency: () => undefined,
    onSignedOut: () => undefined,
    ...options,
  });
}

async function started(options: Partial<AccountStreamOptions> = {}): Promise<AccountStream> {
  const stream = streamWith(options);
  made.push(stream);
  await stream.start();
  FakeSocket.last.open();
  return stream;
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.install();
  applied = [];
  stored = [event(10, 9), event(11, 10)];
});
afterEach(() => {
  for (const stream of made.splice(0)) stream.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("account stream", () => {
  it("takes the cursor before it reads the state, so that nothing falls between", async () => {
    const order: string[] = [];
    await started({
      lastSeq: () => { order.push("cursor"); return Promise.resolve(11); },
      readState: () => { order.push("state"); return Promise.resolve(); },
    });
    expect(order).toEqual(["cursor", "state"]);
    expect(FakeSocket.last.sent[0]).toEqual({ id: 1, type: "subscribe", channel: "account", after_seq: 11 });
  });

  it("applies events once and in order", async () => {
    const stream = await started();
    FakeSocket.last.hear(onSocket(12, 11));
    FakeSocket.last.hear(onSocket(12, 11));
    FakeSocket.last.hear(onSocket(14, 12));
    expect(applied).toEqual([12, 14]);
    expect(stream.seq).toBe(14);
  });

  it("fills a hole from the store before it goes on", async () => {
    await started();
    stored.push(event(12, 11), event(13, 12), event(14, 13));
    FakeSocket.last.hear(onSocket(14, 13));
    FakeSocket.last.hear(onSocket(15, 14));
    expect(applied).toEqual([]);
    await settle();
    expect(applied).toEqual([12, 13, 14, 15]);
  });

  it("subscribes from its cursor after a lost connection", async () => {
    await started();
    FakeSocket.last.hear(onSocket(12, 11));
    FakeSocket.last.drop(1006);
    await vi.advanceTimersByTimeAsync(20_000);
    FakeSocket.last.open();
    expect(FakeSocket.last.sent[0]).toMatchObject({ type: "subscribe", after_seq: 12 });
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("reads the state anew when the cursor is past retention", async () => {
    const readState = vi.fn(() => Promise.resolve());
    await started({ readState });
    stored = [event(90, 89)];
    FakeSocket.last.hear({ id: 1, type: "error", error: expired.body });
    await settle();
    expect(readState).toHaveBeenCalledTimes(2);
    expect(FakeSocket.last.sent.at(-2)).toMatchObject({ type: "subscribe", after_seq: 90 });
  });

  it("reads the state anew when the store no longer has the missing events", async () => {
    const readState = vi.fn(() => Promise.resolve());
    await started({ readState, eventsAfter: () => Promise.reject(expired) });
    stored = [event(90, 89)];
    FakeSocket.last.hear(onSocket(90, 89));
    await settle();
    expect(readState).toHaveBeenCalledTimes(2);
  });

  it("starts a new connection from the old cursor when a repair fails", async () => {
    await started({ eventsAfter: () => Promise.reject(new Error("no network")) });
    FakeSocket.last.hear(onSocket(20, 19));
    await settle();
    await vi.advanceTimersByTimeAsync(20_000);
    FakeSocket.last.open();
    expect(FakeSocket.last.sent[0]).toMatchObject({ after_seq: 11 });
    expect(applied).toEqual([]);
  });

  it("tells when the session is gone", async () => {
    const onSignedOut = vi.fn();
    await started({ onSignedOut });
    FakeSocket.last.drop(4401);
    expect(onSignedOut).toHaveBeenCalledOnce();
  });

  it("catches up by its cursor when the page comes back, before any socket says so", async () => {
    const stream = await started();
    stored = [...stored, event(12, 11), event(13, 12)];
    await stream.catchUp();
    FakeSocket.last.hear(onSocket(13, 12));
    await settle();
    expect(applied).toEqual([12, 13]);
  });
});
