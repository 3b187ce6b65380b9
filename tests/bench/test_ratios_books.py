"""Limits and twins of the benchmarks do the same job as the platform: the books hold, whoever wrote them."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import User
from bench.ratios import books, stock
from bench.ratios.raw_settlement import SETTLE
from bench.ratios.stock import Stock, id_of
from bench.ratios.twins.placing import order_placed
from bench.ratios.twins.settling import orders_settled
from kernel import db
from settlement.audit import orders_audit
from settlement.services import orders_settle
from tests.market import due
from trading.domain import Ticket
from trading.models import Order
from trading.services import order_place

pytestmark = pytest.mark.django_db(transaction=True)

EACH = 20


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> Stock:
    for name, value in {"USERS": 6, "TICKS_EACH": 120, "OPEN_ORDERS": 10}.items():
        monkeypatch.setattr(stock, name, value)
    parts = urlsplit(settings.DATABASE_URL)
    return Stock.filled(urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")), symbols=2)


def _settled() -> int:
    return Order.objects.exclude(state="open").count()


def test_limits_twins_and_the_platform_write_the_same_books(filled: Stock) -> None:
    """One fill for all, as it takes longer than what is looked at: settlement, placement, growth, in this order."""
    _settles_alike(filled)
    _places_alike(filled)
    filled.grow(3)
    assert (filled.users, Order.objects.filter(state="open").count()) == (18, 32)
    assert books.checked() == "all hold"


def _settles_alike(filled: Stock) -> None:
    """Let one statement, the ORM and the platform settle; the audit finds each of their results in the log."""
    for settle in (
        lambda: db.row(SETTLE, {"limit": EACH, "skip": [], "subscribers": ["statistics"]}),
        lambda: orders_settled(EACH),
        lambda: orders_settle(due(EACH)),
    ):
        before = _settled()
        filled.orders_open(EACH)
        settle()
        assert _settled() == before + EACH

    states = set(Order.objects.exclude(state="open").values_list("state", flat=True))
    audit = orders_audit(from_ms=None, to_ms=None)
    assert states >= {"won", "lost"}
    assert (audit.checked, audit.differences, audit.unavailable) == (3 * EACH, [], [])


def _places_alike(filled: Stock) -> None:
    """Place by the platform and by the ORM: the same row, but for what the platform alone freezes of the request."""
    ticket = Ticket("a", "P00", "up", "1.00", ledger="demo", duration_s=60)
    order_place(caller=filled.caller(1), ticket=ticket)
    asked = {"client_order_id": "b", "symbol": "P00", "direction": "up", "stake": Decimal("1.00"), "duration_s": 60}
    order_placed(User.objects.get(pk=id_of("user", 2)), asked | {"ledger": "demo"})

    found = Order.objects.filter(client_order_id__in=["a", "b"]).order_by("client_order_id")
    first, second = ({field.name: getattr(one, field.name) for field in Order._meta.fields} for one in found)
    own = ("id", "client_order_id", "user_id", "wallet_id", "accepted_at_ms", "expires_at_ms", "entered_at_ms")
    differing = {name for name in first if name not in own and first[name] != second[name]}
    assert differing <= {"asked", "source", "balance_after", "handled_us"}
