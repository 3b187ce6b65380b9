/** The bridge to MetaTrader as its owner sees it: installations and keys, signals, where their time went. */

import { flag, listOf, measure, oneOf, optional, recordOf, shape, text, whole, type Reader, type Shaped } from "@/lib/shape";
import { http } from "./client";
import { NoAnswer, problemFrom } from "./problem";
import type { Ledger, Page } from "./schema";

export const STATES = ["active", "reducing", "halted"] as const;
export const COMMANDS = ["pause", "resume", "flush", "resync"] as const;
export const WINDOWS = ["1h", "24h", "7d"] as const;
export const COMPONENTS = ["signal", "transport", "log", "risk", "placement"] as const;
export type TradingState = (typeof STATES)[number];
export type Command = (typeof COMMANDS)[number];
export type Window = (typeof WINDOWS)[number];
export type Component = (typeof COMPONENTS)[number];

// --- what the server answers --------------------------------------------------------------------------
const ledger = oneOf("real", "demo", "tournament");
/** A number that names something is a name all the same. */
const ident: Reader<string> = (value, path = "") => (typeof value === "number" ? String(whole(value, path)) : text(value, path));
const state = oneOf(...STATES);

const keyRecord = shape({
  kid: text, scopes: listOf(text), ledgers: listOf(ledger), networks: listOf(text), made_at: text, valid_from: text, valid_until: optional(text), revoked_at: optional(text),
  in_force: flag,
});

const installation = shape({
  id: ident, account: text, server: text, ledger, tournament_wallet_id: optional(text), prefix: text, suffix: text, made_at: text,
  state: shape({ state, reason: optional(text), at: optional(text) }), params_revs: recordOf(whole), online: flag, last_seen_at: optional(text), transport: optional(text),
  keys: listOf(keyRecord), signals_24h: shape({ received: whole, accepted: whole, denied: whole, rejected: whole, expired: whole }),
});

const held = shape({ scope: text, name: optional(text), state, reason: optional(text), at: optional(text) });

const scalar: Reader<string | number | boolean> = (value, path = "") => (typeof value === "boolean" ? value : typeof value === "number" ? measure(value, path) : text(value, path));
const parameters = shape({ rev: whole, values: recordOf(scalar), at: optional(text), acked_rev: optional(whole), acked_at: optional(text) });

const latency = shape({
  signal_ms: optional(measure), transport_ms: optional(measure), transport_uncertainty_ms: optional(measure), log_ms: optional(measure), risk_ms: optional(measure),
  placement_ms: optional(measure), total_ms: optional(measure),
});
const signalMembers = {
  event_id: text, installation_id: ident, kid: text, seq: whole, source: text, src_ticket: optional(text), action: text, strategy: text, raw_symbol: optional(text),
  symbol: optional(text), state: text, code: optional(text), order_id: optional(text), received_at: text, repeats: whole, latency: optional(latency),
  drift: optional(shape({ price: optional(text), payout_points: optional(measure) })),
};
const signal = shape(signalMembers);
const signalDetail = shape({ ...signalMembers, transitions: listOf(shape({ state: text, actor: text, code: optional(text), at: text })), raw: text });

const percentiles = shape({ p50_ms: optional(measure), p95_ms: optional(measure), p99_ms: optional(measure) });
const drift = shape({ p50: optional(measure), p95: optional(measure), p99: optional(measure), unit: optional(text) });
const attribution = shape({
  at: text, window: text,
  rows: listOf(shape({
    strategy: text, symbol: text, signals: whole, repeated: whole,
    components: shape({ signal: percentiles, transport: percentiles, log: percentiles, risk: percentiles, placement: percentiles, total: percentiles }),
    price_drift: drift, payout_drift: drift,
  })),
});

const unknownSymbol = shape({ id: ident, installation_id: ident, raw: text, first_at: text, last_at: text, times: whole, candidates: listOf(text) });
const alias = shape({ id: ident, installation_id: optional(ident), raw: text, symbol: text });
const alert = shape({ id: ident, kind: text, installation_id: ident, kid: text, address: text, detail: text, at: text });

export type Installation = Shaped<typeof installation>;
export type KeyRecord = Shaped<typeof keyRecord>;
export type HeldState = Shaped<typeof held>;
export type Parameters = Shaped<typeof parameters>;
export type ParameterValue = Parameters["values"][string];
export type Latency = Shaped<typeof latency>;
export type Signal = Shaped<typeof signal>;
export type SignalDetail = Shaped<typeof signalDetail>;
export type Percentiles = Shaped<typeof percentiles>;
export type Drift = Shaped<typeof drift>;
export type Attribution = Shaped<typeof attribution>;
export type AttributionRow = Attribution["rows"][number];
export type UnknownSymbol = Shaped<typeof unknownSymbol>;
export type Alias = Shaped<typeof alias>;
export type BridgeAlert = Shaped<typeof alert>;

