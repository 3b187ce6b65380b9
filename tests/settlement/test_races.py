"""Settlement by several workers and against a silent feed (F-02, F-04, F-27; I-11, I-16)."""

from __future__ import annotations

import pytest
from django.db import connection

from kernel import db
from quotes.services import watermarks_raise_to_expiry
from settlement.audit import orders_audit
from settlement.services import orders_settle, watermarks_raise_overdue
from settlement.worker import SettlementLoop
from tests.books import SnapshotReader, violations
from tests.crowd import at_once, meanwhile, other_connection
from tests.market import Market, db_now_ms, due, market_open, order_row, settle_due, trader_open
from tests.support import eventually
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def _placed(market: Market, traders: int, orders: int) -> None:
    """Place orders of several traders in both directions and ledgers, then bring the ticks that make them due."""
    people = [trader_open(real="900.00") for _ in range(traders)]
    for number in range(orders):
        people[number % traders].place(
            market,
            "up" if number % 3 else "down",
            "1.00",
            ledger="real" if number % 2 else "demo",
            duration_s=1,
        )
    market.admitted("1.08600")
    market.admitted("1.08600", at_ms=market.now_ms + 1_000)
    market.admitted("1.08600", at_ms=market.now_ms + 1_000)


@pytest.mark.parametrize("workers", [2, 4])
def test_racing_workers_settle_each_order_once(workers: int) -> None:
    """Issue, F-04, I-11: workers claim with SKIP LOCKED; every order settles once and every snapshot balances."""
    market, reader = market_open(max_tick_age_ms=600_000), SnapshotReader()
    _placed(market, traders=6, orders=120)
    with meanwhile(reader) as raised:
        settled = at_once(workers, lambda _: settle_due(limit=7))
    assert raised == []
    assert sum(settled) == 120
    assert Order.objects.filter(state="open").count() == 0
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_a_claimed_order_is_left_to_its_worker() -> None:
    """F-02: what another worker holds is skipped, not waited for; when that worker dies, it is taken over."""
    market, trader = market_open(), trader_open()
    first, second = (trader.place(market, duration_s=1) for _ in range(2))
    market.admitted("1.08600", at_ms=order_row(second).expires_at_ms + 1)
    with other_connection() as dying:
        dying.execute("SELECT * FROM trading_order_open WHERE order_id = %s FOR NO KEY UPDATE", [first.id])
        assert settle_due() == 1
        assert [order_row(order).state for order in (first, second)] == ["open", "tied"]
        dying.rollback()
    assert settle_due() == 1
    assert violations() == {}


def test_a_worker_that_dies_in_a_batch_leaves_nothing_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-02: a failure after the transfers undoes them; the next batch settles everything once."""
    market = market_open()
    _placed(market, traders=3, orders=9)
    with monkeypatch.context() as patched:
        patched.setattr("settlement.services.events_numbered", _fail)
        with pytest.raises(ConnectionError):
            orders_settle(due(100))
    assert Order.objects.filter(state="open").count() == 9
    assert violations() == {}
    assert settle_due() == 9
    assert violations() == {}


def _fail(*_: object, **__: object) -> None:
    raise ConnectionError("the worker's connection is gone")


def test_the_loop_is_woken_by_a_tick() -> None:
    """Architecture, runtimes: NOTIFY wakes the loop at once; it asks the database and needs no message."""
    market, trader = market_open(), trader_open()
    loop = SettlementLoop()
    loop.start()
    try:
        order = trader.place(market, duration_s=1)
        market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
        eventually(lambda: order_row(order).state != "open", within_s=5)
    finally:
        loop.stop()
    assert violations() == {}


def test_the_loop_outlives_a_lost_connection() -> None:
    """F-08: the database drops the loop's connections; it opens new ones and goes on."""
    market, trader = market_open(), trader_open()
    loop = SettlementLoop()
    loop.start()
    try:
        first = trader.place(market, duration_s=1)
        market.admitted("1.08600", at_ms=order_row(first).expires_at_ms + 1)
        eventually(lambda: order_row(first).state != "open", within_s=5)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
            )
        second = trader.place(market, duration_s=None, expires_at_ms=market.now_ms + 1_500)
        market.admitted("1.08600", at_ms=order_row(second).expires_at_ms + 1)
        eventually(lambda: order_row(second).state != "open", within_s=10)
    finally:
        loop.stop()
    assert violations() == {}


