"""How often one wrong tick turns a result, under both settlement rules, with and without admission's filter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bench.studies.figures import percent, wilson
from bench.studies.recordings import ADMISSION, UNFILTERED, Log, with_tick
from quotes.domain import AdmittedTick, RawTick
from settlement.domain import TRIMMED_WINDOW_MS, Evidence, Terms, Tick, outcome
from trading.domain import Direction, OrderState

# How far from the last price the wrong tick is, in thousandths: just inside the bound of 5 %, and just outside.
SIZES = {"4.9": 49, "5.1": 51}
# The wrong tick inside the bound passes the filter; outside it, the filter can be there or not.
CASES = (("4.9", True), ("5.1", True), ("5.1", False))
# Where in the last ten seconds it lies.
BEFORE_EXPIRY_MS = (25, 1_000, 5_000, 9_000)
EVERY_MS = 1_000
MAX_TICK_AGE_MS = 3_000


@dataclass(slots=True)
class Turned:
    """How many orders ended in another way than without the wrong tick, and how many of them the other way round."""

    orders: int = 0
    changed: int = 0
    reversed: int = 0

    def add(self, before: OrderState, after: OrderState) -> None:
        """Count an order."""
        self.orders += 1
        self.changed += before is not after
        self.reversed += {before, after} == {OrderState.WON, OrderState.LOST}

    def document(self) -> dict[str, object]:
        """Return the counts and their shares."""
        return {
            "orders": self.orders,
            "changed": self.changed,
            "reversed": self.reversed,
            "changed_percent": percent(self.changed, self.orders),
            "interval": wilson(self.changed, self.orders),
        }


def outliers_study(
    logs: Iterable[Log], *, durations_s: Sequence[int], settlement_rules: Sequence[str]
) -> list[dict[str, object]]:
    """Return a row for each duration, rule, case and place over some logs together.

    Every second of a recording is an expiry; each is tried with a tick above and a tick below.
    """
    logs, rows = list(logs), []
    for before_ms in BEFORE_EXPIRY_MS:
        for size, filtered in CASES:
            tried = [
                (log, expiry_ms, ticks)
                for log in logs
                for expiry_ms in range(log.began_ms, log.ended_ms, EVERY_MS)
                for thousandths in (SIZES[size], -SIZES[size])
                if (ticks := _with_outlier(log, expiry_ms - before_ms, thousandths, filtered)) is not None
            ]
            for duration_s in durations_s:
                for rule in settlement_rules:
                    row = {
                        "settlement_rule": rule,
                        "duration_s": duration_s,
                        "before_expiry_ms": before_ms,
                        "outlier_percent": size,
                        "filter": filtered,
                    }
                    rows.append(row | _turned(tried, duration_s, rule).document())
    return rows


def _turned(tried: Iterable[tuple[Log, int, Sequence[AdmittedTick]]], duration_s: int, rule: str) -> Turned:
    counted = Turned()
    for log, expiry_ms, ticks in tried:
        opening = log.newest(expiry_ms - duration_s * 1000)
        if opening is None:
            continue
        before = _state(log.ticks, expiry_ms, opening, rule)
        if before is not OrderState.REFUNDED:
            counted.add(before, _state(ticks, expiry_ms, opening, rule))
    return counted


def _state(ticks: Sequence[AdmittedTick], expiry_ms: int, opening: AdmittedTick, rule: str) -> OrderState:
    until = bisect_right(ticks, expiry_ms, key=lambda tick: tick.at_ms)
    since = bisect_right(ticks, expiry_ms - TRIMMED_WINDOW_MS, key=lambda tick: tick.at_ms)
    evidence = ticks[until - 1] if until else None
    window = tuple(tick.price for tick in ticks[since:until])
    return outcome(
        terms=Terms(Direction.UP, 100, 85, expiry_ms, MAX_TICK_AGE_MS, 1, opening.price, rule),
        evidence=Evidence(
            None if evidence is None else Tick(evidence.seq, evidence.at_ms, evidence.price, 1), window, frozenset({1})
        ),
    ).state


def _with_outlier(log: Log, src_ms: int, thousandths: int, filtered: bool) -> list[AdmittedTick] | None:
    """Return a log as it would be with a wrong tick in it; None where there is no price yet to be away from."""
    recv_ms = src_ms + log.offset_ms
    last = log.newest(recv_ms)
    if last is None:
        return None
    # Rounded towards the last price, so that the size is never above what it says.
    away = abs(thousandths) * last.price // 1000
    value = Decimal(last.price + (away if thousandths > 0 else -away)).scaleb(-log.scale)
    prices = (None, None, value) if log.price_source == "last" else (value, value, None)
    wrong = RawTick(log.symbol, -1, src_ms, recv_ms, *prices)
    return with_tick(log, wrong, ADMISSION if filtered else UNFILTERED)
