"""Orders that close at a mean of the last ten seconds (rules 4, ``trimmed_mean_10s/1``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kernel import db
from kernel.clock import parse_rfc3339, rfc3339
from quotes.models import Symbol
from settlement.archive import ticks_archive
from settlement.audit import orders_audit
from settlement.services import orders_settle
from tests.books import violations
from tests.market import Market, Trader, due, market_open, order_row, settle_due, trader_open
from tests.settlement.vectors import vectors_stored

MEAN = "trimmed_mean_10s/1"


@pytest.fixture
def market() -> Market:
    return market_open(settlement_rule=MEAN)


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="500.00")


def _quoted(market: Market, expires_ms: int, quotes: list[tuple[int, str]]) -> None:
    """Bring quotes at times around an expiry, then one that makes the order due."""
    for offset_ms, price in quotes:
        market.admitted(price, at_ms=expires_ms + offset_ms)
    market.admitted("1.00000" if quotes[-1][1] > "1.05" else "1.10000", at_ms=expires_ms + 61_000)


def _sound() -> None:
    assert violations() == {}
    result = orders_audit(from_ms=None, to_ms=None)
    assert (result.differences, result.unavailable) == ([], [])


@pytest.mark.django_db
def test_the_order_shows_the_mean_and_the_last_tick(market: Market, trader: Trader) -> None:
    """Contract, Order: ``close_price`` is the rule's, ``close_tick`` the evidence tick with its own price."""
    order = trader.place(market, "up", duration_s=60)
    quotes = [(-9_999, "1.07000"), (-4_000, "1.08514"), (-2_000, "1.08515"), (-1, "1.08000")]
    _quoted(market, order_row(order).expires_at_ms, quotes)
    assert settle_due() == 1
    document = trader.http().get(f"/api/v1/orders/{order.id}").json()
    # The lowest and the highest are dropped; 1.08000 and 1.08514 are averaged.
    assert (document["close_price"], document["state"], document["payout"]) == ("1.08257", "lost", "0.00")
    assert (document["close_tick"]["price"], document["close_tick"]["seq"]) == ("1.08000", 5)
    assert document["settlement_rule"] == MEAN
    row = order_row(order)
    assert (row.close_price, row.close_tick_price) == (108_257, 108_000)
    _sound()


@pytest.mark.django_db
def test_a_mean_that_is_the_last_tick_is_stored_once(market: Market, trader: Trader) -> None:
    """Contract, Order: the document is the same as where the two differ."""
    order = trader.place(market, "up", duration_s=60)
    _quoted(market, order_row(order).expires_at_ms, [(-500, "1.08513")])
    settle_due()
    row, document = order_row(order), trader.http().get(f"/api/v1/orders/{order.id}").json()
    assert (row.state, row.close_price, row.close_tick_price) == ("won", 108_513, None)
    assert (document["close_price"], document["close_tick"]["price"]) == ("1.08513", "1.08513")
    _sound()


@pytest.mark.django_db
def test_half_a_step_goes_to_the_even_neighbour(market: Market, trader: Trader) -> None:
    """Rules 4: mean half-even to the scale: 1.085125 is 1.08512, which ties with the opening price."""
    order = trader.place(market, "down", duration_s=60)
    _quoted(market, order_row(order).expires_at_ms, [(-700, "1.08513"), (-500, "1.08512")])
    settle_due()
    assert (order_row(order).state, order_row(order).payout) == ("tied", 1_000)
    _sound()


@pytest.mark.django_db
def test_a_tick_ten_seconds_before_the_expiry_is_outside(trader: Trader) -> None:
    """Rules 4: expires_at - 10 s < time; an empty window refunds although an older tick is fresh enough."""
    market = market_open(settlement_rule=MEAN, max_tick_age_ms=15_000)
    order = trader.place(market, "up", duration_s=60)
    _quoted(market, order_row(order).expires_at_ms, [(-10_000, "1.08600")])
    settle_due()
    row = order_row(order)
    assert (row.state, row.reason, row.close_seq, row.close_price) == ("refunded", "no_tick", None, None)
    assert trader.balance() == 1_000_000
    _sound()


@pytest.mark.django_db
def test_a_stale_newest_tick_refunds(market: Market, trader: Trader) -> None:
    """Rules 4: the newest older than the max tick age: refund, and the newest is shown with its own price."""
    order = trader.place(market, "up", duration_s=60)
    _quoted(market, order_row(order).expires_at_ms, [(-5_000, "1.08700"), (-3_001, "1.08600")])
    settle_due()
    row = order_row(order)
    assert (row.state, row.reason, row.close_price, row.close_seq) == ("refunded", "stale_tick", 108_600, 3)
    _sound()


