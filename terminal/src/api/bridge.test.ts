import { afterEach, describe, expect, it, vi } from "vitest";
import { ShapeFault } from "@/lib/shape";
import { installationWith, keyWith } from "@/features/bridge/test-documents";
import { aliasDrop, commandSend, installationsList, keyCreate, parametersRead, signalsList } from "./bridge";
import { ApiProblem, NoAnswer } from "./problem";

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

/** Answer every request so, and keep the requests. */
function answering(answer: () => Response): Request[] {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", (request: Request) => {
    asked.push(request);
    return Promise.resolve(answer());
  });
  return asked;
}

afterEach(() => { vi.unstubAllGlobals(); });

describe("the bridge's part of the API", () => {
  it("takes numbers for names", async () => {
    answering(() => json({ data: [{ ...installationWith(), id: 7 }], next_cursor: null }));
    expect(await installationsList()).toEqual([installationWith()]);
  });

  it.each([{ ...installationWith(), keys: null }, { ...installationWith(), ledger: "gold" }, { ...installationWith(), signals_24h: { received: "1" } }])("shows nothing of an answer that is not what it should be: %#", async (wrong) => {
    answering(() => json({ data: [wrong], next_cursor: null }));
    await expect(installationsList()).rejects.toBeInstanceOf(ShapeFault);
  });

  it("sends what is asked for and leaves out filters that are empty", async () => {
    const asked = answering(() => json({ data: [], next_cursor: "n" }));
    expect((await signalsList({ installation: "7", state: "", symbol: "EURUSD" }, "c")).next_cursor).toBe("n");
    const url = new URL(asked[0]?.url ?? "");
    expect([url.pathname, Object.fromEntries(url.searchParams)]).toEqual(["/api/v1/ea/signals", { installation: "7", symbol: "EURUSD", limit: "50", cursor: "c" }]);
  });

  it("names signals without a strategy, and strategies with a slash", async () => {
    const asked = answering(() => json({ rev: 0, values: {}, at: null, acked_rev: null, acked_at: null }));
    await parametersRead("7", "");
    await parametersRead("7", "a/b c");
    expect(asked.map((each) => new URL(each.url).pathname)).toEqual(["/api/v1/ea/installations/7/params/-", "/api/v1/ea/installations/7/params/a%2Fb%20c"]);
  });

  it("takes an answer without a body where none is due, and the number of a command", async () => {
    answering(() => new Response(null, { status: 204 }));
    await expect(aliasDrop("1")).resolves.toBeNull();
    const asked = answering(() => json({ no: 41 }, 202));
    expect(await commandSend("7", "pause")).toBe(41);
    expect(await asked[0]?.json()).toEqual({ cmd: "pause" });
  });

  it("tells a refusal from silence", async () => {
    answering(() => json({ code: "ea.keys_full", title: "Two keys", status: 409 }, 409));
    const wanted = { scopes: ["source"], ledgers: ["demo" as const], networks: [] };
    const refused: unknown = await keyCreate("7", wanted).catch((error: unknown) => error);
    expect(refused instanceof ApiProblem ? refused.code : refused).toBe("ea.keys_full");
    answering(() => new Response("", { status: 502 }));
    await expect(keyCreate("7", wanted)).rejects.toBeInstanceOf(NoAnswer);
    answering(() => json({ key: keyWith(), secret: "s" }, 201));
    expect((await keyCreate("7", wanted)).old_valid_until).toBeNull();
  });
});
