"""The platform's exposure caps (rules 2, check 10)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kernel.errors import Problem
from quotes.models import Symbol
from tests.books import fingerprint, violations
from tests.market import Market, Trader, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open(exposure_cap_minor=5_000)


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="1000.00")


def _code(trader: Trader, market: Market, direction: str, stake: str, **terms: Any) -> str:
    """Return the code of a refusal on the real ledger, or ``accepted``."""
    try:
        trader.place(market, direction, stake, **({"ledger": "real"} | terms))
    except Problem as problem:
        return problem.code
    return "accepted"


def test_the_cap_refuses_one_direction_and_a_smaller_stake_still_fits(market: Market, trader: Trader) -> None:
    """Rules 2: caps are per symbol and direction; the stake that fills the cap to the unit is taken."""
    assert _code(trader, market, "up", "40.00") == "accepted"
    before = fingerprint()
    assert _code(trader, market, "up", "10.01") == "exposure.symbol"
    assert fingerprint() == before
    assert _code(trader, market, "down", "50.00") == "accepted"
    assert _code(trader, market, "up", "10.00") == "accepted"
    assert _code(trader, market, "up", "1.00") == "exposure.symbol"
    assert violations() == {}


def test_the_cap_counts_everybody_and_refuses_everybody_alike(market: Market, trader: Trader) -> None:
    """Rules 2: new stake is refused for everybody alike, whoever filled the cap."""
    others = [trader_open(real="100.00") for _ in range(2)]
    assert [_code(one, market, "up", "25.00") for one in others] == ["accepted", "accepted"]
    assert {_code(one, market, "up", "1.00") for one in (*others, trader)} == {"exposure.symbol"}


def test_each_symbol_has_its_own_cap_and_most_have_none(market: Market, trader: Trader) -> None:
    """Rules 2: per symbol."""
    free = market_open("GBPUSD")
    assert _code(trader, market, "up", "50.00") == "accepted"
    assert _code(trader, free, "up", "500.00") == "accepted"
    assert _code(trader, market, "up", "1.00") == "exposure.symbol"


def test_the_cap_neither_counts_nor_binds_the_demo_ledger(market: Market, trader: Trader) -> None:
    """Rules 2: the platform risks nothing there."""
    for _ in range(3):
        assert _code(trader, market, "up", "50.00", ledger="demo") == "accepted"
    assert _code(trader, market, "up", "50.00") == "accepted"
    assert _code(trader, market, "up", "50.00", ledger="demo") == "accepted"
    assert _code(trader, market, "up", "1.00") == "exposure.symbol"


def test_settlement_frees_the_cap(market: Market, trader: Trader) -> None:
    """Rules 2: only open stakes count."""
    order = trader.place(market, "up", "50.00", ledger="real", duration_s=1)
    assert _code(trader, market, "up", "1.00") == "exposure.symbol"
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    assert _code(trader, market, "up", "50.00") == "accepted"


def test_orders_that_wait_for_their_entry_count_until_they_are_refunded(trader: Trader) -> None:
    """Rules 2: a stake is at risk from acceptance on; one that is returned at entry is not any more."""
    market = market_open("GBPUSD", entry_rule="next_tick/1", exposure_cap_minor=5_000)
    trader.place(market, "up", "50.00", ledger="real", expected_price="2.0", max_price_drift="0")
    assert _code(trader, market, "up", "1.00") == "exposure.symbol"
    market.admitted("1.08600")
    settle_due()
    assert _code(trader, market, "up", "50.00") == "accepted"


def test_a_lower_cap_binds_new_orders_only(market: Market, trader: Trader) -> None:
    """Rules 3: an operator's act never changes an open order; the cap may stand below what is open."""
    order = trader.place(market, "up", "50.00", ledger="real")
    Symbol.objects.filter(pk=market.id).update(exposure_cap_minor=100)
    assert _code(trader, market, "up", "1.00") == "exposure.symbol"
    assert _code(trader, market, "down", "1.00") == "accepted"
    assert order_row(order).state == "open"


def test_the_refusal_says_what_can_be_done(market: Market, trader: Trader) -> None:
    """Contract: 422 ``exposure.symbol``, not retryable as it is."""
    with pytest.raises(Problem) as refused:
        trader.place(market, "up", "50.01", ledger="real")
    assert (refused.value.status, refused.value.code, refused.value.retryable) == (422, "exposure.symbol", False)
    assert "smaller stakes" in refused.value.detail


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"duration_s": 90_000}, "order.duration.out_of_range"),
        ({"min_payout_percent": 99}, "exposure.symbol"),
        ({"expected_price": "2.0", "max_price_drift": "0"}, "exposure.symbol"),
        ({"stake": "2000.00"}, "exposure.symbol"),
    ],
)
def test_the_cap_has_its_place_among_the_checks(
    market: Market, trader: Trader, terms: dict[str, Any], code: str
) -> None:
    """Rules 2: after the terms and the market, before the guards and the funds."""
    asked = {"stake": "50.01"} | terms
    assert _code(trader, market, "up", asked.pop("stake"), **asked) == code


@pytest.mark.django_db(transaction=True)
def test_a_cap_costs_no_statement() -> None:
    """Architecture: placement stays at three statements; the cap is read with everything else, without a lock."""
    market, trader = market_open(exposure_cap_minor=5_000, entry_rule="next_tick/1"), trader_open(real="100.00")
    trader.place(market, ledger="real")
    with CaptureQueriesContext(connection) as captured:
        trader.place(market, ledger="real")
    sent = [query["sql"] for query in captured]
    assert (sent[0], sent[-1], len(sent)) == ("BEGIN", "COMMIT", 5)
