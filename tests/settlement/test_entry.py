"""Orders that wait for their opening tick (rules 2, ``next_tick/1``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.services import user_ban
from kernel import db
from quotes.models import Symbol
from quotes.services import symbol_halt, symbol_payout_set
from settlement.audit import orders_audit
from settlement.services import orders_enter, orders_settle, watermarks_raise_overdue
from settlement.worker import SettlementLoop
from tests.books import SnapshotReader, fingerprint, violations
from tests.crowd import at_once, meanwhile, other_connection
from tests.market import Market, Trader, db_now_ms, due, entering, market_open, order_row, settle_due, trader_open
from tests.support import eventually
from trading.events import OrderDocument
from trading.models import Order, OrderOpen

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open(entry_rule="next_tick/1")


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def _told(trader: Trader, after: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """Return a user's events after a sequence number."""
    found = db.rows(
        "SELECT type, payload FROM realtime_event WHERE user_id = %s AND seq > %s ORDER BY seq", [trader.user.id, after]
    )
    return [(kind, json.loads(payload)) for kind, payload in found]


def _newest_seq(trader: Trader) -> int:
    found = db.row("SELECT seq FROM realtime_event_counter WHERE user_id = %s", [trader.user.id])
    assert found is not None
    return int(found[0])


def _sound() -> None:
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def _opening_of(document: dict[str, Any]) -> tuple[Any, ...]:
    return document["entered_at"], document["open_price"], document["open_tick"]


# --- an order enters -------------------------------------------------------------------------------


def test_an_order_is_accepted_opened_and_settled_and_each_step_is_told_once(market: Market, trader: Trader) -> None:
    """Contract, events: accepted, opened, settled; the balance changes with the stake and the end, not between."""
    begun = _newest_seq(trader)
    order = trader.place(market, "up", duration_s=1)
    assert [kind for kind, _ in _told(trader, begun)] == ["order.accepted", "balance.changed"]
    accepted, balance = (payload for _, payload in _told(trader, begun))
    assert (_opening_of(accepted), accepted["state"]) == ((None, None, None), "open")
    assert (balance["balance"], balance["open_stakes"], balance["cause"]) == ("9990.00", "10.00", "order.accepted")
    assert orders_enter(entering(10)) == 0

    placed = _newest_seq(trader)
    market.admitted("1.08520")
    assert (orders_enter(entering(10)), orders_enter(entering(10))) == (1, 0)
    assert [kind for kind, _ in _told(trader, placed)] == ["order.opened"]
    opened = _told(trader, placed)[0][1]
    assert (opened["open_price"], opened["open_tick"]["seq"], opened["state"]) == ("1.08520", 2, "open")
    assert opened["entered_at"] >= opened["accepted_at"]
    assert opened | {"entered_at": None, "open_price": None, "open_tick": None} == accepted

    entered = _newest_seq(trader)
    market.admitted("1.08521", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms + 1)
    assert settle_due() == 1
    assert [kind for kind, _ in _told(trader, entered)] == ["order.settled", "balance.changed"]
    settled = _told(trader, entered)[0][1]
    assert (settled["state"], _opening_of(settled)) == ("won", _opening_of(opened))
    _sound()


def test_the_api_shows_no_opening_until_there_is_one(market: Market, trader: Trader) -> None:
    """Contract, Order: ``open_price``, ``open_tick``, ``entered_at`` are null until entry under next_tick/1."""
    client = trader.http()
    order = trader.place(market)
    before = client.get(f"/api/v1/orders/{order.id}").json()
    assert (_opening_of(before), before["entry_rule"]) == ((None, None, None), "next_tick/1")
    market.admitted("1.08520")
    settle_due()
    after = client.get(f"/api/v1/orders/{order.id}").json()
    assert (after["open_price"], after["open_tick"]["price"], after["state"]) == ("1.08520", "1.08520", "open")
    assert client.get("/api/v1/orders", {"state": "open"}).json()["data"] == [after]


def test_the_tick_after_the_one_at_acceptance_opens_however_many_come(market: Market, trader: Trader) -> None:
    """Rules 2: the first tick with a seq above the head's at acceptance; a slow worker changes nothing."""
    first = trader.place(market)
    for price in ("1.08601", "1.08602", "1.08603"):
        market.admitted(price)
    second = trader.place(market)
    market.admitted("1.08604")
    market.admitted("1.08605")
    settle_due()
    assert [(order_row(order).open_seq, order_row(order).open_price) for order in (first, second)] == [
        (2, 108_601),
        (5, 108_604),
    ]
    _sound()


