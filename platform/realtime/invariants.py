"""Invariants of the event log as queries: each returns the count of its violations since ``since_ms``, 0 for all."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from kernel.money import CURRENCY_SCALES

DAY_MS = 86_400_000

# Whole numbers: a power would be a float.
_UNITS = " ".join(f"WHEN '{currency}' THEN {10**scale}" for currency, scale in sorted(CURRENCY_SCALES.items()))


def minor_sql(text: str, currency: str) -> str:
    """Return the SQL of an amount in minor units from its decimal text and its currency."""
    return f"(({text})::numeric * CASE {currency} {_UNITS} END)"


def kept_sql(at_ms: str) -> str:
    """Return the condition that an event of an instant must still be there: retention has not come so far.

    Needs the user's row of ``realtime_event_counter`` as ``c``.
    """
    return f"""(c.floor = 0 OR {at_ms} > least(
        (SELECT oldest.at_ms FROM realtime_event oldest WHERE oldest.user_id = c.user_id AND oldest.seq = c.floor + 1),
        {DB_NOW_MS_SQL} - {DAY_MS}))"""


# Two ends make the planner use the index on time.
EVENTS_LATELY = "e.at_ms >= %(since_ms)s AND e.at_ms < 9000000000000000"

_GAPS = "I-30 the event sequence of each user is gap-free"

# Whose money moved in which transaction: a wallet's own movements and those of the stakes that belong to it.
_MOVED = """
        moved AS (
            SELECT DISTINCT a.owner_id AS user_id, coalesce(a.wallet_id, a.id) AS wallet_id, t.at_ms
            FROM (
                SELECT debit_account_id AS account, at_ms FROM ledger_transfer
                WHERE debit_no IS NOT NULL AND at_ms >= %(since_ms)s AND at_ms < 9000000000000000
                UNION ALL
                SELECT credit_account_id, at_ms FROM ledger_transfer
                WHERE credit_no IS NOT NULL AND at_ms >= %(since_ms)s AND at_ms < 9000000000000000
            ) AS t JOIN ledger_account a ON a.id = t.account
        )"""

CHECKS: dict[str, str] = {
    # Both ways: no movement without its event, no event without a movement; and the last one told is what is there.
    "I-29 each movement of a wallet is told with its balance": f"""
        WITH {_MOVED}, told AS (
            SELECT e.user_id, (e.payload->>'wallet_id')::uuid AS wallet_id, e.at_ms, max(e.seq) AS seq
            FROM realtime_event e WHERE e.type = 'balance.changed' AND {EVENTS_LATELY} GROUP BY 1, 2, 3
        ), newest AS (
            SELECT DISTINCT ON (wallet_id) user_id, wallet_id, seq FROM told ORDER BY wallet_id, seq DESC
        )
        SELECT (SELECT count(*) FROM moved JOIN realtime_event_counter c USING (user_id)
                LEFT JOIN told USING (user_id, wallet_id, at_ms)
                WHERE told.seq IS NULL AND {kept_sql("moved.at_ms")})
             + (SELECT count(*) FROM told LEFT JOIN moved USING (user_id, wallet_id, at_ms)
                WHERE moved.wallet_id IS NULL)
             + (SELECT count(*) FROM newest
                JOIN realtime_event e ON e.user_id = newest.user_id AND e.seq = newest.seq
                JOIN ledger_account wallet ON wallet.id = newest.wallet_id
                JOIN ledger_account stakes ON stakes.wallet_id = wallet.id
                WHERE {minor_sql("e.payload->>'balance'", "wallet.currency")} <> wallet.balance
                   OR {minor_sql("e.payload->>'open_stakes'", "wallet.currency")} <> stakes.balance)""",
    "I-29 each ban and each change of own limits is told": f"""
        WITH done AS (
            SELECT id AS user_id, 'account.banned' AS type, banned_at_ms AS at_ms, 1 AS times FROM accounts_user
            WHERE banned_at_ms >= %(since_ms)s
            UNION ALL
            SELECT user_id, CASE WHEN name IN ('break', 'exclusion') THEN 'limit.' || name ELSE 'limit.changed' END,
                   at_ms, count(*) FROM accounts_limit_change WHERE at_ms >= %(since_ms)s GROUP BY 1, 2, 3
        )
        SELECT count(*) FROM done JOIN realtime_event_counter c USING (user_id)
        WHERE {kept_sql("done.at_ms")} AND times <> (
            SELECT count(*) FROM realtime_event e
            WHERE e.user_id = done.user_id AND e.type = done.type AND e.at_ms = done.at_ms)""",
    _GAPS: f"""
        WITH recent AS (SELECT e.user_id, min(e.seq) AS first FROM realtime_event e WHERE {EVENTS_LATELY} GROUP BY 1)
        SELECT count(*) FROM recent JOIN realtime_event_counter c USING (user_id)
        WHERE c.seq - first + 1 <> (SELECT count(*) FROM realtime_event e
                                    WHERE e.user_id = c.user_id AND e.seq >= first AND e.seq <= c.seq)
           OR first > c.floor + 1 AND NOT EXISTS (SELECT FROM realtime_event e
                                                  WHERE e.user_id = c.user_id AND e.seq = first - 1)""",
}

FULL_CHECKS: dict[str, str] = CHECKS | {
    _GAPS: """
        SELECT count(*) FROM realtime_event_counter c
        WHERE c.seq - c.floor <> (SELECT count(*) FROM realtime_event e
                                  WHERE e.user_id = c.user_id AND e.seq > c.floor AND e.seq <= c.seq)""",
}
