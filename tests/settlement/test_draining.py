"""A backlog is worked off by two hands that never meet at a wallet (F-02, I-11; ADR 0036)."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, get_ident

import pytest
from django.db import DatabaseError

from kernel import db
from settlement import draining
from settlement.batches import HeldClock
from settlement.draining import Drain
from settlement.services import Lane, orders_settle
from tests.books import violations
from tests.market import Market, market_open, order_row, trader_open
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def drain() -> Iterator[Drain]:
    found = Drain()
    for hand in found.hands:
        hand.batch.limit = 3
    yield found
    found.end()


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


def test_two_hands_settle_a_backlog_once(drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    """I-11: each order is settled by one hand; neither hand has an order of the other's wallets."""
    _backlog(24)
    lanes: dict[int, set[Lane]] = {}

    def seen(*, lane: Lane, **others: object) -> int:
        lanes.setdefault(get_ident(), set()).add(lane)
        return orders_settle(lane=lane, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(draining, "orders_settle", seen)
    assert drain.settled(Event()) == 24
    assert _open() == 0
    assert violations() == {}
    assert sorted(len(found) for found in lanes.values()) == [1, 2]
    assert set.union(*lanes.values()) == {Lane(), Lane(1, 0), Lane(1, 1)}


def test_what_one_batch_holds_needs_no_second_hand() -> None:
    """Architecture, Settlement: in quiet times one connection settles."""
    _backlog(2)
    threads: set[int] = set()
    drain = Drain(lambda _: threads.add(get_ident()))
    assert drain.settled(Event()) == 2
    assert threads == {get_ident()}


@pytest.mark.parametrize("bits", [0, 1])
def test_a_lane_has_the_orders_of_its_wallets_only(bits: int) -> None:
    """ADR 0036: lanes are shares of the wallets, by the last bit of their ids."""
    _backlog(12)
    mine = [row for row in Order.objects.all() if row.wallet_id.int % 2 == bits]
    moved = sum(iter(lambda: orders_settle(limit=5, lane=Lane(1, bits)), 0))
    assert moved == len(mine)
    assert _open() == 12 - len(mine)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_database_that_is_away_for_one_hand_is_told(
    drain: Drain, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """F-08: the loop hears of it from either hand, and the next turn settles the rest."""
    _backlog(24)
    real = orders_settle

    def away(*, lane: Lane, **others: object) -> int:
        if lane == Lane(1, failing):
            raise DatabaseError("away")
        return real(lane=lane, **others)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(draining, "orders_settle", away)
        with pytest.raises(DatabaseError, match="away"):
            drain.settled(Event())
    drain.reset()
    left = _open()
    assert left > 0
    assert drain.settled(Event()) == left
    assert violations() == {}


def test_an_order_that_fails_is_left_alone_by_both_hands(drain: Drain) -> None:
    """F-02: what one hand has set aside is not tried by the other; all others are settled."""
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
    drain.end()
    assert held[0].held_s > 0
    assert held[-1].held_s == 0
