"""Statistics of settled orders: a subscriber of the fact queue, each order counted once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kernel import db
from kernel.facts import subscribe

FACT, SUBSCRIBER = "order.settled", "statistics"

# Whole days since 1970 in UTC, by whole numbers: no time zone of a session and no float decides where a day ends.
DAY_SQL = "(date '1970-01-01' + (o.settled_at_ms / 86400000)::int)"
BOOK_KIND_SQL = "CASE WHEN left(o.book, 2) = 't:' THEN 'tournament' ELSE o.book END"

# What a group of settled orders adds to a day.
COUNTS_SQL = """
    count(*) FILTER (WHERE o.state = 'won') AS won,
    count(*) FILTER (WHERE o.state = 'lost') AS lost,
    count(*) FILTER (WHERE o.state = 'tied') AS tied,
    count(*) FILTER (WHERE o.state = 'refunded') AS refunded,
    coalesce(sum(o.stake) FILTER (WHERE o.state IN ('won', 'lost')), 0)::bigint AS stakes,
    coalesce(sum(o.payout) FILTER (WHERE o.state IN ('won', 'lost')), 0)::bigint AS payouts,
    coalesce(sum(o.stake) FILTER (WHERE o.state IN ('tied', 'refunded')), 0)::bigint AS returned"""

_WINDOW = """
INSERT INTO settlement_window_order (order_id, symbol_id, user_id, stake, won, settled_at_ms)
SELECT o.id, o.symbol_id, o.user_id, o.stake, o.state = 'won', o.settled_at_ms FROM trading_order AS o
WHERE o.id = ANY(%(ids)s) AND o.book = 'real' AND o.state IN ('won', 'lost')"""


def _daily(table: str, whose: str) -> str:
    """Return the statement that adds orders to a table of days; its rows are locked in the order of their keys."""
    return f"""
INSERT INTO {table} AS daily
    (day, book_kind, {whose}, currency, won, lost, tied, refunded, stakes, payouts, returned)
SELECT {DAY_SQL} AS day, {BOOK_KIND_SQL} AS book_kind, o.{whose}, o.currency, {COUNTS_SQL}
FROM trading_order AS o WHERE o.id = ANY(%(ids)s) AND o.state <> 'open'
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (day, book_kind, {whose}, currency) DO UPDATE SET
    won = daily.won + excluded.won, lost = daily.lost + excluded.lost, tied = daily.tied + excluded.tied,
    refunded = daily.refunded + excluded.refunded, stakes = daily.stakes + excluded.stakes,
    payouts = daily.payouts + excluded.payouts, returned = daily.returned + excluded.returned"""


_SYMBOLS = _daily("settlement_daily_symbol", "symbol_id")
_USERS = _daily("settlement_daily_user", "user_id")


def statistics_apply(order_ids: Sequence[UUID]) -> None:
    """Count a batch of settled orders by three statements, in the transaction that takes it from the queue."""
    db.require_transaction()
    ids = {"ids": list(order_ids)}
    for statement in (_WINDOW, _SYMBOLS, _USERS):
        db.run(statement, ids)


def connect() -> None:
    """Subscribe to settled orders."""
    subscribe(FACT, SUBSCRIBER, statistics_apply)
