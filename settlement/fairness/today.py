"""The day that is not over: counted when it is asked for, within bounds, and kept for half a minute."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date
from threading import Lock

from django.db import OperationalError, transaction
from psycopg.errors import QueryCanceled

from kernel import db
from settlement.fairness.execution import DayFigures, day_counted

KEPT_S = 30.0
# A busy day cannot be counted for everybody who asks: then it is told tomorrow.
COUNT_MS_MAX = 2_000


@dataclass
class _Kept:
    day: date | None = None
    at_s: float = 0.0
    figures: DayFigures | None = None
    lock: Lock = field(default_factory=Lock)


_kept = _Kept()


def today_counted(day: date) -> DayFigures | None:
    """Return the figures of the day so far, at most half a minute old; None where counting takes too long."""
    with _kept.lock:
        now_s = time.monotonic()
        if _kept.day != day or now_s - _kept.at_s >= KEPT_S:
            _kept.figures, _kept.day, _kept.at_s = _counted(day), day, now_s
        return _kept.figures


def today_forget() -> None:
    """Forget what was counted."""
    with _kept.lock:
        _kept.day = None


def _counted(day: date) -> DayFigures | None:
    try:
        with transaction.atomic():
            db.run(f"SET LOCAL statement_timeout = {COUNT_MS_MAX}")
            return day_counted(day)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return None
        raise
