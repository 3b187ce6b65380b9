"""Reads of trading: lists of orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from kernel.http.pages import Cursor
from trading.domain import OrderState
from trading.models import Order


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which of a user's orders are asked for; None means all."""

    ledgers: Iterable[str] | None = None
    settled: bool | None = None
    state: str | None = None
    direction: str | None = None
    symbol: str | None = None
    client_order_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def orders_of(*, user_id: UUID, wanted: OrderFilter, cursor: Cursor | None, limit: int) -> Sequence[Order]:
    """Return a user's orders, newest first by (accepted_at, id); ``to_ms`` is exclusive."""
    found = _filtered(Order.objects.filter(user_id=user_id), wanted)
    if cursor is not None:
        # A bound that the index knows, and then the few rows of that instant: an OR of both would sort all orders.
        found = found.filter(accepted_at_ms__lte=cursor.at).exclude(accepted_at_ms=cursor.at, id__gte=cursor.uuid)
    return list(found.order_by("-accepted_at_ms", "-id")[:limit])


def order_of(*, user_id: UUID, order_id: UUID) -> Order | None:
    """Return one order of a user, or None when it is not theirs."""
    return Order.objects.filter(user_id=user_id, id=order_id).first()


def books_of(ledgers: Iterable[str], prefix: str = "") -> Q:
    """Return the condition that an order's book is of one of these ledgers.

    :param prefix: the way to the order, such as ``order__``
    """
    ledgers = list(ledgers)
    books = Q(**{f"{prefix}book__in": [ledger for ledger in ledgers if ledger != "tournament"]})
    return books | Q(**{f"{prefix}book__startswith": "t:"}) if "tournament" in ledgers else books


def _filtered(found: QuerySet[Order], wanted: OrderFilter) -> QuerySet[Order]:
    if wanted.ledgers is not None:
        found = found.filter(books_of(wanted.ledgers))
    if wanted.settled is not None:
        is_open = Q(state=OrderState.OPEN)
        found = found.filter(~is_open if wanted.settled else is_open)
    for name, value in (
        ("state", wanted.state),
        ("direction", wanted.direction),
        ("symbol", wanted.symbol),
        ("client_order_id", wanted.client_order_id),
        ("accepted_at_ms__gte", wanted.from_ms),
        ("accepted_at_ms__lt", wanted.to_ms),
    ):
        if value is not None:
            found = found.filter(**{name: value})
    return found
