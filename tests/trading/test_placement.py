"""Placing orders on a real database: one transaction, nothing changed by a refusal (rules 2)."""

from __future__ import annotations

import pytest

from tests.market import market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db


def test_smoke() -> None:
    market = market_open()
    trader = trader_open(real="100.00")
    order = trader.place(market)
    assert trader.balance() == 999_000
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
    assert settle_due() == 1
    assert order_row(order).state == "won"
