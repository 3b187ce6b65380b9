/** What the sockets say, narrowed from unknown JSON. */

import type { AccountEvent, MarketState, ProblemBody } from "./schema";

export interface QuoteTick {
  symbol: string;
  seq: number;
  at: string;
  price: string;
}

export type QuotesMessage =
  | { kind: "ticks"; ticks: QuoteTick[] }
  | { kind: "feed"; symbol: string; state: MarketState }
  | { kind: "other" };

export type AccountMessage =
  | { kind: "ok"; id: number }
  | { kind: "error"; id: number | null; error: ProblemBody }
  | { kind: "event"; event: AccountEvent }
  | { kind: "public"; type: string; data: unknown }
  | { kind: "other" };

type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTick(value: unknown): value is QuoteTick {
  return isFields(value) && typeof value["symbol"] === "string" && typeof value["price"] === "string" && typeof value["at"] === "string";
}

export function quotesMessage(raw: unknown): QuotesMessage {
  if (!isFields(raw)) return { kind: "other" };
  if (raw["type"] === "ticks" && Array.isArray(raw["ticks"])) return { kind: "ticks", ticks: raw["ticks"].filter(isTick) };
  if (raw["type"] === "feed" && typeof raw["symbol"] === "string" && typeof raw["state"] === "string") {
    return { kind: "feed", symbol: raw["symbol"], state: raw["state"] as MarketState };
  }
  return { kind: "other" };
}

function isProblem(value: unknown): value is ProblemBody {
  return isFields(value) && typeof value["code"] === "string";
}

export function accountMessage(raw: unknown): AccountMessage {
  if (!isFields(raw)) return { kind: "other" };
  const id = typeof raw["id"] === "number" ? raw["id"] : null;
  if (raw["type"] === "ok" && id !== null) return { kind: "ok", id };
  if (raw["type"] === "error" && isProblem(raw["error"])) return { kind: "error", id, error: raw["error"] };
  if (raw["channel"] === "account" && typeof raw["seq"] === "number") {
    return { kind: "event", event: raw as unknown as AccountEvent };
  }
  if (raw["channel"] === "symbols" && typeof raw["type"] === "string") return { kind: "public", type: raw["type"], data: raw["data"] };
  return { kind: "other" };
}
