import { afterEach, describe, expect, it, vi } from "vitest";
import { orderWith } from "@/test-data";
import { authState } from "./auth";
import { csrfToken } from "./client";
import { ApiProblem, NoAnswer } from "./problem";
import { orderPlace } from "./trading";
import type { NewOrder } from "./schema";

const order: NewOrder = { ledger: "demo", symbol: "EURUSD", direction: "up", stake: "10.00", duration_s: 60, client_order_id: "a1" };
const json = (body: unknown, status: number, type = "application/json"): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": type } });

afterEach(() => { vi.unstubAllGlobals(); });

describe("placing over a bad line", () => {
  it("repeats a lost request under the same client_order_id", async () => {
    const bodies: unknown[] = [];
    const answers = [() => Promise.reject(new TypeError("lost")), () => Promise.resolve(json("", 502, "text/html")), () => Promise.resolve(json(orderWith(), 200))];
    vi.stubGlobal("fetch", async (request: Request) => {
      bodies.push(await request.clone().json());
      return answers[bodies.length - 1]?.();
    });
    await expect(orderPlace(order, [0, 0, 0])).resolves.toMatchObject({ id: "o1" });
    expect(bodies).toEqual([order, order, order]);
  });

  it("gives up after the last attempt without an answer", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("lost")));
    await expect(orderPlace(order, [0])).rejects.toBeInstanceOf(NoAnswer);
  });

  it("does not repeat what the server refused", async () => {
    const fetched = vi.fn(() => Promise.resolve(json({ code: "market.stale", title: "Stale", status: 422, retryable: true }, 422, "application/problem+json")));
    vi.stubGlobal("fetch", fetched);
    const refused: unknown = await orderPlace(order, [0, 0]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ApiProblem);
    expect((refused as ApiProblem).code).toBe("market.stale");
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("sends the CSRF token of the cookie", async () => {
    document.cookie = "csrftoken=t%2B1";
    const fetched = vi.fn((request: Request) => Promise.resolve(json({ ...orderWith(), sent: request.url }, 201)));
    vi.stubGlobal("fetch", fetched);
    await orderPlace(order, []);
    expect(fetched.mock.calls[0]?.[0].headers.get("X-CSRFToken")).toBe("t+1");
    expect(csrfToken("a=1; csrftoken=xyz; b=2")).toBe("xyz");
  });
});

describe("state of a session", () => {
  it("is read from status and flows", () => {
    const user = { id: 1, email: "trader@example.com" };
    expect(authState(200, { data: { user } })).toEqual({ kind: "signed-in", user });
    expect(authState(401, { data: { flows: [{ id: "login" }, { id: "verify_email", is_pending: true }] } })).toEqual({ kind: "pending", flow: "verify_email" });
    expect(authState(401, { data: { flows: [{ id: "mfa_authenticate", is_pending: true }] } })).toEqual({ kind: "pending", flow: "mfa_authenticate" });
    expect(authState(410, {})).toEqual({ kind: "signed-out" });
  });
});
