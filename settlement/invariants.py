"""Invariants of orders, ticks and events as queries: each returns the count of its violations."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from quotes.domain import ADMISSION

# How long an order may stay open past expiry and grace before it counts as late.
SETTLEMENT_LATE_MS = 15_000

CHECKS: dict[str, str] = {
    "I-01 each order has exactly the transfers it demands": """
        WITH demanded AS (
            SELECT id, 'order.stake' AS family, 'stake' AS kind, stake AS amount FROM trading_order
            UNION ALL SELECT id, 'order.close', state, stake FROM trading_order WHERE state <> 'open'
            UNION ALL SELECT id, 'order.profit', 'profit', payout - stake FROM trading_order
                WHERE state = 'won' AND payout > stake
        ), made AS (
            SELECT reference AS id, family, kind, amount FROM ledger_transfer WHERE family LIKE 'order.%%'
        )
        SELECT count(*) FROM demanded FULL JOIN made USING (id, family, kind, amount)
        WHERE demanded.id IS NULL OR made.id IS NULL""",
    "I-01 each order's transfers touch its own accounts": """
        SELECT count(*) FROM ledger_transfer t
        JOIN trading_order o ON o.id = t.reference
        JOIN ledger_account stakes ON stakes.wallet_id = o.wallet_id
        JOIN ledger_account debit ON debit.id = t.debit_account_id
        JOIN ledger_account credit ON credit.id = t.credit_account_id
        WHERE NOT CASE
            WHEN t.family = 'order.stake' THEN debit.id = o.wallet_id AND credit.id = stakes.id
            WHEN t.family = 'order.close' AND t.kind = 'lost' THEN debit.id = stakes.id AND credit.kind = 'house'
            WHEN t.family = 'order.close' THEN debit.id = stakes.id AND credit.id = o.wallet_id
            WHEN t.family = 'order.profit' THEN debit.kind = 'house' AND credit.id = o.wallet_id
            ELSE false END""",
    "I-10 profit is stake x payout // 100": """
        SELECT count(*) FROM trading_order
        WHERE state = 'won' AND payout <> stake + stake * payout_percent / 100""",
    "I-11 each order settles exactly once": """
        SELECT (SELECT count(*) FROM trading_order o FULL JOIN trading_order_open w ON w.order_id = o.id
                WHERE (o.state = 'open') IS DISTINCT FROM (w.order_id IS NOT NULL))
             + (SELECT count(*) FROM (SELECT reference FROM ledger_transfer WHERE family = 'order.close'
                GROUP BY reference HAVING count(*) > 1) AS twice)""",
    "I-13 the evidence tick is the last at or before expiry": """
        SELECT count(*) FROM trading_order o WHERE o.state <> 'open' AND (
            EXISTS (SELECT FROM quotes_tick t WHERE t.symbol_id = o.symbol_id AND t.at_ms <= o.expires_at_ms
                    AND t.at_ms >= coalesce(o.close_at_ms, 0) AND t.seq > coalesce(o.close_seq, 0))
            OR o.close_at_ms > o.expires_at_ms
            OR (o.state <> 'refunded' AND o.expires_at_ms - o.close_at_ms > o.max_tick_age_ms))""",
    "I-16 ticks are monotonic and none was admitted at or below a watermark in force": """
        SELECT (SELECT count(*) FROM (
                    SELECT at_ms, seq, lag(at_ms) OVER w AS at_before, lag(seq) OVER w AS seq_before
                    FROM quotes_tick WINDOW w AS (PARTITION BY symbol_id ORDER BY seq)) AS step
                WHERE at_ms < at_before OR seq <> seq_before + 1)
             + (SELECT count(*) FROM quotes_watermark_raise r
                JOIN quotes_tick t ON t.symbol_id = r.symbol_id AND t.seq = r.seq + 1
                WHERE t.at_ms <= r.watermark_ms)""",
    "I-16 no order settled before its symbol's watermark reached its expiry": """
        SELECT count(*) FROM trading_order o WHERE o.state <> 'open' AND NOT EXISTS (
            SELECT FROM quotes_watermark_raise r
            WHERE r.symbol_id = o.symbol_id AND r.watermark_ms >= o.expires_at_ms
              AND r.raised_at_ms <= o.settled_at_ms)""",
    "I-17 the opening tick was fresh at acceptance": """
        SELECT count(*) FROM trading_order
        WHERE open_at_ms IS NOT NULL AND accepted_at_ms - open_at_ms > max_tick_age_ms""",
    "I-19 no order is open long past its expiry": f"""
        SELECT count(*) FROM trading_order_open
        WHERE expires_at_ms + {ADMISSION.grace_ms + SETTLEMENT_LATE_MS} < {DB_NOW_MS_SQL}""",
    "I-29 each order has its events": """
        WITH demanded AS (
            SELECT user_id, id, 'order.opened' AS type FROM trading_order
            UNION ALL SELECT user_id, id, 'order.settled' FROM trading_order WHERE state <> 'open'
        ), told AS (
            SELECT e.user_id, (e.payload->>'id')::uuid AS id, e.type, e.seq FROM realtime_event e
            WHERE e.type IN ('order.opened', 'order.settled')
        )
        SELECT count(*) FROM demanded
        JOIN realtime_event_counter c USING (user_id)
        LEFT JOIN told USING (user_id, id, type) WHERE told.id IS NULL AND c.floor = 0""",
    "I-30 the event sequence of each user is gap-free": """
        SELECT count(*) FROM realtime_event_counter c
        WHERE c.seq - c.floor <> (SELECT count(*) FROM realtime_event e
                                  WHERE e.user_id = c.user_id AND e.seq > c.floor AND e.seq <= c.seq)""",
}
