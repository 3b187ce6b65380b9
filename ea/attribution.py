"""Where the time of signals went, and how prices and payouts moved meanwhile: percentiles, asked each second.

Components of an event, of which all add up to the total: ``signal`` from the deal to its signature (t1 - t0, the
client's clock), ``transport`` to the bridge (t2 - t1 by the offset between the clocks), ``log`` until it was durable,
``risk`` until it was decided, the wait for it included, ``placement`` until its order was answered. Events that came
again are counted apart: what their client measured of them is not what the others met.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from kernel import db

WINDOWS_MS = {"1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000}
COMPONENTS = ("signal", "transport", "log", "risk", "placement", "total")
GROUPS = ("strategy", "symbol")
EVENTS_MAX, ROWS_MAX = 50_000, 200
_PERCENTS = "ARRAY[0.5, 0.95, 0.99]"

# Positive is to the client's disadvantage: dearer for who bets on up, cheaper for who bets on down.
DRIFT_SQL = """CASE direction WHEN 'up' THEN open_price::numeric - ref_price::numeric
                           WHEN 'down' THEN ref_price::numeric - open_price::numeric END"""
# The newest events of each installation within the window, by the index that attribution has; microseconds.
_RECENT = f"""
recent AS (
    SELECT event_id, one.strategy, one.symbol, repeated,
           (signed_ms - deal_ms) * 1000 AS signal, recv_us - (signed_ms + offset_ms) * 1000 AS transport,
           log_us - recv_us AS log, decided_us - log_us AS risk, answered_us - decided_us AS placement,
           answered_us - (deal_ms + offset_ms) * 1000 AS total,
           {DRIFT_SQL} AS drift, nullif(ref_price::numeric, 0) AS ref_price, payout_percent - quoted_percent AS payout
    FROM unnest(%(links)s::bigint[]) AS link(id)
    CROSS JOIN LATERAL (
        SELECT * FROM ea_latency WHERE link_id = link.id AND log_us > %(since_us)s AND log_us <= %(until_us)s
        ORDER BY log_us DESC LIMIT %(most)s
    ) AS one
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM ea_repeat WHERE event_id = one.event_id) AS repeated) AS again
)"""
_FIGURES = ", ".join(
    f"percentile_cont({_PERCENTS}) WITHIN GROUP (ORDER BY {name}) FILTER (WHERE NOT repeated)"
    for name in (*COMPONENTS, "drift_shown", "payout")
)


def _statement(by: Sequence[str]) -> str:
    """Return the statement for a grouping; prices of several symbols compare by share, of one by its smallest step."""
    shown = {name: f"coalesce({name}, '')" if name in by else "''" for name in GROUPS}
    if "symbol" in by:
        drift = "drift * 10 ^ coalesce((SELECT price_scale FROM quotes_symbol WHERE code = recent.symbol), 0)"
    else:
        drift = "drift / ref_price * 10000"
    return f"""
WITH {_RECENT},
shown AS (
    SELECT {shown["strategy"]} AS strategy_shown, {shown["symbol"]} AS symbol_shown, {drift} AS drift_shown, recent.*
    FROM recent
)
SELECT strategy_shown, symbol_shown, count(*), count(*) FILTER (WHERE repeated), {_FIGURES}
FROM shown GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {ROWS_MAX}"""


@dataclass(frozen=True)
class Percentiles:
    """The median, and what 95 and 99 of a hundred stay below; None where there is nothing to count."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class Row:
    """The figures of a strategy and symbol, '' where it is not grouped by, or where there is none; times in ms."""

    strategy: str
    symbol: str
    signals: int
    repeated: int
    components: dict[str, Percentiles]
    price_drift: Percentiles
    payout_drift: Percentiles


@dataclass(frozen=True)
class Figures:
    """Attribution as of an instant; ``price_unit`` is ``points``, or ``bp`` where several symbols are in a row."""

    at_ms: int
    rows: list[Row]
    price_unit: str


class Cache:
    """Keeps each answer for a second: a page that asks each second on several screens is counted once.

    Whoever asks for what is being counted waits for that, so that one owner has one count at a time.
    """

    KEPT_S = 1.0
    MOST = 2_000

    def __init__(self) -> None:
        self._lock = Lock()
        self._counting: dict[Any, Lock] = {}
        self._kept: dict[Any, tuple[float, Figures]] = {}

    def figures(self, key: Any, **asked: Any) -> Figures:
        """Return what is kept for a key, or count it."""
        with self._lock:
            if len(self._counting) > self.MOST:
                self._counting.clear()
                self._kept.clear()
            counting = self._counting.setdefault(key, Lock())
        with counting:
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() - kept[0] < self.KEPT_S:
                return kept[1]
            found = attributed(**asked)
            self._kept[key] = (time.monotonic(), found)
            return found


cache = Cache()


def attributed(
    *, links: Collection[int], by: Sequence[str], window: str, now_ms: int, most: int = EVENTS_MAX
) -> Figures:
    """Count the newest events of installations within a window.

    :param by: some of :data:`GROUPS`
    :param window: one of :data:`WINDOWS_MS`
    :param most: how many events of each installation are looked at
    """
    asked = {
        "links": db.numbers_array(links),
        "since_us": (now_ms - WINDOWS_MS[window]) * 1_000,
        "until_us": now_ms * 1_000,
        "most": most,
    }
    found = db.rows(_statement(by), asked)
    return Figures(now_ms, [_row(*row) for row in found], "points" if "symbol" in by else "bp")


def _row(strategy: str, symbol: str, signals: int, repeated: int, *figures: list[float | None] | None) -> Row:
    *times, drift, payout = figures
    return Row(
        strategy=strategy,
        symbol=symbol,
        signals=signals,
        repeated=repeated,
        components={name: _percentiles(found, 1_000) for name, found in zip(COMPONENTS, times, strict=True)},
        price_drift=_percentiles(drift, 1),
        payout_drift=_percentiles(payout, 1),
    )


def _percentiles(found: list[float | None] | None, unit: int) -> Percentiles:
    return Percentiles(*(None if value is None else round(value / unit, 3) for value in found or (None,) * 3))
