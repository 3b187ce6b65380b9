"""SQL of placement: three statements in one transaction (performance, data path 1)."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from ledger.statements import STAKE_RESERVE
from realtime.statements import EVENT_CTES

# 1. The wallet, locked; whatever the order depends on is read after this, in a new snapshot.
WALLET_LOCK = """
SELECT wallet.id, wallet.book FROM ledger_account AS wallet
WHERE wallet.owner_id = %(user_id)s AND wallet.kind IN ('wallet', 'bonus')
  AND (wallet.id = %(wallet_id)s OR (wallet.kind = 'wallet' AND wallet.book = %(book)s))
FOR NO KEY UPDATE"""

# 2. Everything that admission judges. The order's id is there when this client_order_id was accepted before.
# A policy binds bonus and tournament wallets only: no row can narrow what one client may do on real or demo.
FACTS = f"""
SELECT {DB_NOW_MS_SQL},
       wallet.book, wallet.currency, wallet.balance, stakes.id, stakes.balance,
       policy.tradable_from_ms, policy.tradable_until_ms, policy.symbols, policy.min_stake, policy.max_stake,
       client.banned_at_ms IS NOT NULL, client.excluded_until_ms, client.break_until_ms, client.level >= 1,
       symbol.id, symbol.code, CASE WHEN wallet.book = 'real' THEN symbol.offered_real ELSE symbol.offered_demo END,
       symbol.operator_state, symbol.state_reason, symbol.price_scale, symbol.payout_percent,
       symbol.min_stake_minor, symbol.max_stake_minor, symbol.min_duration_s, symbol.max_duration_s,
       symbol.max_tick_age_ms, symbol.entry_rule, symbol.settlement_rule, symbol.revision,
       head.seq, head.tick_at_ms, head.tick_price, head.heartbeat_ms, repeated.id
FROM ledger_account AS wallet
JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
JOIN accounts_user AS client ON client.id = wallet.owner_id
LEFT JOIN trading_policy AS policy
       ON policy.wallet_id = wallet.id AND NOT (wallet.kind = 'wallet' AND wallet.book IN ('real', 'demo'))
LEFT JOIN quotes_symbol AS symbol ON symbol.code = %(symbol)s
LEFT JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
LEFT JOIN trading_order AS repeated
       ON repeated.wallet_id = wallet.id AND repeated.client_order_id = %(client_order_id)s
WHERE wallet.id = %(wallet_id)s"""

# 3. The effect: money, order, what is due, and events, or nothing at all.
PLACE = f"""
WITH {STAKE_RESERVE},
ordered AS (
    INSERT INTO trading_order (
        id, client_order_id, user_id, wallet_id, book, currency, source, asked, symbol_id, symbol, direction, stake,
        payout_percent, entry_rule, settlement_rule, max_tick_age_ms, revision, price_scale, accepted_at_ms,
        expires_at_ms, entered_at_ms, open_seq, open_at_ms, open_price, state, balance_after)
    SELECT %(order_id)s, %(client_order_id)s, %(user_id)s, %(wallet_id)s, %(book)s, %(currency)s, %(source)s,
           %(asked)s, %(symbol_id)s, %(symbol)s, %(direction)s, %(stake)s, %(payout_percent)s, %(entry_rule)s,
           %(settlement_rule)s, %(max_tick_age_ms)s, %(revision)s, %(price_scale)s, %(at_ms)s, %(expires_at_ms)s,
           %(at_ms)s, %(open_seq)s, %(open_at_ms)s, %(open_price)s, 'open', debited.balance
    FROM debited
),
due AS (
    INSERT INTO trading_order_open (order_id, symbol_id, wallet_id, expires_at_ms)
    SELECT %(order_id)s, %(symbol_id)s, %(wallet_id)s, %(expires_at_ms)s FROM debited
),
{EVENT_CTES}
SELECT debited.balance, event_counted.seq FROM debited, event_counted"""
