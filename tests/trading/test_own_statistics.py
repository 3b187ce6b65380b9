"""Statistics of own orders: every figure against one reckoned by hand, and by a second way from the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from kernel.clock import rfc3339
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from trading.journal import Noted, entry_put
from trading.models import Order
from trading.statistics import Asked, statistics_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open(max_tick_age_ms=60_000)


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def _settled(market: Market, trader: Trader, direction: str, moves: str, stake: str = "10.00", **terms: Any) -> Order:
    """Let one order settle: the price goes up, down or nowhere, and then back."""
    order = order_row(trader.place(market, direction, stake, **({"duration_s": 5} | terms)))
    market.admitted({"up": "1.08600", "down": "1.08000", "same": "1.08512"}[moves], at_ms=order.expires_at_ms)
    market.admitted("1.08512", at_ms=order.expires_at_ms + 1)
    assert settle_due() >= 1
    return order_row(str(order.pk))


def _read(client: Client, query: str = "ledger=demo") -> dict[str, Any]:
    answer = client.get(f"/api/v1/statistics?{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_figures_of_a_few_orders_reckoned_by_hand(market: Market, trader: Trader) -> None:
    """2 won, 3 lost, 1 tied; at 85 %: +8.50 +17.00 -10 -10 -20; refunds and ties are counted apart."""
    for direction, moves, stake in (
        ("up", "up", "10.00"),
        ("up", "down", "10.00"),
        ("down", "up", "10.00"),
        ("up", "same", "50.00"),
        ("down", "up", "20.00"),
        ("down", "down", "20.00"),
    ):
        _settled(market, trader, direction, moves, stake)
    trader.place(market)  # An open order is no result.
    found = _read(trader.http())
    assert found["all"] == {
        "orders": 6,
        "decided": 5,
        "won": 2,
        "lost": 3,
        "tied": 1,
        "refunded": 0,
        "win_percent": "40.0",
        "interval": ["11.8", "76.9"],
        "break_even_percent": "54.1",
        "verdict": "too_few",
        "turnover": "70.00",
        "profit": "-14.50",
        "expectancy": "-2.9000",
        "return_percent": "-20.71",
    }
    # The tie between the second and the third loss neither counts nor ends the run.
    assert found["longest_losing_run"] == 3
    assert (found["few"], found["truncated"], found["currency"], found["zone"]) == (30, False, "USD", "UTC")
    by_direction = {row["key"]: (row["won"], row["lost"], row["profit"]) for row in found["groups"]["direction"]}
    assert by_direction == {"up": (1, 1, "-1.50"), "down": (1, 2, "-13.00")}
    assert [(row["key"], row["orders"]) for row in found["groups"]["duration"]] == [("15", 6)]
    assert [(row["key"], row["orders"]) for row in found["groups"]["symbol"]] == [("EURUSD", 6)]


def test_nothing_is_told_of_nothing(trader: Trader) -> None:
    """No orders: counts of zero, and null where there is no share."""
    found = _read(trader.http())
    assert (found["all"]["orders"], found["all"]["win_percent"], found["all"]["interval"]) == (0, None, None)
    assert (found["all"]["break_even_percent"], found["all"]["expectancy"]) == (None, None)
    assert (found["all"]["verdict"], found["longest_losing_run"]) == ("too_few", 0)
    assert set(map(len, found["groups"].values())) == {0}


def test_books_and_people_are_never_mixed(market: Market, trader: Trader) -> None:
    """Demo and real apart, and only one's own orders; the ledger must be named."""
    other = trader_open()
    _settled(market, trader, "up", "up")
    _settled(market, trader, "up", "down", ledger="real")
    _settled(market, other, "up", "up")
    client = trader.http()
    assert [(_read(client, f"ledger={name}")["all"]["won"]) for name in ("demo", "real")] == [1, 0]
    assert _read(client, "ledger=real")["all"]["lost"] == 1
    bound = trader.http(ledgers=("demo",)).get("/api/v1/statistics?ledger=real")
    assert (bound.status_code, bound.json()["code"]) == (403, "auth.ledger")
    assert Client().get("/api/v1/statistics?ledger=demo").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        "",
        "ledger=tournament",
        "ledger=demo&zone=Mars/Base",
        "ledger=demo&zone=../etc",
        "ledger=demo&from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z",
        "ledger=demo&from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "ledger=demo&from=yesterday",
        "ledger=demo&result=won",
        "ledger=demo&tag=a%00",
    ],
)
def test_a_query_of_wrong_shape_is_refused(trader: Trader, query: str) -> None:
    """400 with the field, never 500, and never a time without a bound."""
    refused = trader.http().get(f"/api/v1/statistics?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid")