def test_a_tick_from_before_the_acceptance_opens_when_it_is_admitted_after_it(market: Market, trader: Trader) -> None:
    """Rules 2: what counts is the log's order, which is public, and not the source's clock."""
    order = trader.place(market)
    market.admitted("1.08520", at_ms=market.newest_ms)
    settle_due()
    row = order_row(order)
    assert (row.open_seq, row.open_price) == (2, 108_520)
    assert row.open_at_ms is not None
    assert row.open_at_ms < row.accepted_at_ms
    _sound()


def test_the_expiry_counts_from_acceptance(market: Market, trader: Trader) -> None:
    """Rules 2: expiry runs from acceptance, whenever the order enters."""
    row = order_row(trader.place(market, duration_s=7))
    market.admitted("1.08520", at_ms=row.accepted_at_ms + 2_000)
    settle_due()
    entered = order_row(str(row.id))
    assert (entered.expires_at_ms, entered.open_at_ms) == (row.accepted_at_ms + 7_000, row.accepted_at_ms + 2_000)


def test_an_order_that_still_waits_is_not_settled(market: Market, trader: Trader) -> None:
    """Rules 2 and 3: entry comes first, also when the expiry has passed before anybody looked."""
    order = trader.place(market, "up", duration_s=1)
    market.admitted("1.08520")
    market.admitted("1.08530", at_ms=order_row(order).expires_at_ms + 1)
    assert orders_settle(due(10)) == 0
    assert SettlementLoop().turn() == 1
    row = order_row(order)
    assert (row.open_price, row.close_price, row.state) == (108_520, 108_520, "tied")
    _sound()


def test_a_repeat_while_an_order_waits_answers_with_it(market: Market, trader: Trader) -> None:
    """Contract, Idempotency: a repeat answers with the order as it is now: waiting, then opened."""
    placed = trader.placed(market, client_order_id="same")
    before = fingerprint()
    again = trader.placed(market, client_order_id="same")
    assert (again.repeated, again.order) == (True, placed.order)
    assert fingerprint() == before
    market.admitted("1.08520")
    settle_due()
    opened = trader.placed(market, client_order_id="same")
    assert (opened.repeated, opened.order.id, opened.order.open_price) == (True, placed.order.id, "1.08520")
    assert Order.objects.count() == 1


def _halted(trader: Trader, market: Market) -> None:
    symbol_halt(code=market.code, reason="news")


def _payout_cut(trader: Trader, market: Market) -> None:
    symbol_payout_set(code=market.code, percent=70, inputs={"cause": "test"})


def _rules_changed(trader: Trader, market: Market) -> None:
    Symbol.objects.filter(pk=market.id).update(
        entry_rule="last_tick/1", settlement_rule="trimmed_mean_10s/1", max_tick_age_ms=1
    )


def _banned(trader: Trader, market: Market) -> None:
    user_ban(email=trader.user.email, reason="fraud", now_ms=db_now_ms())


