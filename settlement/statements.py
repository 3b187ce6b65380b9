"""SQL of settlement: each statement serves a whole batch."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from realtime.balances import OPEN_STAKES, payload_end
from realtime.statements import TOLD_CTES
from settlement.domain import TRIMMED_WINDOW_MS
from trading.events import PAYLOAD_END

CAUSE = "order.settled"

# What an order is, as `claims.order_of` reads it.
ORDER_COLUMNS = """
    o.id, o.user_id, o.wallet_id, o.book, o.currency, o.client_order_id, o.source, o.symbol_id, o.symbol, o.direction,
    o.stake, o.payout_percent, o.entry_rule, o.settlement_rule, o.max_tick_age_ms, o.revision, o.price_scale,
    o.accepted_at_ms, o.expires_at_ms, o.expected_price, o.max_price_drift, o.entry_after_seq, o.entry_after_ms,
    o.entry_until_ms, o.entered_at_ms, o.open_seq, o.open_at_ms, o.open_price, o.balance_after"""

# Few symbols ever had an emergency: which ones is asked once for a statement, and only their orders look further.
EVIDENCE_COLUMNS = """
    evidence.seq, evidence.at_ms, evidence.price, evidence.revision, coalesce(declared.closed, false),
    o.symbol_id IN (SELECT symbol_id FROM quotes_symbol_revision WHERE emergency)
    AND EXISTS (SELECT FROM quotes_symbol_revision AS later
                WHERE later.symbol_id = o.symbol_id AND later.emergency AND later.number > o.revision
                  AND later.since_ms <= o.expires_at_ms)"""


def evidence_joins(ticks: str = "quotes_tick") -> str:
    """Return the joins that find an order's evidence in a table of ticks.

    The last admitted tick with a time at or before the expiry; equal times are ordered by arrival. The partitions are
    scanned newest first and the first row ends the scan. Beside it, the feed's last word on the market by then.
    """
    return f"""
LEFT JOIN LATERAL (
    SELECT tick.seq, tick.at_ms, tick.price, tick.revision FROM {ticks} AS tick
    WHERE tick.symbol_id = o.symbol_id AND tick.at_ms <= o.expires_at_ms
    ORDER BY tick.at_ms DESC, tick.seq DESC LIMIT 1
) AS evidence ON true
LEFT JOIN LATERAL (
    SELECT declaration.closed FROM quotes_feed_declaration AS declaration
    WHERE declaration.symbol_id = o.symbol_id AND declaration.at_ms <= o.expires_at_ms
    ORDER BY declaration.at_ms DESC, declaration.id DESC LIMIT 1
) AS declared ON true"""


def _by_wallet(condition: str) -> str:
    """Return the statement that finds orders to decide, each wallet's together; nothing is locked."""
    return f"""
WITH due AS MATERIALIZED (
    SELECT opened.wallet_id, opened.order_id, opened.expires_at_ms FROM trading_order_open AS opened
    JOIN quotes_symbol_head AS head ON head.symbol_id = opened.symbol_id
    WHERE {condition} AND NOT opened.order_id = ANY(%(skip)s::uuid[])
    ORDER BY opened.expires_at_ms, opened.order_id
    LIMIT %(limit)s
)
SELECT array_agg(order_id ORDER BY expires_at_ms, order_id) FROM due GROUP BY wallet_id ORDER BY min(expires_at_ms)"""


# An order is due when its symbol's watermark has reached its expiry, and for no other reason.
_DUE = "opened.expires_at_ms <= head.watermark_ms AND opened.entry_after_seq IS NULL"

# The newest watermark of all bounds the search by expiry, so that a sweep does not read what is far from due.
DUE = _by_wallet(f"opened.expires_at_ms <= (SELECT max(watermark_ms) FROM quotes_symbol_head) AND {_DUE}")

CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT opened.order_id FROM trading_order_open AS opened
    JOIN quotes_symbol_head AS head ON head.symbol_id = opened.symbol_id
    WHERE opened.order_id = ANY(%(ids)s::uuid[]) AND {_DUE}
    ORDER BY opened.expires_at_ms, opened.order_id
    FOR NO KEY UPDATE OF opened SKIP LOCKED
)
SELECT {DB_NOW_MS_SQL}, {ORDER_COLUMNS}, {EVIDENCE_COLUMNS}
FROM due JOIN trading_order AS o ON o.id = due.order_id {evidence_joins()}
ORDER BY o.expires_at_ms, o.id"""


def window_sql(ticks: str = "quotes_tick") -> str:
    """Return the statement that reads what ``trimmed_mean_10s/1`` averages."""
    return f"""
SELECT o.id, array_agg(tick.price), array_agg(DISTINCT tick.revision)
FROM trading_order AS o
JOIN {ticks} AS tick ON tick.symbol_id = o.symbol_id
    AND tick.at_ms > o.expires_at_ms - {TRIMMED_WINDOW_MS} AND tick.at_ms <= o.expires_at_ms
WHERE o.id = ANY(%(ids)s) GROUP BY o.id"""


# An order that waits for its entry can be decided when the log has moved on, or when its time is up.
_ENTERING = """opened.entry_after_seq IS NOT NULL
      AND (opened.entry_after_seq < head.seq OR opened.entry_until_ms <= head.watermark_ms)"""

ENTERING = _by_wallet(_ENTERING)

# The next tick is the one with the next number: the log has no gaps. Its time lies between the tick before it and the
# time limit.
ENTRY_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT opened.order_id FROM trading_order_open AS opened
    JOIN quotes_symbol_head AS head ON head.symbol_id = opened.symbol_id
    WHERE opened.order_id = ANY(%(ids)s::uuid[]) AND {_ENTERING}
    ORDER BY opened.expires_at_ms, opened.order_id
    FOR NO KEY UPDATE OF opened SKIP LOCKED
)
SELECT {DB_NOW_MS_SQL}, {ORDER_COLUMNS}, next.seq, next.at_ms, next.price, next.revision
FROM due JOIN trading_order AS o ON o.id = due.order_id
LEFT JOIN quotes_tick AS next ON next.symbol_id = o.symbol_id AND next.seq = o.entry_after_seq + 1
    AND next.at_ms >= o.entry_after_ms AND next.at_ms <= o.entry_until_ms
ORDER BY o.expires_at_ms, o.id"""

ENTRIES_WRITE = """
UPDATE trading_order AS o SET entered_at_ms = %(at_ms)s, open_seq = new.seq, open_at_ms = new.at_ms,
    open_price = new.price
FROM unnest(%(ids)s::uuid[], %(seqs)s::bigint[], %(tick_at_ms)s::bigint[], %(prices)s::bigint[])
    AS new(id, seq, at_ms, price)
WHERE o.id = new.id"""

OPEN_ENTERED = "UPDATE trading_order_open SET entry_after_seq = NULL WHERE order_id = ANY(%(ids)s)"

# Where the feed is silent, the database's clock moves the watermark: past expiry and grace (cause 3). An order that
# waits for its entry is overdue at its time limit.
OVERDUE = f"""
WITH clock AS MATERIALIZED (SELECT {DB_NOW_MS_SQL} - %(grace_ms)s::bigint AS before_ms)
SELECT head.symbol_id, greatest(expiring.until_ms, entering.until_ms)
FROM clock CROSS JOIN quotes_symbol_head AS head
CROSS JOIN LATERAL (
    SELECT max(opened.expires_at_ms) AS until_ms FROM trading_order_open AS opened
    WHERE opened.symbol_id = head.symbol_id
      AND opened.expires_at_ms > head.watermark_ms AND opened.expires_at_ms < clock.before_ms
) AS expiring
CROSS JOIN LATERAL (
    SELECT max(opened.entry_until_ms) AS until_ms FROM trading_order_open AS opened
    WHERE opened.symbol_id = head.symbol_id AND opened.entry_after_seq IS NOT NULL
      AND opened.entry_until_ms > head.watermark_ms AND opened.entry_until_ms < clock.before_ms
) AS entering
WHERE greatest(expiring.until_ms, entering.until_ms) IS NOT NULL"""