// --- asking -------------------------------------------------------------------------------------------
type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Query = Record<string, string | number | undefined>;

interface Untyped {
  request: (method: Lowercase<Method>, path: string, init: object) => Promise<{ data?: unknown; error?: unknown; response: Response }>;
}

const EMPTY = new Set([202, 204]);

/**
 * Ask the bridge's part of the API and take the answer only in the shape that it should have.
 * @throws ApiProblem when the server refused
 * @throws NoAnswer when there was none
 * @throws ShapeFault when the answer is something else
 */
async function ask<T>(read: Reader<T>, method: Method, path: string, { query = {}, body }: { query?: Query; body?: object } = {}): Promise<T> {
  const wanted = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== ""));
  const init = { params: { query: wanted }, ...(body === undefined ? {} : { body }) };
  const { data, error, response } = await (http as unknown as Untyped).request(method.toLowerCase() as Lowercase<Method>, `/api/v1/ea/${path}`, init);
  if (response.ok) return read(data === undefined && EMPTY.has(response.status) ? null : data);
  const problem = problemFrom(error, response);
  if ([502, 503, 504].includes(response.status) && problem.code.startsWith("http.")) throw new NoAnswer(problem.message);
  throw problem;
}

const nothing: Reader<null> = () => null;
const at = (id: string): string => `installations/${encodeURIComponent(id)}`;

/** A list, with a cursor where more may follow. */
const pageOf = <T>(read: Reader<T>): Reader<Page<T>> => shape({ data: listOf(read), next_cursor: optional(text) });

/** The most that a page holds. */
const PAGE_MAX = 500;

/** A list that is short by its nature, as one page. */
async function rowsOf<T>(read: Reader<T>, path: string, query: Query = { limit: PAGE_MAX }): Promise<T[]> {
  return (await ask(pageOf(read), "GET", path, { query })).data;
}

// --- installations and keys ---------------------------------------------------------------------------
export interface Place {
  account: string;
  server: string;
  ledger: Ledger;
  wallet_id?: string;
}

export interface KeyWanted {
  scopes: string[];
  ledgers: Ledger[];
  networks: string[];
  valid_days?: number;
}

const newKey = shape({ key: keyRecord, secret: text, old_valid_until: optional(text) });
const pairing = shape({ code: text, expires_at: text });
export type NewKey = Shaped<typeof newKey>;
export type Pairing = Shaped<typeof pairing>;

export const installationsList = (): Promise<Installation[]> => rowsOf(installation, "installations");
/** Register a terminal's account, or find it registered: the same account at the same server is one installation. */
export const installationAdd = (place: Place): Promise<Installation> => ask(installation, "POST", "installations", { body: place });
export const installationChange = (id: string, changes: { ledger?: Ledger; wallet_id?: string; prefix?: string; suffix?: string }): Promise<Installation> => ask(installation, "PATCH", at(id), { body: changes });
/** Make a key; its secret is in this answer and nowhere else. */
export const keyCreate = (id: string, wanted: KeyWanted): Promise<NewKey> => ask(newKey, "POST", `${at(id)}/keys`, { body: wanted });
/** Make a key's successor with the same rights; both work until the old one runs out. */
export const keyRotate = (kid: string): Promise<NewKey> => ask(newKey, "POST", `keys/${encodeURIComponent(kid)}/rotate`, { body: {} });
export const keyRevoke = (kid: string): Promise<KeyRecord> => ask(shape({ key: keyRecord }), "POST", `keys/${encodeURIComponent(kid)}/revoke`, { body: {} }).then((answer) => answer.key);
export const pairingBegin = (id: string, wanted: { ledgers: Ledger[]; networks: string[] }): Promise<Pairing> => ask(pairing, "POST", `${at(id)}/pairing`, { body: wanted });

// --- hooks of TradingView -----------------------------------------------------------------------------
const hookMembers = {
  id: text, name: text, ledgers: listOf(ledger), networks: listOf(text), has_secret: flag, made_at: text, revoked_at: optional(text), in_force: flag, last_used_at: optional(text),
};
const hook = shape(hookMembers);
const newHook = shape({ ...hookMembers, url: text, secret: optional(text) });
export type Hook = Shaped<typeof hook>;
export type NewHook = Shaped<typeof newHook>;

export interface HookWanted {
  name: string;
  ledgers: Ledger[];
  networks: string[];
  with_secret: boolean;
}