@pytest.mark.parametrize("act", [_halted, _payout_cut, _rules_changed, _banned])
def test_an_operators_act_does_not_touch_a_waiting_order(
    market: Market, trader: Trader, act: Callable[[Trader, Market], None]
) -> None:
    """Rules 3, I-18: it enters and ends as it would have, by the rules it was accepted under."""
    order = trader.place(market, "up", duration_s=1)
    act(trader, market)
    market.admitted("1.08520")
    market.admitted("1.08521", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    row = order_row(order)
    assert (row.open_price, row.state, row.payout, row.settlement_rule) == (108_520, "won", 1_850, "last_tick/1")
    _sound()


# --- an order does not enter -----------------------------------------------------------------------


def _refunded(order: OrderDocument, trader: Trader, reason: str) -> Order:
    """Check that an order was refunded for a reason, its stake is back and its end was told; return it."""
    row = order_row(order)
    assert (row.state, row.reason, row.payout) == ("refunded", reason, 1_000)
    assert (row.close_seq, row.close_price) == (None, None)
    assert (trader.balance(), trader.open_stakes(), OrderOpen.objects.count()) == (1_000_000, 0, 0)
    assert [kind for kind, _ in _told(trader)][-2:] == ["order.settled", "balance.changed"]
    assert _told(trader)[-1][1]["balance"] == "10000.00"
    _sound()
    return row


def test_a_tick_after_the_time_limit_does_not_open(market: Market, trader: Trader) -> None:
    """Rules 2: none within the max tick age: refund ``no_entry_tick``, one millisecond past it."""
    order = trader.place(market)
    market.admitted("1.08520", at_ms=order_row(order).accepted_at_ms + 3_001)
    settle_due()
    assert _refunded(order, trader, "no_entry_tick").open_seq is None


def test_a_tick_at_the_time_limit_opens(market: Market, trader: Trader) -> None:
    """Rules 2: the bound itself is in time."""
    order = trader.place(market)
    market.admitted("1.08520", at_ms=order_row(order).accepted_at_ms + 3_000)
    settle_due()
    assert order_row(order).open_price == 108_520


def test_an_order_shorter_than_the_tick_age_waits_until_its_expiry_only(market: Market, trader: Trader) -> None:
    """Rules 2: no entry after the expiry, and the order is not left open."""
    order = trader.place(market, duration_s=1)
    market.admitted("1.08520", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    assert _refunded(order, trader, "no_entry_tick").entry_until_ms == order_row(order).expires_at_ms


def test_while_the_feed_lives_the_watermark_ends_the_wait() -> None:
    """Rules 2: without a tick, signs of life raise W past the time limit: refund, without any fence."""
    market, trader = market_open(entry_rule="next_tick/1", max_tick_age_ms=300), trader_open()
    order = trader.place(market)

    def settled() -> int:
        market.heartbeat()
        return orders_enter(entering(10))

    eventually(settled, within_s=10)
    row = order_row(order)
    assert row.settled_at_ms is not None
    assert row.settled_at_ms >= row.accepted_at_ms + 300 + 2_000
    causes = "SELECT DISTINCT cause FROM quotes_watermark_raise WHERE watermark_ms > %s"
    assert db.rows(causes, [row.accepted_at_ms]) == [(2,)]
    _refunded(order, trader, "no_entry_tick")


def test_when_the_feed_is_silent_the_databases_clock_ends_the_wait() -> None:
    """Rules 2: at the latest after the grace on the database's clock; a slow parser's tick comes too late then."""
    market, trader = market_open(entry_rule="next_tick/1", max_tick_age_ms=300), trader_open()
    order = trader.place(market)
    until_ms = order_row(order).accepted_at_ms + 300
    assert watermarks_raise_overdue() == 0
    eventually(watermarks_raise_overdue, within_s=10)
    assert until_ms + 2_000 < db_now_ms() < until_ms + 4_000
    assert market.tick("1.08520", at_ms=until_ms - 1, received_ms=until_ms).admitted == 0
    assert orders_enter(entering(10)) == 1
    assert db.rows("SELECT watermark_ms FROM quotes_watermark_raise WHERE cause = 3") == [(until_ms,)]
    _refunded(order, trader, "no_entry_tick")


@pytest.mark.parametrize("price", ["1.08523", "1.08501"])
def test_a_price_that_moved_too_far_is_refunded_and_shown(market: Market, trader: Trader, price: str) -> None:
    """Contract: under next_tick/1 the guard is judged at entry, either way: refund ``price_moved``."""
    order = trader.place(market, expected_price="1.08512", max_price_drift="0.0001")
    market.admitted(price)
    settle_due()
    row = _refunded(order, trader, "price_moved")
    assert (row.open_seq, row.open_price) == (2, int(price.replace(".", "")))
    document = trader.http().get(f"/api/v1/orders/{order.id}").json()
    assert (document["open_price"], document["open_tick"]["price"], document["reason"]) == (price, price, "price_moved")
    assert (document["close_price"], document["close_tick"], document["profit"]) == (None, None, "0.00")
    assert [kind for kind, _ in _told(trader) if kind == "order.opened"] == []


def test_a_guard_that_the_newest_tick_would_break_is_not_refused(market: Market, trader: Trader) -> None:
    """Contract: under next_tick/1 nothing is refused for a price that is not the order's."""
    order = trader.place(market, expected_price="1.09000", max_price_drift="0.00001")
    market.admitted("1.09001")
    settle_due()
    assert (order_row(order).state, order_row(order).open_price) == ("open", 109_001)


def test_a_tick_of_another_revision_refunds(market: Market, trader: Trader) -> None:
    """Rules 3, ``revision``: what the client saw and what would open the order mean different things."""
    order = trader.place(market)
    market.revised()
    market.admitted("1.08520")
    settle_due()
    assert _refunded(order, trader, "revision").open_seq is None


# --- workers ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_several_workers_let_each_order_enter_once() -> None:
    """F-04: workers claim with SKIP LOCKED; every order enters or is refunded once, every snapshot balances."""
    market, reader = market_open(entry_rule="next_tick/1"), SnapshotReader()
    people = [trader_open() for _ in range(5)]
    for number in range(100):
        guard = {"expected_price": "2.0", "max_price_drift": "0"} if number % 4 == 0 else {}
        people[number % 5].place(market, "up" if number % 3 else "down", "1.00", **guard)
    market.admitted("1.08600")
    with meanwhile(reader) as raised:
        entered = at_once(4, lambda _: _entered_all(limit=7))
    assert raised == []
    assert sum(entered) == 100
    assert Order.objects.filter(state="open", open_seq=2).count() == 75
    assert Order.objects.filter(state="refunded", reason="price_moved").count() == 25
    assert violations() == {}


def _entered_all(*, limit: int) -> int:
    total = 0
    while entered := orders_enter(entering(limit)):
        total += entered
    return total


@pytest.mark.django_db(transaction=True)
def test_a_claimed_order_is_left_to_its_worker_and_taken_over_when_that_dies() -> None:
    """F-02: entering skips what another worker holds, and does not wait for it."""
    market, trader = market_open(entry_rule="next_tick/1"), trader_open()
    first, second = trader.place(market), trader.place(market)
    market.admitted("1.08600")
    with other_connection() as dying:
        dying.execute("SELECT * FROM trading_order_open WHERE order_id = %s FOR NO KEY UPDATE", [first.id])
        assert orders_enter(entering(10)) == 1
        assert [order_row(order).open_seq for order in (first, second)] == [None, 2]
        dying.rollback()
    assert orders_enter(entering(10)) == 1
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_in_a_batch_of_entries_leaves_nothing_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-02: entries, refunds and events are one transaction; the next worker does it all once."""
    market, trader = market_open(entry_rule="next_tick/1"), trader_open()
    kept = trader.place(market)
    returned = trader.place(market, expected_price="2.0", max_price_drift="0")
    market.admitted("1.08600")
    before = fingerprint()
    with monkeypatch.context() as patched:
        patched.setattr("settlement.services.events_append", _fail)
        with pytest.raises(ConnectionError):
            orders_enter(entering(100))
    assert fingerprint() == before
    assert orders_enter(entering(100)) == 2
    assert (order_row(kept).open_seq, order_row(returned).reason) == (2, "price_moved")
    assert violations() == {}


def _fail(*_: object, **__: object) -> None:
    raise ConnectionError("the worker's connection is gone")


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_between_entry_and_settlement_is_replaced() -> None:
    """F-02: nothing but rows connects the two steps: another worker settles what the first let enter."""
    market, trader = market_open(entry_rule="next_tick/1"), trader_open()
    order = trader.place(market, "up", duration_s=1)
    market.admitted("1.08600")
    assert at_once(1, lambda _: orders_enter(entering(10))) == [1]
    market.admitted("1.08601", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08601", at_ms=order_row(order).expires_at_ms + 1)
    assert at_once(1, lambda _: orders_settle(due(10))) == [1]
    assert (order_row(order).open_price, order_row(order).state) == (108_600, "won")
    _sound()


@pytest.mark.django_db(transaction=True)
def test_the_loop_is_woken_by_the_tick_that_an_order_waits_for() -> None:
    """Architecture, runtimes: an order enters with the notification, not with the next interval."""
    market, trader = market_open(entry_rule="next_tick/1"), trader_open()
    loop = SettlementLoop()
    loop.start()
    try:
        order = trader.place(market)
        market.admitted("1.08600")
        eventually(lambda: order_row(order).open_seq == 2, within_s=5)
    finally:
        loop.stop()
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_a_batch_of_entries_costs_the_same_statements_whatever_its_size() -> None:
    """Architecture: a constant number of statements in one transaction, refunds among them."""
    market, traders = market_open(entry_rule="next_tick/1"), [trader_open() for _ in range(5)]
    counts = []
    for size in (2, 100):
        for number in range(size):
            guard = {"expected_price": "2.0", "max_price_drift": "0"} if number % 2 else {}
            traders[number % 5].place(market, "up", "1.00", **guard)
        market.admitted("1.08600" if size == 2 else "1.08700")
        ids = entering(1_000)
        with CaptureQueriesContext(connection) as captured:
            assert orders_enter(ids) == size
        sent = [query["sql"] for query in captured]
        assert (sent[0], sent[-1], sent.count("BEGIN")) == ("BEGIN", "COMMIT", 1)
        counts.append(len(sent) - 2)
    # Claim, entries, what still waits; the refunds' places, money, orders and facts; the events of all.
    assert counts[0] == counts[1] <= 11
    assert violations() == {}
