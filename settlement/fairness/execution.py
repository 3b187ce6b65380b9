"""How orders were executed, by day, ledger and group of clients: counted once a day is over, published by day.

A client is a winner of a day when the settled orders of the 30 days that end with it brought a gain; everybody else who
sent an order on that day belongs to the losers. So the two groups are all clients, and no figure is anybody's who is in
neither.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction

from kernel import db
from kernel.jobs import DAY_MS, MINUTE_MS
from settlement.fairness.comparison import BOUNDS_US, Figures, figures_added
from settlement.models import ExecutionDay
from settlement.statistics import FACT, SUBSCRIBER
from trading.models import RefusalCount

LEDGERS = ("real", "demo")
ALL, WINNERS, LOSERS = SIDES = ("all", "winners", "losers")
# How many days make a winner, the day itself included.
RESULT_DAYS = 30
# Statistics follow settlement within seconds; a day is counted when they are certainly there.
REST_MS = 10 * MINUTE_MS
# The longest order lasts a month: a day that is older is final, or will never be.
DAYS_BACK = 40
# A busy day has millions of orders.
_STATEMENT_MS_MAX = 10 * MINUTE_MS

_WINNERS = """
winner AS MATERIALIZED (
    SELECT book_kind, user_id FROM settlement_daily_user
    WHERE day > %(day)s::date - %(result_days)s AND day <= %(day)s
    GROUP BY book_kind, user_id HAVING sum(payouts - stakes) > 0
)"""

# Every figure is a sum, so the buckets' rows are added up to everything else.
_ORDERS = f"""
WITH {_WINNERS}
SELECT o.book, winner.user_id IS NOT NULL, width_bucket(o.handled_us, %(bounds)s::int[]), o.reason,
       count(*), count(*) FILTER (WHERE o.state <> 'open'), sum(o.payout_percent),
       count(*) FILTER (WHERE o.entry_rule = 'last_tick/1'),
       coalesce(sum(o.accepted_at_ms - o.open_at_ms) FILTER (WHERE o.entry_rule = 'last_tick/1'), 0),
       count(o.open_at_ms) FILTER (WHERE o.entry_rule = 'next_tick/1'),
       coalesce(sum(greatest(o.open_at_ms - o.accepted_at_ms, 0)) FILTER (WHERE o.entry_rule = 'next_tick/1'), 0)
