import type { Order, SymbolRecord, Wallet } from "@/api/schema";

/** A demo order for tests, open unless told otherwise. */
export function orderWith(changes: Partial<Order> = {}): Order {
  return {
    id: "o1",
    client_order_id: "c1",
    ledger: "demo",
    wallet_id: "w-demo",
    symbol: "EURUSD",
    direction: "up",
    stake: "10.00",
    payout_percent: 85,
    entry_rule: "last_tick/1",
    settlement_rule: "last_tick/1",
    state: "open",
    accepted_at: "2026-11-20T10:00:00.000Z",
    entered_at: "2026-11-20T10:00:00.000Z",
    open_price: "1.08512",
    open_tick: { seq: 811, at: "2026-11-20T09:59:59.900Z", price: "1.08512" },
    expires_at: "2026-11-20T10:01:00.000Z",
    close_price: null,
    close_tick: null,
    settled_at: null,
    payout: null,
    profit: null,
    reason: null,
    source: "web",
    balance_after: "9990.00",
    ...changes,
  };
}

export function symbolWith(changes: Partial<SymbolRecord> = {}): SymbolRecord {
  return {
    code: "EURUSD",
    name: "Euro / US Dollar",
    asset_class: "forex",
    feed: "simulator",
    feed_custom: true,
    state: "open",
    state_reason: null,
    next_open: null,
    session_ends: null,
    payout_percent: 85,
    break_even_percent: 54.1,
    min_stake: "1.00",
    max_stake: "1000.00",
    min_duration_s: 5,
    purchase_deadline_s: 10,
    exposure_cap: null,
    max_duration_s: 86_400,
    price_scale: 5,
    price_source: "mid",
    max_tick_age_ms: 3000,
    entry_rule: "last_tick/1",
    settlement_rule: "last_tick/1",
    last_tick: null,
    ...changes,
  };
}

export function walletWith(changes: Partial<Wallet> = {}): Wallet {
  return {
    id: "w-demo",
    ledger: "demo",
    kind: "main",
    tournament_id: null,
    currency: "USD",
    balance: "10000.00",
    open_stakes: "0.00",
    state: "open",
    ...changes,
  };
}
