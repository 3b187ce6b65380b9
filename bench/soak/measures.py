"""What the database tells of a run, read when all orders are settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernel import db

# A watermark never falls, so the first raise that reached an instant is the lowest one at or above it. Orders that were
# decided at their entry, or never entered, were due at another instant than their expiry.
_SETTLEMENT = """
SELECT due.raised_at_ms, o.settled_at_ms - due.raised_at_ms
FROM trading_order AS o
CROSS JOIN LATERAL (
    SELECT raised_at_ms FROM quotes_watermark_raise AS raised
    WHERE raised.symbol_id = o.symbol_id
      AND raised.watermark_ms >= CASE WHEN o.reason = 'no_entry_tick' THEN o.entry_until_ms ELSE o.expires_at_ms END
    ORDER BY raised.watermark_ms LIMIT 1
) AS due
WHERE o.state <> 'open' AND o.reason IS DISTINCT FROM 'price_moved'
  AND (o.open_seq IS NOT NULL OR o.reason = 'no_entry_tick')"""

_ENTRY = """
SELECT known.at_ms, o.entered_at_ms - known.at_ms
FROM trading_order AS o
JOIN quotes_tick AS tick ON tick.symbol_id = o.symbol_id AND tick.seq = o.open_seq AND tick.at_ms = o.open_at_ms
CROSS JOIN LATERAL (SELECT greatest(tick.received_at_ms, o.accepted_at_ms) AS at_ms) AS known
WHERE o.entry_rule = 'next_tick/1' AND o.open_seq IS NOT NULL"""

_ENDS = "SELECT state, coalesce(reason, ''), count(*) FROM trading_order GROUP BY 1, 2 ORDER BY 1, 2"
_RULES = "SELECT entry_rule, settlement_rule, count(*) FROM trading_order GROUP BY 1, 2 ORDER BY 1, 2"
_SILENT = """
SELECT code FROM quotes_symbol AS symbol JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
WHERE head.tick_price IS NULL ORDER BY code"""
_OPEN = "SELECT count(*) FROM trading_order_open"
_SERVED = "SELECT min(settled_at_ms) FROM trading_order WHERE settled_at_ms > %(after_ms)s"
_TICKS = "SELECT count(*) FROM quotes_tick"
_REFUSED_TICKS = "SELECT reason, sum(count)::bigint FROM quotes_refusal_count GROUP BY 1 ORDER BY 1"
_REVISIONS = "SELECT count(*) FROM quotes_symbol_revision WHERE since_ms IS NOT NULL AND number > 1"
_TOLD_TWICE = """
SELECT count(*) FROM (
    SELECT payload->>'id' FROM realtime_event WHERE type = 'order.settled' GROUP BY 1 HAVING count(*) > 1) AS twice"""


@dataclass(frozen=True, slots=True)
class Lag:
    """How long one order waited for the settlement loop, and since when; milliseconds."""

    since_ms: int
    lag_ms: int


@dataclass(frozen=True, slots=True)
class Outage:
    """The time from the kill of the settlement worker until its successor settled again."""

    from_ms: int
    until_ms: int

    @property
    def length_ms(self) -> int:
        """Return how long nothing was settled."""
        return self.until_ms - self.from_ms

    def holds(self, instant_ms: int) -> bool:
        """Whether an order that fell due then had nobody to settle it."""
        return self.from_ms <= instant_ms <= self.until_ms


def settlement_lags() -> list[Lag]:
    """Return, for each settled order, the wait from the raise that made it due to its settlement."""
    return [Lag(*found) for found in db.rows(_SETTLEMENT)]


def entry_lags() -> list[Lag]:
    """Return, for each order that waited for its next tick, the wait from that tick's arrival to the entry.

    A tick that was received before the order was accepted, and written after, counts from the acceptance.
    """
    return [Lag(*found) for found in db.rows(_ENTRY)]


def outages(killed_ms: Iterable[int], *, before_ms: int, interval_ms: int) -> list[Outage]:
    """Return the times without a settlement worker that its kills made.

    The successor's first settlement ends one, with a loop's interval for what had piled up.

    :param before_ms: how old at most a settlement is when it is written: no successor settles so soon after a kill
    """
    found = []
    for at_ms in killed_ms:
        row = db.row(_SERVED, {"after_ms": at_ms + before_ms})
        served_ms = row[0] if row and row[0] is not None else 2**62
        found.append(Outage(at_ms - before_ms, served_ms + interval_ms))
    return found


def parted(lags: Iterable[Lag], without: Sequence[Outage]) -> tuple[list[float], list[float]]:
    """Part waits into those of orders that fell due with a worker at hand, and those without one."""
    served: list[float] = []
    unserved: list[float] = []
    for lag in lags:
        hit = any(outage.holds(lag.since_ms) for outage in without)
        (unserved if hit else served).append(float(lag.lag_ms))
    return served, unserved


def ends() -> dict[str, int]:
    """Return how many orders ended in each state, refunds by reason."""
    return {f"{state} {reason}".strip(): count for state, reason, count in db.rows(_ENDS)}


def rules() -> dict[str, int]:
    """Return how many orders had each pair of rules."""
    return {f"{entry} {settlement}": count for entry, settlement, count in db.rows(_RULES)}


def symbols_without_price() -> list[str]:
    """Return the symbols that have had no tick."""
    return [str(found[0]) for found in db.rows(_SILENT)]


def order_ids() -> set[str]:
    """Return the ids of all orders."""
    return {str(found[0]) for found in db.rows("SELECT id FROM trading_order")}


def open_orders() -> int:
    """Return how many orders are open."""
    return _count(_OPEN)


def ticks_admitted() -> int:
    """Return how many ticks are in the log."""
    return _count(_TICKS)


def ticks_refused() -> Counter[str]:
    """Return how many ticks were refused, by reason."""
    return Counter({reason: int(count) for reason, count in db.rows(_REFUSED_TICKS)})


def revisions_in_force() -> int:
    """Return how many revisions took effect."""
    return _count(_REVISIONS)


def told_twice() -> int:
    """Return how many orders have more than one event of their settlement."""
    return _count(_TOLD_TWICE)


def _count(sql: str) -> int:
    found = db.row(sql)
    assert found is not None
    return int(found[0])