FROM trading_order AS o LEFT JOIN winner ON (winner.book_kind, winner.user_id) = (o.book, o.user_id)
WHERE o.accepted_at_ms >= %(from_ms)s AND o.accepted_at_ms < %(to_ms)s AND o.book = ANY(%(ledgers)s)
GROUP BY 1, 2, 3, 4"""

_REFUSALS = f"""
WITH {_WINNERS}
SELECT refused.book_kind, winner.user_id IS NOT NULL, refused.code, sum(refused.count)
FROM trading_refusal_count AS refused
LEFT JOIN winner ON (winner.book_kind, winner.user_id) = (refused.book_kind, refused.user_id)
WHERE refused.day = %(day)s AND refused.book_kind = ANY(%(ledgers)s)
GROUP BY 1, 2, 3"""

_CLIENTS = f"""
WITH {_WINNERS},
client AS (
    SELECT o.book AS book_kind, o.user_id FROM trading_order AS o
    WHERE o.accepted_at_ms >= %(from_ms)s AND o.accepted_at_ms < %(to_ms)s AND o.book = ANY(%(ledgers)s)
    UNION
    SELECT refused.book_kind, refused.user_id FROM trading_refusal_count AS refused
    WHERE refused.day = %(day)s AND refused.book_kind = ANY(%(ledgers)s)
)
SELECT book_kind, winner.user_id IS NOT NULL, count(*) FROM client LEFT JOIN winner USING (book_kind, user_id)
GROUP BY 1, 2"""

# Nothing of the day can change any more: its orders are settled, and the statistics know what was settled by its end.
_FINAL = """
SELECT NOT EXISTS (SELECT FROM trading_order_open AS opened JOIN trading_order AS o ON o.id = opened.order_id
                   WHERE o.accepted_at_ms >= %(from_ms)s AND o.accepted_at_ms < %(to_ms)s)
   AND NOT EXISTS (SELECT FROM kernel_fact_batch
                   WHERE fact = %(fact)s AND subscriber = %(subscriber)s AND at_ms < %(to_ms)s)"""

_BEGINNING = "SELECT min(accepted_at_ms) FROM trading_order"

DayFigures = Mapping[tuple[str, str], Figures]
"""The figures of one day by (ledger, group)."""


def day_of(instant_ms: int) -> date:
    """Return the UTC day of an instant."""
    return datetime.fromtimestamp(instant_ms // 1_000, UTC).date()


def day_begins_ms(day: date) -> int:
    """Return the first millisecond of a UTC day."""
    return (day - date(1970, 1, 1)).days * DAY_MS


def day_counted(day: date) -> DayFigures:
    """Count one day as it is known now; it reads and writes nothing."""
    asked = {
        "day": day,
        "from_ms": day_begins_ms(day),
        "to_ms": day_begins_ms(day) + DAY_MS,
        "result_days": RESULT_DAYS,
        "ledgers": list(LEDGERS),
    }
    parts: dict[tuple[str, str], Figures] = defaultdict(Figures)
    for ledger, won, *columns in db.rows(_ORDERS, asked | {"bounds": list(BOUNDS_US)}):
        _orders_add(parts[ledger, WINNERS if won else LOSERS], columns)
    for ledger, won, code, number in db.rows(_REFUSALS, asked):
        parts[ledger, WINNERS if won else LOSERS].refusals[code] += int(number)
    for ledger, won, clients in db.rows(_CLIENTS, asked):
        parts[ledger, WINNERS if won else LOSERS].clients = clients
    for ledger in LEDGERS:
        parts[ledger, ALL] = figures_added(parts[ledger, side] for side in (WINNERS, LOSERS))
    return parts


def _orders_add(figures: Figures, columns: Sequence[Any]) -> None:
    bucket, reason, orders, settled, payout_sum, last_entries, last_age_ms, next_entries, next_wait_ms = columns
    figures.orders += orders
    if bucket is not None:
        figures.latencies[bucket] += orders
    if reason is not None:
        figures.refunds[reason] += orders
    figures.settled += settled
    figures.payout_sum += int(payout_sum)
    figures.last_entries += last_entries
    figures.last_age_ms += int(last_age_ms)
    figures.next_entries += next_entries
    figures.next_wait_ms += int(next_wait_ms)


def execution_days_count(*, now_ms: int) -> int:
    """Count the days that are over and not final yet, each in a transaction of its own; forget whose old refusals were.

    :return: how many days were counted
    """
    found = db.row(_BEGINNING)
    if found is None or found[0] is None:
        return 0
    until = day_of(now_ms - REST_MS)
    oldest = until - timedelta(days=DAYS_BACK)
    begin = max(day_of(found[0]), oldest)
    final = set(ExecutionDay.objects.filter(day__gte=begin, side=ALL, final=True).values_list("day", flat=True))
    days = [begin + timedelta(days=ahead) for ahead in range((until - begin).days)]
    missing = [day for day in days if day not in final]
    for day in missing:
        _day_store(day, now_ms)
    RefusalCount.objects.filter(day__lt=oldest).delete()
    return len(missing)


@transaction.atomic
def _day_store(day: date, now_ms: int) -> None:
    db.run(f"SET LOCAL statement_timeout = {_STATEMENT_MS_MAX}")
    # Asked for first: whatever is settled while the day is counted makes it counted again, never final too early.
    bounds = {"from_ms": day_begins_ms(day), "to_ms": day_begins_ms(day) + DAY_MS}
    found = db.row(_FINAL, bounds | {"fact": FACT, "subscriber": SUBSCRIBER})
    assert found is not None
    counted = day_counted(day)
    ExecutionDay.objects.filter(day=day).delete()
    ExecutionDay.objects.bulk_create(
        ExecutionDay(
            day=day,
            book_kind=ledger,
            side=side,
            final=found[0],
            counted_at_ms=now_ms,
            **_columns(counted[ledger, side]),
        )
        for ledger in LEDGERS
        for side in SIDES
    )


def _columns(figures: Figures) -> dict[str, Any]:
    return {
        "clients": figures.clients,
        "orders": figures.orders,
        "latencies": figures.latencies,
        "refusals": dict(figures.refusals),
        "refunds": dict(figures.refunds),
        "settled": figures.settled,
        "payout_sum": figures.payout_sum,
        "last_entries": figures.last_entries,
        "last_age_ms": figures.last_age_ms,
        "next_entries": figures.next_entries,
        "next_wait_ms": figures.next_wait_ms,
    }


def days_stored(first: date, last: date) -> dict[date, DayFigures]:
    """Return the days from ``first`` to ``last``, both included, that were counted."""
    found: dict[date, dict[tuple[str, str], Figures]] = defaultdict(dict)
    for row in ExecutionDay.objects.filter(day__gte=first, day__lte=last):
        kept = {name: getattr(row, name) for name in _columns(Figures())}
        kept |= {"refusals": Counter(row.refusals), "refunds": Counter(row.refunds)}
        found[row.day][row.book_kind, row.side] = Figures(**kept)
    return dict(found)
