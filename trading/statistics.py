"""Statistics of a client's own settled orders, counted by two statements over a bounded number of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kernel import db
from trading.figures import DURATION_BOUNDS_S, Tally

ORDERS_MAX = 50_000
# Of symbols and tags, the ones with the most orders.
GROUPS_MAX = 100

_COUNTS = """
    count(*) FILTER (WHERE state = 'won') AS won, count(*) FILTER (WHERE state = 'lost') AS lost,
    count(*) FILTER (WHERE state = 'tied') AS tied, count(*) FILTER (WHERE state = 'refunded') AS refunded,
    coalesce(sum(stake) FILTER (WHERE state IN ('won', 'lost')), 0)::bigint AS stakes,
    coalesce(sum(payout) FILTER (WHERE state IN ('won', 'lost')), 0)::bigint AS payouts,
    coalesce(sum(stake * payout_percent) FILTER (WHERE state IN ('won', 'lost')), 0)::bigint AS weighted"""

_BUCKET = "CASE {} ELSE 'more' END".format(
    " ".join(f"WHEN expires_at_ms - accepted_at_ms <= {1000 * bound} THEN '{bound}'" for bound in DURATION_BOUNDS_S)
)

# The newest orders of the time are taken first; everything is counted of these.
_TAKEN = """
newest AS MATERIALIZED (
    SELECT id, symbol, direction, state, stake, payout, payout_percent, accepted_at_ms, expires_at_ms
    FROM trading_order AS o
    WHERE user_id = %(user_id)s AND book = %(book)s AND state <> 'open'
      AND accepted_at_ms >= %(from_ms)s AND accepted_at_ms < %(to_ms)s
      AND (%(symbol)s::varchar IS NULL OR symbol = %(symbol)s::varchar)
      AND (%(tag)s::varchar IS NULL OR EXISTS (
          SELECT FROM trading_journal_entry AS entry
          WHERE entry.order_id = o.id AND entry.tags @> ARRAY[%(tag)s::varchar]))
    ORDER BY accepted_at_ms DESC, id DESC LIMIT %(limit)s
)"""

GROUPED = f"""
WITH {_TAKEN},
taken AS MATERIALIZED (
    SELECT id, symbol, direction, state, stake, payout, payout_percent,
           extract(hour FROM local)::int AS hour, extract(isodow FROM local)::int AS weekday, {_BUCKET} AS duration
    FROM newest CROSS JOIN LATERAL (SELECT to_timestamp(accepted_at_ms / 1000.0) AT TIME ZONE %(zone)s AS local) AS at
)
SELECT CASE WHEN grouping(hour) = 0 THEN 'hour' WHEN grouping(weekday) = 0 THEN 'weekday'
            WHEN grouping(symbol) = 0 THEN 'symbol' WHEN grouping(duration) = 0 THEN 'duration'
            WHEN grouping(direction) = 0 THEN 'direction' ELSE 'all' END AS kind,
       coalesce(hour::text, weekday::text, symbol, duration, direction, '') AS key, {_COUNTS}
FROM taken GROUP BY GROUPING SETS ((), (hour), (weekday), (symbol), (duration), (direction))
UNION ALL
SELECT 'tag', tag, {_COUNTS}
FROM taken JOIN trading_journal_entry AS entry ON entry.order_id = taken.id CROSS JOIN unnest(entry.tags) AS tag
GROUP BY tag"""

LOSING_RUN = f"""
WITH {_TAKEN},
decided AS (
    SELECT state, row_number() OVER (ORDER BY expires_at_ms, id)
                  - row_number() OVER (PARTITION BY state ORDER BY expires_at_ms, id) AS run
    FROM newest WHERE state IN ('won', 'lost')
)
SELECT coalesce(max(length), 0)
FROM (SELECT count(*) AS length FROM decided WHERE state = 'lost' GROUP BY run) AS runs"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose and which orders are counted; ``to_ms`` is exclusive."""

    user_id: UUID
    book: str
    from_ms: int
    to_ms: int
    zone: str
    symbol: str | None = None
    tag: str | None = None

    def params(self, limit: int) -> dict[str, object]:
        """Return what the statements are asked with."""
        return {
            "user_id": self.user_id,
            "book": self.book,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "zone": self.zone,
            "symbol": self.symbol,
            "tag": self.tag,
            "limit": limit,
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """All orders, and the same orders in groups by what they have in common."""

    all: Tally
    groups: dict[str, dict[str, Tally]]
    longest_losing_run: int


def statistics_of(asked: Asked, *, limit: int = ORDERS_MAX) -> Statistics:
    """Count the newest settled orders of a time."""
    params = asked.params(limit)
    groups: dict[str, dict[str, Tally]] = {}
    total = Tally()
    for kind, key, *counts in db.rows(GROUPED, params):
        if kind == "all":
            total = Tally(*counts)
        else:
            groups.setdefault(kind, {})[key] = Tally(*counts)
    run = db.row(LOSING_RUN, params)
    assert run is not None
    return Statistics(total, groups, int(run[0]))