/** The hooks of an installation, newest first, those that have ended included. */
export const hooksList = (id: string): Promise<Hook[]> => rowsOf(hook, `${at(id)}/hooks`);
/** Make a hook; its address and its secret are in this answer and nowhere else. */
export const hookCreate = (id: string, wanted: HookWanted): Promise<NewHook> => ask(newHook, "POST", `${at(id)}/hooks`, { body: wanted });
/** End a hook at once and for ever. */
export const hookEnd = (id: string, hookId: string): Promise<unknown> => ask(nothing, "DELETE", `${at(id)}/hooks/${encodeURIComponent(hookId)}`);

// --- what holds for an installation -------------------------------------------------------------------
export const statesList = (id: string): Promise<HeldState[]> => rowsOf(held, `${at(id)}/states`, {});
export const stateSet = (id: string, wanted: { state: TradingState; reason: string; strategy?: string }): Promise<unknown> => ask(nothing, "PUT", `${at(id)}/state`, { body: wanted });
/** Signals without a strategy have parameters, too; in addresses they are called so. */
const paramsAt = (id: string, strategy: string): string => `${at(id)}/params/${strategy === "" ? "-" : encodeURIComponent(strategy)}`;
export const parametersRead = (id: string, strategy: string): Promise<Parameters> => ask(parameters, "GET", paramsAt(id, strategy));
export const parametersWrite = (id: string, strategy: string, values: Record<string, ParameterValue>): Promise<Parameters> => ask(parameters, "PUT", paramsAt(id, strategy), { body: { values } });
export const commandSend = (id: string, cmd: Command): Promise<number> => ask(shape({ no: whole }), "POST", `${at(id)}/commands`, { body: { cmd } }).then((answer) => answer.no);

// --- names of symbols ---------------------------------------------------------------------------------
export const unknownSymbols = (): Promise<UnknownSymbol[]> => rowsOf(unknownSymbol, "symbols/unknown");
export const aliasesList = (): Promise<Alias[]> => rowsOf(alias, "aliases");
export const aliasAdd = (wanted: { installation_id: string; raw: string; symbol: string }): Promise<Alias> => ask(alias, "POST", "aliases", { body: wanted });
export const aliasDrop = (id: string): Promise<unknown> => ask(nothing, "DELETE", `aliases/${encodeURIComponent(id)}`);

// --- signals and what is told about them --------------------------------------------------------------
export interface SignalsQuery {
  installation?: string;
  state?: string;
  strategy?: string;
  symbol?: string;
}

export const signalsList = (query: SignalsQuery, cursor?: string, limit = 50): Promise<Page<Signal>> => ask(pageOf(signal), "GET", "signals", { query: { ...query, limit, cursor } });
export const signalRead = (eventId: string): Promise<SignalDetail> => ask(signalDetail, "GET", `signals/${encodeURIComponent(eventId)}`);
export const attributionRead = (window: Window, installationId?: string): Promise<Attribution> => ask(attribution, "GET", "attribution", { query: { by: "strategy,symbol", window, installation: installationId } });
export const alertsList = (cursor?: string, limit = 50): Promise<Page<BridgeAlert>> => ask(pageOf(alert), "GET", "alerts", { query: { limit, cursor } });

/** The experts' sources as one archive. */
export const EXPERTS_PATH = "/ea/v1/experts.zip";

// --- risk limits --------------------------------------------------------------------------------------
export const SIDES = ["soft", "hard"] as const;
export type Side = (typeof SIDES)[number];
/** One value of each limit; which there are is the form's affair, so that a newer server's are kept. */
export type Bounds = Record<string, unknown>;

const anything: Reader<unknown> = (value) => value;
const bounds = recordOf(anything);
const stop = shape({ stop: text, wallet_id: text, ledger, tripped: flag, reason: text, at: text, lost: optional(text), limit: optional(text) });
const riskLimits = shape({ version: whole, at: optional(text), soft: bounds, hard: bounds, state_of_stops: listOf(stop) });
export type RiskLimits = Shaped<typeof riskLimits>;
export type StopState = Shaped<typeof stop>;

export const riskLimitsRead = (id: string): Promise<RiskLimits> => ask(riskLimits, "GET", `${at(id)}/limits`);
/** @throws ApiProblem with status 409 when somebody was faster: `version` is that of the document that was changed */
export const riskLimitsWrite = (id: string, wanted: { version: number; soft: Bounds; hard: Bounds }): Promise<RiskLimits> => ask(riskLimits, "PUT", `${at(id)}/limits`, { body: wanted });
export const stopReset = (id: string, wanted: { stop: string; wallet_id: string; reason: string }): Promise<RiskLimits> => ask(riskLimits, "POST", `${at(id)}/limits/reset`, { body: wanted });
