"""SQL of settlement: each statement serves a whole batch."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL

# The last admitted tick with a time at or before an order's expiry; equal times are ordered by arrival. The
# partitions are scanned newest first and the first row ends the scan.
_EVIDENCE = """
LEFT JOIN LATERAL (
    SELECT tick.seq, tick.at_ms, tick.price, tick.revision FROM quotes_tick AS tick
    WHERE tick.symbol_id = o.symbol_id AND tick.at_ms <= o.expires_at_ms
    ORDER BY tick.at_ms DESC, tick.seq DESC LIMIT 1
) AS evidence ON true"""

_COLUMNS = """
    o.id, o.user_id, o.wallet_id, o.book, o.currency, o.direction, o.stake, o.payout_percent, o.expires_at_ms,
    o.max_tick_age_ms, o.revision, o.open_price, evidence.seq, evidence.at_ms, evidence.price, evidence.revision"""

# An order is due when its symbol's watermark has reached its expiry, and for no other reason.
CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT opened.order_id FROM trading_order_open AS opened
    JOIN quotes_symbol_head AS head ON head.symbol_id = opened.symbol_id
    WHERE opened.expires_at_ms <= head.watermark_ms AND NOT opened.order_id = ANY(%(skip)s)
    ORDER BY opened.expires_at_ms, opened.order_id
    LIMIT %(limit)s
    FOR NO KEY UPDATE OF opened SKIP LOCKED
)
SELECT {_COLUMNS}, {DB_NOW_MS_SQL}, o.client_order_id, o.source, o.symbol, o.entry_rule, o.settlement_rule,
       o.price_scale, o.accepted_at_ms, o.entered_at_ms, o.open_seq, o.open_at_ms
FROM due JOIN trading_order AS o ON o.id = due.order_id {_EVIDENCE}
ORDER BY o.expires_at_ms, o.id"""

# Where the feed is silent, the database's clock moves the watermark: past expiry and grace (cause 3).
OVERDUE = f"""
SELECT opened.symbol_id, max(opened.expires_at_ms) FROM trading_order_open AS opened
JOIN quotes_symbol_head AS head ON head.symbol_id = opened.symbol_id
WHERE opened.expires_at_ms > head.watermark_ms AND opened.expires_at_ms + %(grace_ms)s < {DB_NOW_MS_SQL}
GROUP BY opened.symbol_id"""

ORDERS_WRITE = """
UPDATE trading_order AS o SET state = new.state, close_seq = new.seq, close_at_ms = new.at_ms,
    close_price = new.price, reason = new.reason, payout = new.payout, settled_at_ms = %(at_ms)s,
    balance_after = new.balance_after
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(seqs)s::bigint[], %(tick_at_ms)s::bigint[], %(prices)s::bigint[],
            %(reasons)s::text[], %(payouts)s::bigint[], %(balances)s::bigint[])
    AS new(id, state, seq, at_ms, price, reason, payout, balance_after)
WHERE o.id = new.id"""

OPEN_DELETE = "DELETE FROM trading_order_open WHERE order_id = ANY(%(ids)s)"

# The audit reads settled orders page by page and recomputes each from the log alone.
AUDIT = f"""
SELECT {_COLUMNS}, o.settled_at_ms, o.state, o.close_seq, o.close_price, o.reason, o.payout,
       opening.price, opening.revision, o.open_seq, o.close_at_ms
FROM (SELECT * FROM trading_order WHERE state <> 'open' AND id > %(after)s
        AND settled_at_ms >= %(from_ms)s AND settled_at_ms < %(to_ms)s ORDER BY id LIMIT %(limit)s) AS o
LEFT JOIN quotes_tick AS opening
       ON opening.symbol_id = o.symbol_id AND opening.seq = o.open_seq AND opening.at_ms = o.open_at_ms
{_EVIDENCE}
ORDER BY o.id"""
