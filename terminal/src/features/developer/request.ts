import { csrfToken } from "@/api/client";
import { NoAnswer } from "@/api/problem";
import { rateNote } from "./rates";

export interface Draft {
  method: "GET" | "POST";
  path: string;
  body: string;
}

export interface Answered {
  status: number;
  statusText: string;
  ms: number;
  size: number;
  headers: [string, string][];
  text: string;
}

export interface DraftFault {
  key: "onlyApi" | "notJson" | "onlyDemo";
  reason: string;
}

const SHOWN_HEADERS = ["x-request-id", "ratelimit", "ratelimit-policy", "retry-after", "content-type", "idempotent-replayed", "etag"];

/** What the console refuses by itself: addresses outside the API, and orders that are not surely on Demo. */
export function draftFault(draft: Draft): DraftFault | null {
  if (!/^\/api\/v1\/[\w\-./~%?=&:,+]*$/.test(draft.path) || draft.path.includes("..")) return { key: "onlyApi", reason: "" };
  if (draft.method === "GET") return null;
  let body: unknown;
  try {
    body = JSON.parse(draft.body);
  } catch (error) {
    return { key: "notJson", reason: error instanceof Error ? error.message : "" };
  }
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  // A name that stands twice is read differently by different readers; only one reading may be possible.
  const once = (draft.body.match(/"(?:ledger|wallet_id|\\u[^"]*)"\s*:/g) ?? []).length === 1;
  return draft.path === "/api/v1/orders" && fields["ledger"] === "demo" && !("wallet_id" in fields) && once ? null : { key: "onlyDemo", reason: "" };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The same request as a program would send it. */
export function asCurl(draft: Draft, origin: string): string {
  const lines = [`curl ${draft.method === "GET" ? "" : `-X ${draft.method} `}${quoted(origin + draft.path)}`, `-H "Authorization: Bearer $TOKEN"`];
  if (draft.method !== "GET") lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(draft.body)}`);
  return lines.join(" \\\n  ");
}

/** Send the request as the user of this browser. @throws NoAnswer */
export async function draftSend(draft: Draft): Promise<Answered> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (draft.method !== "GET") Object.assign(headers, { "Content-Type": "application/json", "X-CSRFToken": csrfToken() });
  const beganAt = performance.now();
  try {
    const response = await fetch(draft.path, { method: draft.method, headers, credentials: "same-origin", cache: "no-store", ...(draft.method === "GET" ? {} : { body: draft.body }) });
    const bytes = new Uint8Array(await response.arrayBuffer());
    rateNote(response.headers);
    return {
      status: response.status,
      statusText: response.statusText,
      ms: Math.round(performance.now() - beganAt),
      size: bytes.length,
      headers: [...response.headers].filter(([name]) => SHOWN_HEADERS.includes(name)),
      text: new TextDecoder().decode(bytes),
    };
  } catch (error) {
    throw new NoAnswer(error instanceof Error ? error.message : "network failure");
  }
}

export interface Endpoint {
  key: string;
  group: "order" | "account" | "market" | "fairness";
  draft: Draft;
}

/** What the console offers, filled with the user's own values where it knows them. */
export function endpoints(own: { symbol: string; walletId: string; orderId: string; clientId: string; from: string; to: string }): Endpoint[] {
  const get = (group: Endpoint["group"], path: string): Endpoint => ({ key: `GET ${path.split("?")[0] ?? path}`, group, draft: { method: "GET", path: `/api/v1${path}`, body: "" } });
  const order = { ledger: "demo", symbol: own.symbol, direction: "up", stake: "1.00", duration_s: 60, client_order_id: own.clientId };
  const code = encodeURIComponent(own.symbol);
  return [
    { key: "POST /orders", group: "order", draft: { method: "POST", path: "/api/v1/orders", body: JSON.stringify(order, null, 2) } },
    get("account", "/me"),
    get("account", "/wallets"),
    get("account", `/wallets/${own.walletId}/entries?limit=5`),
    get("account", "/orders?ledger=demo&limit=5"),
    ...(own.orderId === "" ? [] : [get("account", `/orders/${own.orderId}`), get("account", `/orders/${own.orderId}/receipt`)]),
    get("account", "/events?after=0"),
    get("account", "/limits"),
    get("account", "/tokens?limit=5"),
    get("market", "/time"),
    get("market", "/symbols"),
    get("market", `/symbols/${code}/ticks?from=${own.from}&to=${own.to}`),
    get("market", `/symbols/${code}/candles?interval=1m&from=${own.from}&to=${own.to}`),
    get("market", `/symbols/${code}/payouts?limit=5`),
    get("fairness", "/fairness"),
    get("fairness", "/fairness/rules"),
    get("fairness", `/fairness/heads?symbol=${code}`),
    get("fairness", "/fairness/archives?limit=5"),
    get("fairness", "/fairness/resettlements?limit=5"),
  ];
}