# After the transfers of the batch: the balance after an order is the wallet's without what later ones of it are paid.
ORDERS_WRITE = """
UPDATE trading_order AS o SET state = new.state, close_seq = new.seq, close_at_ms = new.at_ms,
    close_price = new.price, close_tick_price = new.tick_price, reason = new.reason, payout = new.payout,
    settled_at_ms = %(at_ms)s, balance_after = wallet.balance - new.paid_later
FROM unnest(%(ids)s::uuid[], %(wallet_ids)s::uuid[], %(states)s::text[], %(seqs)s::bigint[], %(tick_at_ms)s::bigint[],
            %(prices)s::bigint[], %(tick_prices)s::bigint[], %(reasons)s::text[], %(payouts)s::bigint[],
            %(paid_later)s::bigint[])
    AS new(id, wallet_id, state, seq, at_ms, price, tick_price, reason, payout, paid_later)
JOIN ledger_account AS wallet ON wallet.id = new.wallet_id
WHERE o.id = new.id"""


def _money(minor: str) -> str:
    return f"round(({minor})::numeric / wallet.unit, wallet.scale)::text"


# The events of a batch, whose documents were begun before the wallets were locked; here they get their money. Each row
# says what an event was told with: its user's newest number before the batch, the balance and the open stakes.
ENDS_TELL = f"""
WITH wallet AS MATERIALIZED (
    SELECT place.no, place.user_id, place.book, place.scale, place.unit, wallet.balance, stakes.balance AS open_stakes
    FROM unnest(%(wallet_ids)s::uuid[], %(user_ids)s::uuid[], %(books)s::text[], %(scales)s::int[], %(units)s::bigint[])
        WITH ORDINALITY AS place(id, user_id, book, scale, unit, no)
    JOIN ledger_account AS wallet ON wallet.id = place.id JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
), told AS MATERIALIZED (
    SELECT e.n, wallet.user_id, wallet.book, e.type, 1::smallint AS version, %(at_ms)s::bigint AS at_ms,
           wallet.balance - e.paid_later AS balance, wallet.open_stakes,
           (e.begun || {_money("wallet.balance - e.paid_later")} || CASE e.type
                WHEN 'balance.changed' THEN '{OPEN_STAKES}' || {_money("wallet.open_stakes")} || '{payload_end(CAUSE)}'
                ELSE '{PAYLOAD_END}' END)::jsonb AS payload
    FROM ROWS FROM (
        unnest(%(wallet_nos)s::bigint[], %(types)s::text[], %(paid_later)s::bigint[]),
        string_to_table(%(begun)s, E'\\n')
    ) WITH ORDINALITY AS e(wallet_no, type, paid_later, begun, n)
    JOIN wallet ON wallet.no = e.wallet_no
), {TOLD_CTES}
SELECT raised.before, told.balance, told.open_stakes
FROM told LEFT JOIN raised ON raised.user_id = told.user_id ORDER BY told.n"""

OPEN_DELETE = "DELETE FROM trading_order_open WHERE order_id = ANY(%(ids)s::uuid[])"


# The audit goes through settled orders page by page.
SETTLED = f"""
SELECT o.settled_at_ms, {ORDER_COLUMNS} FROM trading_order AS o
WHERE o.state <> 'open' AND o.id > %(after)s AND o.settled_at_ms >= %(from_ms)s AND o.settled_at_ms < %(to_ms)s
ORDER BY o.id LIMIT %(limit)s"""


def audit_sql(ticks: str = "quotes_tick") -> str:
    """Return the statement by which the audit reads what a table of ticks says of settled orders."""
    return f"""
SELECT o.settled_at_ms, {ORDER_COLUMNS}, {EVIDENCE_COLUMNS},
       o.state, o.close_seq, o.close_at_ms, o.close_price, coalesce(o.close_tick_price, o.close_price), o.reason,
       o.payout, opening.seq, opening.at_ms, opening.price, opening.revision
FROM trading_order AS o
LEFT JOIN {ticks} AS opening
       ON opening.symbol_id = o.symbol_id AND opening.seq = coalesce(o.entry_after_seq + 1, o.open_seq)
      AND opening.at_ms >= coalesce(o.entry_after_ms, o.open_at_ms)
      AND opening.at_ms <= coalesce(o.entry_until_ms, o.open_at_ms)
{evidence_joins(ticks)}
WHERE o.id = ANY(%(ids)s)"""
