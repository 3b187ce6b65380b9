"""The order's document, as it travels in events."""

from __future__ import annotations

import pytest

from realtime.events import payload_encoded
from tests.market import market_open, trader_open
from trading.events import order_document, payload_begun, payload_filled
from trading.models import Order

pytestmark = pytest.mark.django_db


# What settlement may make of an order, and what it has before.
ENDS: list[dict[str, object]] = [
    {},
    {"entered_at_ms": None, "open_seq": None, "open_at_ms": None, "open_price": None, "entry_rule": "next_tick/1"},
    {"state": "won", "payout": 18_500, "close_seq": 9, "close_at_ms": 1_790_000_000_123, "close_price": 108_611},
    {"state": "won", "payout": 18_500, "close_seq": 9, "close_at_ms": 1, "close_price": 7, "close_tick_price": 8},
    {
        "state": "lost",
        "payout": 0,
        "close_seq": 9,
        "close_at_ms": 1,
        "close_price": 7,
        "settled_at_ms": 1_790_000_000_000,
    },
    {"state": "refunded", "payout": 10_000, "reason": "tick_missing", "settled_at_ms": 5},
    {"symbol": 'A"B\\', "client_order_id": "x\n\u00e9", "book": "t:0198"},
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("balance", [0, 5, 99_00, 10**15])
def test_a_document_that_gets_its_balance_later_is_the_same_document(balance: int, end: dict[str, object]) -> None:
    """ADR 0036: what is written before the wallet is locked differs in nothing from the whole document."""
    trader_open().place(market_open())
    order = Order.objects.get()
    for name, value in end.items():
        setattr(order, name, value)
    begun = payload_begun(order)
    order.balance_after = balance
    whole = payload_encoded(order_document(order))
    assert payload_filled(begun, balance=balance, currency=order.currency) == whole
