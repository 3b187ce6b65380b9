"""Reads of what settlement has to do and has added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import F, Sum

from kernel import db
from kernel.models import JobRun
from settlement import statements
from settlement.models import DailySymbol

DAYS_SHOWN = 30


def orders_due(*, limit: int, skip: Sequence[UUID] = ()) -> list[list[UUID]]:
    """Return the orders that can be settled now, oldest expiry first, by wallet; nothing is locked.

    :param limit: how many orders at most; those that expired first
    :param skip: orders to leave out
    :return: each wallet's orders, the wallet with the oldest order first
    """
    return _by_wallet(statements.DUE, limit, skip)


def orders_entering(*, limit: int, skip: Sequence[UUID] = ()) -> list[list[UUID]]:
    """Return the orders whose entry can be decided now, in the form of :func:`orders_due`."""
    return _by_wallet(statements.ENTERING, limit, skip)


def _by_wallet(statement: str, limit: int, skip: Sequence[UUID]) -> list[list[UUID]]:
    return [orders for (orders,) in db.rows(statement, {"limit": limit, "skip": db.ids_array(skip)})]


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
