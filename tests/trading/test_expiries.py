"""Expiries by the clock and their purchase deadline (rules 2, check 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernel.clock import rfc3339
from kernel.errors import Problem
from tests.books import fingerprint, violations
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from tests.trading.tickets import BODY

pytestmark = pytest.mark.django_db

MINUTE_MS = 60_000


@pytest.fixture
def market() -> Market:
    return market_open(purchase_deadline_s=10, min_duration_s=5, max_duration_s=3_600)


@pytest.fixture
def trader() -> Trader:
    return trader_open()


def _next(step_ms: int, *, at_least_ms: int = 12_000) -> int:
    """Return the next round instant that is far enough away for a busy machine."""
    now_ms = db_now_ms() + at_least_ms
    return now_ms + (-now_ms) % step_ms


@pytest.mark.parametrize("step_ms", [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS], ids=["minute", "five", "quarter"])
def test_an_order_may_name_the_next_round_time(market: Market, trader: Trader, step_ms: int) -> None:
    """Rules 2: a clock time is the expiry itself, to the millisecond; acceptance does not move it."""
    expires_ms = _next(step_ms)
    row = order_row(trader.place(market, duration_s=None, expires_at_ms=expires_ms))
    assert (row.expires_at_ms, row.expires_at_ms % step_ms) == (expires_ms, 0)
    assert row.accepted_at_ms < expires_ms - 10_000


def test_clients_who_name_the_same_time_end_on_the_same_tick(market: Market, trader: Trader) -> None:
    """Rules 2 and 3: two orders for one instant, accepted apart, have one evidence tick."""
    expires_ms = _next(MINUTE_MS)
    orders = [one.place(market, duration_s=None, expires_at_ms=expires_ms) for one in (trader, trader_open())]
    market.admitted("1.08600", at_ms=expires_ms)
    market.admitted("1.08000", at_ms=expires_ms + 1)
    assert settle_due() == 2
    assert {(order_row(order).close_seq, order_row(order).state) for order in orders} == {(2, "won")}
    assert violations() == {}


@pytest.mark.parametrize(
    ("in_ms", "code"),
    [
        (-MINUTE_MS, "order.duration.out_of_range"),
        (4_900, "order.duration.out_of_range"),
        (9_900, "order.expiry.past_deadline"),
        (3_700_000, "order.duration.out_of_range"),
    ],
)
def test_a_clock_time_is_refused_by_bounds_first_and_then_by_its_deadline(
    market: Market, trader: Trader, in_ms: int, code: str
) -> None:
    """Rules 2, check 7: bounds, then the last 10 s before a clock time; nothing has changed."""
    before = fingerprint()
    with pytest.raises(Problem) as refused:
        trader.place(market, duration_s=None, expires_at_ms=db_now_ms() + in_ms)
    assert refused.value.code == code
    assert fingerprint() == before


def test_a_duration_has_no_deadline(market: Market, trader: Trader) -> None:
    """Rules 2: the deadline belongs to clock times; a duration of 5 s is a duration of 5 s."""
    row = order_row(trader.place(market, duration_s=5))
    assert row.expires_at_ms == row.accepted_at_ms + 5_000


def test_the_deadline_is_the_symbols_and_public(trader: Trader) -> None:
    """Rules 2, architecture 4: the deadline is in the symbol's public terms, and it is the one that is kept."""
    near = market_open("NEAR", purchase_deadline_s=30, min_duration_s=5)
    assert trader.http().get("/api/v1/symbols/NEAR").json()["purchase_deadline_s"] == 30
    with pytest.raises(Problem) as refused:
        trader.place(near, duration_s=None, expires_at_ms=db_now_ms() + 29_000)
    assert (refused.value.code, refused.value.status) == ("order.expiry.past_deadline", 422)
    assert "30 s" in refused.value.detail
    assert trader.place(near, duration_s=None, expires_at_ms=db_now_ms() + 40_000).state == "open"


def test_a_clock_time_over_http(market: Market, trader: Trader) -> None:
    """Contract: ``expires_at`` in RFC 3339 with any offset; microseconds are cut, never rounded."""
    expires_ms = _next(MINUTE_MS)
    client = trader.http()

    def post(name: str, text: str) -> Any:
        body = {key: value for key, value in BODY.items() if key != "duration_s"}
        body |= {"client_order_id": name, "expires_at": text}
        return client.post("/api/v1/orders", json.dumps(body), content_type="application/json")

    utc = rfc3339(expires_ms)
    first = post("utc", utc)
    assert (first.status_code, first.json()["expires_at"]) == (201, utc)
    shifted = rfc3339(expires_ms + 2 * 3_600_000).replace(".000Z", ".000999+02:00")
    assert post("offset", shifted).json()["expires_at"] == utc
    late = post("late", rfc3339(db_now_ms() + 9_000))
    assert (late.status_code, late.json()["code"], late.json()["retryable"]) == (
        422,
        "order.expiry.past_deadline",
        False,
    )
