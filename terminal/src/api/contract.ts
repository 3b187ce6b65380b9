/**
 * The part of the server's contract this client uses, in the shape that openapi-typescript writes.
 * `npm run api` writes `schema.d.ts` from the server's schema; `schema.ts` chooses between the two.
 */

export type Ledger = "real" | "demo" | "tournament";
export type Direction = "up" | "down";
export type MarketState = "open" | "closed" | "halted" | "close_only" | "stale";
export type OrderState = "open" | "won" | "lost" | "tied" | "refunded";

export interface Tick {
  seq: number;
  at: string;
  price: string;
}

export interface SymbolRecord {
  code: string;
  name: string;
  asset_class: string;
  feed: string;
  state: MarketState;
  state_reason: string | null;
  next_open: string | null;
  payout_percent: number;
  break_even_percent: string | number;
  min_stake: string;
  max_stake: string;
  min_duration_s: number;
  max_duration_s: number;
  price_scale: number;
  price_source: "mid" | "last";
  max_tick_age_ms: number;
  entry_rule: string;
  settlement_rule: string;
  last_tick: Tick | null;
}

export interface CandleRecord {
  start: string;
  open: string;
  high: string;
  low: string;
  close: string;
  ticks: number;
  closed: boolean;
}

export interface Wallet {
  id: string;
  ledger: Ledger;
  kind: string;
  tournament_id: string | null;
  currency: string;
  balance: string;
  open_stakes: string;
  state: string;
}

export interface WalletEntry {
  no: number;
  at: string;
  kind: string;
  amount: string;
  balance_after: string;
  reference: string | null;
}

export interface Order {
  id: string;
  client_order_id: string;
  ledger: Ledger;
  wallet_id: string;
  symbol: string;
  direction: Direction;
  stake: string;
  payout_percent: number;
  entry_rule: string;
  settlement_rule: string;
  state: OrderState;
  accepted_at: string;
  entered_at: string | null;
  open_price: string | null;
  open_tick: Tick | null;
  expires_at: string;
  close_price: string | null;
  close_tick: Tick | null;
  settled_at: string | null;
  payout: string | null;
  profit: string | null;
  reason: string | null;
  source: string;
  balance_after: string | null;
}

export interface NewOrder {
  ledger?: Ledger;
  wallet_id?: string;
  symbol: string;
  direction: Direction;
  stake: string;
  duration_s?: number;
  expires_at?: string;
  client_order_id: string;
  min_payout_percent?: number;
  max_price_drift?: string;
  expected_price?: string;
}

export interface AccountEvent {
  seq: number;
  prev_seq?: number | null;
  v: number;
  type: string;
  at: string;
  ledger: Ledger | null;
  data: unknown;
}

export interface BalanceChange {
  wallet_id: string;
  ledger: Ledger;
  balance: string;
  open_stakes: string;
  cause: string;
}

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  retryable: boolean;
  errors: { field: string; code: string; message: string }[];
}

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

interface Content<T> {
  headers: Record<string, unknown>;
  content: { "application/json": T };
}

interface Problems {
  headers: Record<string, unknown>;
  content: { "application/problem+json": ProblemBody };
}

interface Get<Query, Path, Answer> {
  parameters: { query?: Query; header?: never; path: Path; cookie?: never };
  requestBody?: never;
  responses: { 200: Content<Answer>; default: Problems };
}

interface Post<Body, Path, Header, Answer> {
  parameters: { query?: never; header: Header; path: Path; cookie?: never };
  requestBody: { content: { "application/json": Body } };
  responses: { 200: Content<Answer>; 201: Content<Answer>; default: Problems };
}

type NoPath = Record<never, never>;
type NoHeader = Record<never, never>;

export interface OrdersQuery {
  state?: "open" | "settled";
  ledger?: Ledger;
  symbol?: string;
  client_order_id?: string;
  from?: string;
  to?: string;
  limit?: number;
  cursor?: string;
}

export interface paths {
  "/api/v1/time": { get: Get<never, NoPath, { server_time: string }> };
  "/api/v1/symbols": { get: Get<{ limit?: number; cursor?: string }, NoPath, Page<SymbolRecord>> };
  "/api/v1/symbols/{code}/candles": {
    get: Get<{ interval: string; from?: string; to?: string }, { code: string }, Page<CandleRecord>>;
  };
  "/api/v1/wallets": { get: Get<{ limit?: number; cursor?: string }, NoPath, Page<Wallet>> };
  "/api/v1/wallets/{id}/refill": {
    post: Post<Record<string, never>, { id: string }, { "Idempotency-Key": string }, Wallet>;
  };
  "/api/v1/wallets/{id}/entries": {
    get: Get<{ limit?: number; cursor?: string }, { id: string }, Page<WalletEntry>>;
  };
  "/api/v1/orders": {
    get: Get<OrdersQuery, NoPath, Page<Order>>;
    post: Post<NewOrder, NoPath, NoHeader, Order>;
  };
  "/api/v1/events": { get: Get<{ after: number }, NoPath, { data: AccountEvent[]; last_seq: number }> };
}
