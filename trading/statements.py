"""SQL of placement: three statements in one transaction (performance, data path 1)."""

from __future__ import annotations

from ledger.statements import STAKE_RESERVE
from quotes.statements import CLOCK, MARKET_COLUMNS, MARKET_JOINS
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
WITH {CLOCK}
SELECT clock.now_ms, repeated.id,
       wallet.book, wallet.currency, wallet.balance, stakes.id, stakes.balance,
       policy.tradable_from_ms, policy.tradable_until_ms, policy.symbols, policy.min_stake, policy.max_stake,
       client.banned_at_ms IS NOT NULL, client.excluded_until_ms, client.break_until_ms, client.level >= 1,
       EXISTS (SELECT FROM accounts_countrypolicy AS policy
               WHERE policy.country = client.country AND policy.orders_refused),
       client.limits_set,
       symbol.id, symbol.code,
       CASE WHEN wallet.book = 'real'
            THEN symbol.offered_real AND (NOT symbol.custom OR symbol.custom_declared OR %(custom_on_real)s)
            ELSE symbol.offered_demo END,
       symbol.price_scale, symbol.payout_percent, symbol.min_stake_minor, symbol.max_stake_minor,
       symbol.min_duration_s, symbol.max_duration_s, symbol.purchase_deadline_s, symbol.entry_rule,
       symbol.settlement_rule, symbol.revision, symbol.custom, symbol.exposure_cap_minor,
       CASE WHEN symbol.exposure_cap_minor IS NOT NULL AND wallet.book = 'real' THEN ARRAY(
            SELECT coalesce(sum(opened.stake) FILTER (WHERE opened.up = side.up), 0)::bigint
            FROM (VALUES (true), (false)) AS side(up)
            LEFT JOIN trading_order_open AS opened ON opened.symbol_id = symbol.id AND opened.exposed
                 AND opened.up = side.up
            GROUP BY side.up ORDER BY side.up DESC) END,
       head.watermark_ms, {MARKET_COLUMNS}
FROM clock CROSS JOIN ledger_account AS wallet
JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
JOIN accounts_user AS client ON client.id = wallet.owner_id
LEFT JOIN trading_policy AS policy
       ON policy.wallet_id = wallet.id AND NOT (wallet.kind = 'wallet' AND wallet.book IN ('real', 'demo'))
LEFT JOIN quotes_symbol AS symbol ON symbol.code = %(symbol)s {MARKET_JOINS}
LEFT JOIN trading_order AS repeated
       ON repeated.wallet_id = wallet.id AND repeated.client_order_id = %(client_order_id)s
WHERE wallet.id = %(wallet_id)s"""

# 3. The effect: money, order, what is due, and events, or nothing at all.
PLACE = f"""
WITH {STAKE_RESERVE},
ordered AS (
    INSERT INTO trading_order (
        id, client_order_id, user_id, wallet_id, book, currency, source, token_id, asked, symbol_id, symbol, direction,
        stake, payout_percent, entry_rule, settlement_rule, max_tick_age_ms, revision, price_scale, custom,
        accepted_at_ms, expires_at_ms, session_closes_ms, expected_price, max_price_drift, entered_at_ms, open_seq,
        open_at_ms, open_price, entry_after_seq, entry_after_ms, entry_until_ms, state, balance_after,
        handled_us)
    SELECT %(order_id)s, %(client_order_id)s, %(user_id)s, %(wallet_id)s, %(book)s, %(currency)s, %(source)s,
           %(token_id)s, %(asked)s, %(symbol_id)s, %(symbol)s, %(direction)s, %(stake)s, %(payout_percent)s,
           %(entry_rule)s, %(settlement_rule)s, %(max_tick_age_ms)s, %(revision)s, %(price_scale)s, %(custom)s,
           %(at_ms)s, %(expires_at_ms)s, %(session_closes_ms)s, %(expected_price)s, %(max_price_drift)s,
           %(entered_at_ms)s, %(open_seq)s, %(open_at_ms)s, %(open_price)s, %(entry_after_seq)s, %(entry_after_ms)s,
           %(entry_until_ms)s, 'open', debited.balance, %(handled_us)s
    FROM debited
),
due AS (
    INSERT INTO trading_order_open (
        order_id, symbol_id, wallet_id, expires_at_ms, stake, up, exposed, entry_after_seq, entry_until_ms)
    SELECT %(order_id)s, %(symbol_id)s, %(wallet_id)s, %(expires_at_ms)s, %(stake)s, %(direction)s = 'up',
           %(book)s = 'real', %(entry_after_seq)s, %(entry_until_ms)s
    FROM debited
),
{EVENT_CTES}
SELECT debited.balance, event_counted.seq FROM debited, event_counted"""
