"""Reads of what settlement has added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import F, Sum

from kernel.models import JobRun
from settlement.models import DailySymbol

DAYS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One day of a ledger in one currency; ``house`` is what the house made, in minor units."""

    day: date
    currency: str
    orders: int
    house: int


def days_recent(book_kind: str) -> list[DayFigures]:
    """Return the newest days of a ledger that have settled orders, oldest first."""
    found = (
        DailySymbol.objects.filter(book_kind=book_kind)
        .values("day", "currency")
        .annotate(orders=Sum(F("won") + F("lost") + F("tied") + F("refunded")), house=Sum(F("stakes") - F("payouts")))
        .order_by("-day", "currency")[:DAYS_SHOWN]
    )
    figures = [DayFigures(row["day"], row["currency"], int(row["orders"]), int(row["house"])) for row in found]
    return figures[::-1]


def jobs_last() -> Sequence[JobRun]:
    """Return the newest run of each job, by name."""
    return list(JobRun.objects.order_by("name", "-period").distinct("name"))