def test_filters_by_time_symbol_and_tag(market: Market, trader: Trader) -> None:
    """``from`` inclusive, ``to`` exclusive, by acceptance; a tag of the journal is a group and a filter."""
    first, second = _settled(market, trader, "up", "up"), _settled(market, trader, "up", "down")
    entry_put(user_id=trader.user.id, order_id=second.pk, noted=Noted(note="", tags=["late", "news"]))
    client = trader.http()
    cut = rfc3339(second.accepted_at_ms)
    assert second.accepted_at_ms > first.accepted_at_ms
    assert _read(client, f"ledger=demo&from={cut}&to={rfc3339(market.now_ms + 60_000)}")["all"]["orders"] == 1
    assert _read(client, f"ledger=demo&to={cut}")["all"]["won"] == 1
    assert _read(client, "ledger=demo&tag=Late")["all"]["lost"] == 1
    assert _read(client, "ledger=demo&tag=none")["all"]["orders"] == 0
    assert _read(client, "ledger=demo&symbol=GBPUSD")["all"]["orders"] == 0
    assert [(row["key"], row["lost"]) for row in _read(client)["groups"]["tag"]] == [("late", 1), ("news", 1)]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_hours_and_weekdays_are_those_of_the_zone(market: Market, trader: Trader, zone: str) -> None:
    """Zones off by parts of an hour, against Python's own reckoning."""
    order = _settled(market, trader, "up", "up")
    local = datetime.fromtimestamp(order.accepted_at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    groups = _read(trader.http(), f"ledger=demo&zone={zone}")["groups"]
    assert [row["key"] for row in groups["hour"]] == [str(local.hour)]
    assert [row["key"] for row in groups["weekday"]] == [str(local.isoweekday())]


def test_the_newest_orders_are_counted_when_there_are_too_many(market: Market, trader: Trader) -> None:
    """A bound on the rows; groups add up to all, and the run is the one of a plain loop over the rows."""
    pattern = ["up", "down", "down", "same", "down", "up", "down", "down", "up"]
    orders = [_settled(market, trader, "up", moves) for moves in pattern]
    asked = Asked(trader.user.id, "demo", 0, db_now_ms() + 3_600_000, "UTC")
    found = statistics_of(asked)
    decided = [order.state for order in orders if order.state in ("won", "lost")]
    assert found.longest_losing_run == max(len(list(run)) for state, run in groupby(decided) if state == "lost")
    for kind in ("hour", "weekday", "symbol", "duration", "direction"):
        assert sum(tally.orders for tally in found.groups[kind].values()) == found.all.orders == len(orders)
        assert sum(tally.profit for tally in found.groups[kind].values()) == found.all.profit
    newest = statistics_of(asked, limit=3)
    assert (newest.all.orders, newest.all.won, newest.all.lost) == (3, 1, 2)


def test_refunds_are_no_losses(market: Market, trader: Trader) -> None:
    """A refunded order is counted apart: it enters neither share nor turnover."""
    order = order_row(trader.place(market, duration_s=120))
    market.admitted("1.08512", at_ms=order.expires_at_ms + 1)
    settle_due()
    found = _read(trader.http())["all"]
    assert (found["refunded"], found["decided"], found["turnover"], found["profit"]) == (1, 0, "0.00", "0.00")


def test_orders_are_listed_by_result_and_direction(market: Market, trader: Trader) -> None:
    """GET /orders: result and direction filter, and unknown words are refused."""
    won, lost = _settled(market, trader, "up", "up"), _settled(market, trader, "down", "up")
    client = trader.http()

    def ids(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"/api/v1/orders?{query}").json()["data"]]

    assert ids("result=won") == [str(won.pk)]
    assert ids("result=lost&direction=down") == [str(lost.pk)]
    assert ids("result=lost&direction=up") == []
    for wrong in ("result=open", "result=", "direction=left"):
        assert client.get(f"/api/v1/orders?{wrong}").status_code == 400