@pytest.mark.django_db
def test_an_order_keeps_the_rule_it_was_accepted_under(market: Market, trader: Trader) -> None:
    """Rules 4: a symbol names its rules; an accepted order keeps those it was accepted under."""
    old = trader.place(market, "up", duration_s=60)
    Symbol.objects.filter(pk=market.id).update(settlement_rule="last_tick/1")
    new = trader.place(market, "up", duration_s=None, expires_at_ms=order_row(old).expires_at_ms)
    _quoted(market, order_row(old).expires_at_ms, [(-700, "1.08000"), (-500, "1.08513")])
    assert settle_due() == 2
    assert [(order_row(order).state, order_row(order).close_price) for order in (old, new)] == [
        ("lost", 108_256),
        ("won", 108_513),
    ]
    _sound()


@pytest.mark.django_db
def test_an_order_may_enter_by_the_next_tick_and_close_at_the_mean(trader: Trader) -> None:
    """Rules 4: the opening price stays the entry rule's."""
    market = market_open(settlement_rule=MEAN, entry_rule="next_tick/1")
    order = trader.place(market, "up", duration_s=60)
    market.admitted("1.08520")
    settle_due()
    _quoted(market, order_row(order).expires_at_ms, [(-700, "1.08520"), (-500, "1.08523")])
    settle_due()
    row = order_row(order)
    # 1.085215 is half a step: the even neighbour is 1.08522.
    assert (row.open_price, row.close_price, row.close_tick_price, row.state) == (108_520, 108_522, 108_523, "won")
    _sound()


def _at(offset_ms: int) -> str:
    return rfc3339(parse_rfc3339("2026-03-02T00:00:00Z") + offset_ms)


@pytest.mark.django_db
def test_the_audit_reads_the_whole_window_where_its_first_day_is_archived(settings: Any, tmp_path: Path) -> None:
    """I-12: the window of an order of five seconds reaches back over midnight, to a day that has left the log."""
    settings.DATA_DIR = tmp_path
    quotes = [(-3_900, "1.08000"), (1_000, "1.08512"), (5_900, "1.08514")]
    ticks = [{"seq": n, "at": _at(ms), "price": price, "revision": 1} for n, (ms, price) in enumerate(quotes, start=1)]
    order = {
        "direction": "up",
        "stake": "10.00",
        "payout_percent": 85,
        "price_scale": 5,
        "revision": 1,
        "max_tick_age_ms": 3_000,
        "accepted_at": _at(1_000),
        "open_tick": ticks[1],
        "expires_at": _at(6_000),
    }
    vector = {"order": order, "ticks": ticks, "watermark": _at(6_000)}
    (order_id,) = vectors_stored([vector], entry_rule="last_tick/1", settlement_rule=MEAN)
    assert settle_due() == 1
    assert (order_row(str(order_id)).close_price, order_row(str(order_id)).state) == (108_342, "lost")
    # A month after the first of the two days has ended, it goes and the second one stays.
    ticks_archive(now_ms=parse_rfc3339("2026-04-01T12:00:00Z"))
    assert db.rows("SELECT seq FROM quotes_tick ORDER BY seq") == [(2,), (3,)]
    result = orders_audit(from_ms=None, to_ms=None)
    assert (result.checked, result.differences, result.unavailable) == (1, [], [])


@pytest.mark.django_db(transaction=True)
def test_a_batch_of_both_rules_costs_one_statement_more() -> None:
    """Architecture: the windows of a whole batch are read at once, however many orders and symbols there are."""
    counts = []
    for size in (3, 30):
        rules = {f"MEAN{size}": MEAN, f"LAST{size}": "last_tick/1"}
        markets = [market_open(code, settlement_rule=rule, price=None) for code, rule in rules.items()]
        people = [trader_open() for _ in range(3)]
        for market in markets:
            market.admitted("1.08512")
            for number in range(size):
                people[number % 3].place(market, "up" if number % 2 else "down", "1.00", duration_s=2)
            market.admitted("1.08520", at_ms=market.now_ms + 500)
            market.admitted("1.08540", at_ms=market.now_ms + 500)
            market.admitted("1.08500", at_ms=market.now_ms + 9_000)
        with CaptureQueriesContext(connection) as captured:
            assert orders_settle(due(1_000)) == 2 * size
        counts.append(len(captured) - 2)
    assert counts[0] == counts[1] <= 12
    _sound()
