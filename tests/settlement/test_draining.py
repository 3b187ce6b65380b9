"""A backlog is planned by wallet, and worked off batch after batch (F-02, I-11; ADR 0038)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection

from kernel import db
from settlement import draining
from settlement.batches import HeldClock, Plan
from settlement.draining import Drain
from settlement.selectors import orders_due
from settlement.services import orders_settle
from tests.books import violations
from tests.market import Market, market_open, order_row, trader_open
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def drain() -> Drain:
    found = Drain()
    found.batch.limit = 3
    return found


def _backlog(orders: int, traders: int = 6) -> Market:
    market = market_open()
    people = [trader_open() for _ in range(traders)]
    for number in range(orders):
        people[number % traders].place(market, "up" if number % 3 else "down", "1.00", duration_s=60)
    last = order_row(str(Order.objects.order_by("-expires_at_ms").values_list("id", flat=True)[0]))
    market.admitted("1.08600", at_ms=last.expires_at_ms + 1)
    return market


def _open() -> int:
    return Order.objects.filter(state="open").count()


def test_two_workers_settle_a_backlog_once(drain: Drain) -> None:
    """I-11: each order is settled by one of two workers that are at the same backlog."""
    _backlog(24, traders=8)
    other = Drain()
    other.batch.limit = 3
    both = Barrier(2)

    def work(mine: Drain) -> int:
        both.wait(timeout=20)
        try:
            return mine.settled(Event())
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(work, (drain, other))) == 24
    assert _open() == 0
    assert violations() == {}


def test_a_database_that_goes_away_is_told(drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-08: the loop hears of it, and the next turn settles the rest."""
    _backlog(24)
    done: list[int] = []

    def away(order_ids: Sequence[UUID], **others: HeldClock) -> int:
        if done:
            raise DatabaseError("away")
        done.append(orders_settle(order_ids, **others))
        return done[-1]

    with monkeypatch.context() as patched:
        patched.setattr(draining, "orders_settle", away)
        with pytest.raises(DatabaseError, match="away"):
            drain.settled(Event())
    left = _open()
    assert left == 24 - sum(done)
    assert drain.settled(Event()) == left
    assert violations() == {}


def test_an_order_that_fails_is_left_alone(drain: Drain) -> None:
    """F-02: what has failed by itself is set aside; all others are settled."""
    _backlog(24)
    broken = Order.objects.order_by("expires_at_ms", "id")[0]
    db.run("ALTER TABLE realtime_event_counter DISABLE TRIGGER USER")
    counter = db.row("DELETE FROM realtime_event_counter WHERE user_id = %s RETURNING seq", [broken.user_id])
    theirs = Order.objects.filter(user_id=broken.user_id).count()
    assert counter is not None
    assert drain.settled(Event()) == 24 - theirs
    assert _open() == theirs
    db.run("ALTER TABLE realtime_event_counter ENABLE TRIGGER USER")
    db.run("INSERT INTO realtime_event_counter (user_id, seq, floor) VALUES (%s, %s, 0)", [broken.user_id, counter[0]])


def test_batches_tell_how_long_they_held_their_wallets() -> None:
    """Architecture, Settlement: the size of a batch follows from it."""
    _backlog(6)
    held: list[HeldClock] = []
    drain = Drain(held.append)
    drain.settled(Event())
    assert [one.held_s > 0 for one in held] == [True]


def test_a_batch_has_all_orders_of_few_wallets() -> None:
    """ADR 0038: whole wallets are taken, as many as a batch holds, in the order of the plan."""
    wallets = [[uuid4() for _ in range(size)] for size in (2, 1, 3)]
    plan = Plan(wallets)
    assert [plan.batch(4), plan.batch(4), plan.batch(4)] == [wallets[0] + wallets[1], wallets[2], []]


def test_a_wallet_with_more_than_a_batch_is_parted() -> None:
    """ADR 0038: a batch never has more than its size, and the rest of a large wallet comes last."""
    large, small = [uuid4() for _ in range(5)], [uuid4()]
    plan = Plan([large, small])
    assert [plan.batch(3) for _ in range(3)] == [large[:3], small + large[3:], []]


def test_orders_that_failed_together_are_taken_one_by_one() -> None:
    """F-02: the order that makes a batch fail is found by itself."""
    orders = [uuid4(), uuid4(), uuid4()]
    plan = Plan([orders[2:]])
    plan.one_by_one(orders[:2])
    assert [plan.batch(9) for _ in range(4)] == [[orders[0]], [orders[1]], [orders[2]], []]


def test_plans_find_orders_by_wallet_oldest_first() -> None:
    """ADR 0038: each wallet once, the wallet of the oldest order first; what is set aside is left out."""
    _backlog(9, traders=3)
    rows = list(Order.objects.order_by("expires_at_ms", "id"))
    found = orders_due(limit=7, skip=[rows[0].id])
    wallets: dict[UUID, list[UUID]] = {}
    for row in rows[1:8]:
        wallets.setdefault(row.wallet_id, []).append(row.id)
    assert found == list(wallets.values())
