"""The order's document, as it travels in events."""

from __future__ import annotations

import pytest

from realtime.events import payload_encoded
from tests.market import market_open, trader_open
from trading.events import order_document, payload_begun, payload_filled
from trading.models import Order

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("balance", [0, 5, 99_00, 10**15])
def test_a_document_that_gets_its_balance_later_is_the_same_document(balance: int) -> None:
    """ADR 0036: what is written before the wallet is locked differs in nothing from the whole document."""
    trader_open().place(market_open())
    order = Order.objects.get()
    begun = payload_begun(order)
    order.balance_after = balance
    whole = payload_encoded(order_document(order))
    assert payload_filled(begun, balance=balance, currency=order.currency) == whole