# --- a silent feed ---------------------------------------------------------------------------------


def test_a_silent_feed_settles_by_the_stored_ticks_after_the_grace() -> None:
    """Rules 1 and 3: W raised by cause 3 after grace; fresh evidence decides, stale evidence refunds.

    F-27: the late tick of a slow parser is refused then, and the audit finds no difference.
    """
    trader = trader_open()
    fresh, stale = market_open("EURUSD"), market_open("GBPUSD", max_tick_age_ms=300)
    won = trader.place(fresh, "up", duration_s=1)
    refunded = trader.place(stale, "up", duration_s=1)
    fresh.admitted("1.08600")
    assert watermarks_raise_overdue() == 0
    assert settle_due() == 0
    expires_ms = max(order_row(order).expires_at_ms for order in (won, refunded))

    eventually(lambda: db_now_ms() > expires_ms + 2_000, within_s=10)
    late = db.row("SELECT max(watermark_ms) FROM quotes_symbol_head")
    assert late is not None
    assert late[0] < expires_ms
    assert watermarks_raise_overdue() == 2
    assert settle_due() == 2

    assert (order_row(won).state, order_row(won).close_price) == ("won", 108_600)
    assert (order_row(refunded).state, order_row(refunded).reason) == ("refunded", "stale_tick")
    raises = db.rows("SELECT symbol_id, watermark_ms FROM quotes_watermark_raise WHERE cause = 3 ORDER BY symbol_id")
    assert raises == [(fresh.id, order_row(won).expires_at_ms), (stale.id, order_row(refunded).expires_at_ms)]
    slow = fresh.tick("1.08000", at_ms=order_row(won).expires_at_ms - 100, received_ms=order_row(won).expires_at_ms)
    assert slow.admitted == 0
    result = orders_audit(from_ms=None, to_ms=None)
    assert (result.checked, result.differences, result.unavailable) == (2, [], [])
    assert violations() == {}
    fresh.admitted("1.08700")
    assert watermarks_raise_overdue() == 0


def test_the_fence_does_not_rise_before_the_grace_is_over() -> None:
    """Rules 1: cause 3 needs the database clock past expires_at + grace, whoever asks for it."""
    market = market_open()
    assert watermarks_raise_to_expiry(targets={market.id: db_now_ms() - 1_900}) == 0
    assert watermarks_raise_to_expiry(targets={market.id: db_now_ms() + 60_000}) == 0


def test_a_slow_parser_and_the_fence_exclude_each_other() -> None:
    """F-27, I-16: a batch that waits for the head's lock while the fence rises finds its ticks late."""
    market, trader = market_open(), trader_open()
    order = trader.place(market, "up", duration_s=1)
    expires_ms = order_row(order).expires_at_ms
    eventually(lambda: db_now_ms() > expires_ms + 2_000, within_s=10)

    def act(number: int) -> int:
        if number == 0:
            return watermarks_raise_overdue() + settle_due()
        # Received before the expiry, written after the grace.
        return market.tick("1.08000", at_ms=expires_ms - 10, received_ms=expires_ms - 5).admitted

    settled, admitted = at_once(2, act)
    if settled == 1:
        settled += watermarks_raise_overdue() + settle_due()
    row = order_row(order)
    assert row.state == ("lost" if admitted else "tied")
    assert orders_audit(from_ms=None, to_ms=None).differences == []
    assert violations() == {}
