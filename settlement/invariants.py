"""Invariants of orders, ticks and events as queries: each returns the count of its violations."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from quotes.domain import ADMISSION
from quotes.payouts import PAYOUT_1
from settlement.statistics import BOOK_KIND_SQL, COUNTS_SQL, DAY_SQL, FACT, SUBSCRIBER

# How long an order may stay open past expiry and grace before it counts as late.
SETTLEMENT_LATE_MS = 15_000

# Settled orders that the statistics have still to count, and those that they must have counted.
_WAITING = f"""
    waiting AS (SELECT unnest("references") AS id FROM kernel_fact_batch
                WHERE fact = '{FACT}' AND subscriber = '{SUBSCRIBER}'),
    o AS (SELECT * FROM trading_order AS any_order
          WHERE state <> 'open' AND NOT EXISTS (SELECT FROM waiting WHERE waiting.id = any_order.id))"""


def _miscounted(table: str, whose: str) -> str:
    """Return the query that counts the days whose figures are not those of their orders."""
    figures = ("won", "lost", "tied", "refunded", "stakes", "payouts", "returned")
    kept, found = (", ".join(f"{side}.{figure}" for figure in figures) for side in ("kept", "found"))
    return f"""(
        SELECT count(*) FROM {table} AS kept FULL JOIN (
            SELECT {DAY_SQL} AS day, {BOOK_KIND_SQL} AS book_kind, {whose}, currency, {COUNTS_SQL} FROM o
            GROUP BY 1, 2, 3, 4) AS found USING (day, book_kind, {whose}, currency)
        WHERE ({kept}) IS DISTINCT FROM ({found}))"""


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
    # Exposure caps, entry and settlement read these copies and not the order.
    "I-11 what is due says what its order says": """
        SELECT count(*) FROM trading_order_open w JOIN trading_order o ON o.id = w.order_id
        WHERE (w.symbol_id, w.wallet_id, w.expires_at_ms, w.stake, w.up, w.exposed) IS DISTINCT FROM
              (o.symbol_id, o.wallet_id, o.expires_at_ms, o.stake, o.direction = 'up', o.book = 'real')
           OR (w.entry_after_seq IS NOT NULL) IS DISTINCT FROM (o.entry_after_seq IS NOT NULL AND o.open_seq IS NULL)
           OR w.entry_after_seq <> o.entry_after_seq OR w.entry_until_ms <> o.entry_until_ms""",
    "I-13 the evidence tick is the last at or before expiry": """
        SELECT count(*) FROM trading_order o
        WHERE o.state <> 'open' AND o.open_seq IS NOT NULL AND o.reason IS DISTINCT FROM 'price_moved' AND (
            EXISTS (SELECT FROM quotes_tick t WHERE t.symbol_id = o.symbol_id AND t.at_ms <= o.expires_at_ms
                    AND t.at_ms >= coalesce(o.close_at_ms, CASE WHEN o.settlement_rule = 'trimmed_mean_10s/1'
                                                                THEN o.expires_at_ms - 9999 ELSE 0 END)
                    AND t.seq > coalesce(o.close_seq, 0))
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
    # An order that could not enter is decided at its time limit; one whose entry was refused, at its entry.
    "I-16 no order settled before its symbol's watermark reached its expiry": """
        SELECT count(*) FROM trading_order o
        WHERE o.state <> 'open' AND (o.open_seq IS NOT NULL OR o.reason <> 'revision')
          AND o.reason IS DISTINCT FROM 'price_moved'
          -- Raises go with the days of ticks that are in the archive only.
          AND o.settled_at_ms >= coalesce((SELECT extract(epoch FROM max(day) + 2)::bigint * 1000
                                           FROM quotes_tick_archive WHERE dropped_at_ms IS NOT NULL), 0)
          AND NOT EXISTS (
            SELECT FROM quotes_watermark_raise r
            WHERE r.symbol_id = o.symbol_id AND r.raised_at_ms <= o.settled_at_ms
              AND r.watermark_ms >= CASE WHEN o.reason = 'no_entry_tick' THEN o.entry_until_ms
                                         ELSE o.expires_at_ms END)""",
    "I-17 the opening tick was fresh at acceptance, or the next one after it": """
        SELECT count(*) FROM trading_order
        WHERE open_at_ms IS NOT NULL
          AND CASE WHEN entry_rule = 'next_tick/1' THEN open_seq <> entry_after_seq + 1 OR open_at_ms > entry_until_ms
                   ELSE accepted_at_ms - open_at_ms > max_tick_age_ms END""",
    # A placement may read the windows just before a change of hours commits: hence the half minute, no statement's
    # transaction lasts longer.
    "I-21 every order was accepted in a session that holds its whole life": """
        SELECT count(*) FROM trading_order o WHERE o.session_closes_ms IS NOT NULL AND (
            o.expires_at_ms > o.session_closes_ms OR NOT EXISTS (
                SELECT FROM quotes_trading_window w
                WHERE w.closes_ms = o.session_closes_ms AND w.opens_ms <= o.accepted_at_ms
                  AND w.made_at_ms <= o.accepted_at_ms
                  AND coalesce(w.superseded_at_ms, o.accepted_at_ms) >= o.accepted_at_ms - 30000))""",
    "I-19 no order is open long past its expiry": f"""
        SELECT count(*) FROM trading_order_open
        WHERE expires_at_ms + {ADMISSION.grace_ms + SETTLEMENT_LATE_MS} < {DB_NOW_MS_SQL}""",
    "I-29 each order has its events": """
        WITH demanded AS (
            SELECT user_id, id, 'order.accepted' AS type FROM trading_order WHERE entry_rule = 'next_tick/1'
            UNION ALL SELECT user_id, id, 'order.opened' FROM trading_order
                WHERE open_seq IS NOT NULL AND reason IS DISTINCT FROM 'price_moved'
            UNION ALL SELECT user_id, id, 'order.settled' FROM trading_order WHERE state <> 'open'
        ), told AS (
            SELECT e.user_id, (e.payload->>'id')::uuid AS id, e.type, e.seq FROM realtime_event e
            WHERE e.type IN ('order.accepted', 'order.opened', 'order.settled')
        )
        SELECT count(*) FROM demanded
        JOIN realtime_event_counter c USING (user_id)
        LEFT JOIN told USING (user_id, id, type) WHERE told.id IS NULL AND c.floor = 0""",
    "I-30 the event sequence of each user is gap-free": """
        SELECT count(*) FROM realtime_event_counter c
        WHERE c.seq - c.floor <> (SELECT count(*) FROM realtime_event e
                                  WHERE e.user_id = c.user_id AND e.seq > c.floor AND e.seq <= c.seq)""",
    "I-35 each settled order is counted once in the statistics, or waits for it": f"""
        WITH {_WAITING}
        SELECT (SELECT count(*) - count(DISTINCT id) FROM waiting)
             + {_miscounted("settlement_daily_symbol", "symbol_id")}
             + {_miscounted("settlement_daily_user", "user_id")}""",
    "I-35 the payout's window has each real order that was won or lost lately": f"""
        WITH {_WAITING}
        SELECT (SELECT count(*) FROM settlement_window_order w LEFT JOIN trading_order t ON t.id = w.order_id
                WHERE (t.book, t.state, t.symbol_id, t.user_id, t.stake, t.settled_at_ms) IS DISTINCT FROM
                      ('real', CASE WHEN w.won THEN 'won' ELSE 'lost' END,
                       w.symbol_id, w.user_id, w.stake, w.settled_at_ms))
             + (SELECT count(*) FROM o WHERE o.book = 'real' AND o.state IN ('won', 'lost')
                  AND o.settled_at_ms > {DB_NOW_MS_SQL} - {PAYOUT_1.window_ms}
                  AND NOT EXISTS (SELECT FROM settlement_window_order w WHERE w.order_id = o.id))""",
}
