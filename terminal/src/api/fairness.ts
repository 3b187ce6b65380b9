/** The public evidence of the platform. Its answers are read with care: an older server does not have all of them. */

import { NoAnswer, problemFrom } from "./problem";
import type { Page } from "./contract";

export interface ArchiveRecord {
  symbol: string;
  day: string;
  complete: boolean;
  ticks: number;
  seals: number;
  /** Null until the day has ended. */
  root: string | null;
}

export interface Constant {
  name: string;
  value: number;
}

export interface Rule {
  slug: string;
  kind: string;
  name: string;
  constants: Constant[];
  symbols: string[];
}

export interface RuleText extends Rule {
  words: string;
  vectors: unknown[] | null;
}

export interface PayoutFunction {
  formula: string[];
  break_even: { payout_percent: number; break_even_percent: number }[];
}

export interface Resettlement {
  at: string;
  from: string | null;
  to: string;
  checked: number;
  differences: number;
  unavailable: number;
}

export interface Share {
  count: number;
  percent: number;
}

export interface ExecutionGroup {
  shown: boolean;
  clients: number;
  orders: number | null;
  latency: { p50_us: number | null; p95_us: number | null; p99_us: number | null } | null;
  refusal_percent: number | null;
  refund_percent: number | null;
  payout_percent_mean: number | null;
}

export interface Comparison {
  days: number;
  longer_percent: number | null;
}

export interface LedgerExecution {
  all: ExecutionGroup;
  winners: ExecutionGroup;
  losers: ExecutionGroup;
  winners_against_losers: Comparison | null;
}

export interface Execution {
  first_day: string;
  last_day: string;
  clients_min: number;
  real: LedgerExecution;
  demo: LedgerExecution;
  real_against_demo: Comparison | null;
}

export interface Incident {
  kind: string;
  symbol: string;
  began_at: string;
  ended_at: string | null;
  reason: string | null;
  orders: number | null;
}

export interface PayoutChange {
  at: string;
  percent: number;
  inputs: Record<string, unknown>;
}

/** How a client fares who sees the market before the log does. */
export interface LeadRow {
  prices: string;
  moment: string;
  duration_s: number;
  lead_ms: number;
  entry_rule: string;
  won: number;
  lost: number;
  win_percent: string | null;
  interval: [string, string] | null;
}

/** How often one wrong tick changes a result. */
export interface OutlierRow {
  settlement_rule: string;
  duration_s: number;
  before_expiry_ms: number;
  outlier_percent: string;
  filter: boolean;
  orders: number;
  changed_percent: string | null;
  interval: [string, string] | null;
}

export interface Studies {
  sample: { market: string; recorded_on: string; seconds: string }[];
  leads: { break_even_percent: string; rows: LeadRow[] };
  outliers: { rows: OutlierRow[] };
}

/**
 * Read bytes exactly as the server sent them: a signature is over bytes, so nothing may parse and rewrite them.
 * @throws ApiProblem when the server refused
 * @throws NoAnswer when there was no answer
 */
export async function bytesRead(path: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin" });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new NoAnswer(error instanceof Error ? error.message : "network failure");
  }
  const body: unknown = await response.json().catch(() => null);
  throw problemFrom(body, response);
}

/** Read a document of the public evidence. */
export async function fairnessRead<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  const search = new URLSearchParams(query).toString();
  const bytes = await bytesRead(`/api/v1/${path}${search === "" ? "" : `?${search}`}`);
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

export const archivePath = (symbol: string, day: string): string => `/api/v1/fairness/archives/${day}/${encodeURIComponent(symbol)}`;
export const receiptPath = (orderId: string): string => `/api/v1/orders/${encodeURIComponent(orderId)}/receipt`;
export const KEYS_PATH = "/api/v1/fairness/keys";
export const VERIFIER_PATH = "/api/v1/fairness/verifier";

export function archivesList(symbol: string | null, cursor?: string): Promise<Page<ArchiveRecord>> {
  return fairnessRead("fairness/archives", { limit: "20", ...(symbol === null ? {} : { symbol }), ...(cursor === undefined ? {} : { cursor }) });
}

export const resettlementsList = (cursor?: string): Promise<Page<Resettlement>> => fairnessRead("fairness/resettlements", { limit: "7", ...(cursor === undefined ? {} : { cursor }) });
export const incidentsList = (cursor?: string): Promise<Page<Incident>> => fairnessRead("fairness/incidents", { limit: "20", ...(cursor === undefined ? {} : { cursor }) });
export const executionRead = (): Promise<Execution> => fairnessRead("fairness/execution");
export const rulesList = (): Promise<{ data: Rule[] }> => fairnessRead("fairness/rules");
export const rulePath = (slug: string): string => `/api/v1/fairness/rules/${encodeURIComponent(slug)}`;
export const ruleRead = (slug: string): Promise<RuleText> => fairnessRead(`fairness/rules/${encodeURIComponent(slug)}`);
export const payoutFunctionRead = (): Promise<PayoutFunction> => fairnessRead("fairness/payout-function");
export const studiesRead = (): Promise<Studies> => fairnessRead("fairness/studies");
export const payoutsList = (symbol: string, cursor?: string): Promise<Page<PayoutChange>> => fairnessRead(`symbols/${encodeURIComponent(symbol)}/payouts`, { limit: "10", ...(cursor === undefined ? {} : { cursor }) });

export interface InvariantNight {
  at: string;
  checked: number;
  violated: number;
  invariants: { name: string; violations: number }[];
}

export interface SigningKey {
  key_id: string;
  kind: "production" | "dev";
  public_key: string;
  since: string;
  until: string | null;
}

export const invariantsList = (): Promise<Page<InvariantNight>> => fairnessRead("fairness/invariants", { limit: "7" });
export const keysList = (): Promise<{ data: SigningKey[] }> => fairnessRead("fairness/keys");
