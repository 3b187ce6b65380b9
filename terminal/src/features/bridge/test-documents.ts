import type { AttributionRow, BridgeAlert, Hook, Installation, KeyRecord, RiskLimits, Signal, SignalDetail, UnknownSymbol } from "@/api/bridge";

/** Documents of the bridge as the server sends them, for tests. */
export const keyWith = (changes: Partial<KeyRecord> = {}): KeyRecord => ({
  kid: "ea_1f2e3d4c5b6a7988", scopes: ["source"], ledgers: ["demo"], networks: [], made_at: "2026-11-30T08:00:00.000Z", valid_from: "2026-11-30T08:00:00.000Z", valid_until: null,
  revoked_at: null, in_force: true, ...changes,
});

export const installationWith = (changes: Partial<Installation> = {}): Installation => ({
  id: "7", account: "50012345", server: "Broker-Demo", ledger: "demo", tournament_wallet_id: null, prefix: "", suffix: "", made_at: "2026-11-29T08:00:00.000Z",
  state: { state: "active", reason: "", at: null }, params_revs: {}, online: true, last_seen_at: "2026-11-30T10:00:00.000Z", transport: "tcp", keys: [keyWith()],
  signals_24h: { received: 120, accepted: 110, denied: 6, rejected: 3, expired: 1 }, ...changes,
});

export const signalWith = (changes: Partial<Signal> = {}): Signal => ({
  event_id: "01980000-0000-7000-8000-000000000001", installation_id: "7", kid: "ea_1f2e3d4c5b6a7988", seq: 12, source: "mt5", src_ticket: "991", action: "open", strategy: "breakout",
  raw_symbol: "EURUSD.m", symbol: "EURUSD", state: "open", code: null, order_id: "o1", received_at: "2026-11-30T10:00:00.000Z", repeats: 0,
  latency: { signal_ms: 4, transport_ms: 6.5, transport_uncertainty_ms: 1.25, log_ms: 2.5, risk_ms: 3, placement_ms: 4, total_ms: 20 },
  drift: { price: "0.00001", payout_points: 0 }, ...changes,
});

export const detailWith = (changes: Partial<SignalDetail> = {}): SignalDetail => ({
  ...signalWith(),
  transitions: [
    { state: "received", actor: "gateway", code: null, at: "2026-11-30T10:00:00.000Z" },
    { state: "denied", actor: "executor", code: "risk.halted", at: "2026-11-30T10:00:00.012Z" },
  ],
  raw: '{"v":1,"symbol":"EURUSD.m"}', ...changes,
});

const percentiles = (ms: number): AttributionRow["components"]["log"] => ({ p50_ms: ms, p95_ms: ms * 2, p99_ms: ms * 4 });
export const rowWith = (changes: Partial<AttributionRow> = {}): AttributionRow => ({
  strategy: "breakout", symbol: "EURUSD", signals: 40, repeated: 2,
  components: { signal: percentiles(1), transport: percentiles(5), log: percentiles(2), risk: percentiles(1), placement: percentiles(1), total: percentiles(9) },
  price_drift: { p50: 0, p95: 1.5, p99: 3, unit: "points" }, payout_drift: { p50: 0, p95: 0, p99: -1, unit: "percent" }, ...changes,
});

export const unknownWith = (changes: Partial<UnknownSymbol> = {}): UnknownSymbol => ({
  id: "3", installation_id: "7", raw: "GOLD.m", first_at: "2026-11-30T09:00:00.000Z", last_at: "2026-11-30T10:00:00.000Z", times: 4, candidates: ["XAUUSD"], ...changes,
});

export const alertWith = (changes: Partial<BridgeAlert> = {}): BridgeAlert => ({
  id: "a1", kind: "address", installation_id: "7", kid: "ea_1f2e3d4c5b6a7988", address: "203.0.113.7", detail: "", at: "2026-11-30T10:00:00.000Z", ...changes,
});

export const hookWith = (changes: Partial<Hook> = {}): Hook => ({
  id: "hook_1f2e3d4c5b6a7988", name: "breakout", ledgers: ["demo"], networks: [], has_secret: true, made_at: "2026-11-30T08:00:00.000Z", revoked_at: null, in_force: true, last_used_at: null, ...changes,
});

export const limitsWith = (changes: Partial<RiskLimits> = {}): RiskLimits => ({ version: 0, at: null, soft: {}, hard: {}, state_of_stops: [], ...changes });
