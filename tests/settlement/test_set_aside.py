"""F-02: one order that cannot be settled does not hold up the others."""

from __future__ import annotations

from uuid import uuid4

import pytest

from kernel import db
from settlement.batches import SET_ASIDE_S, SetAside
from settlement.services import BatchFailedError, orders_enter, orders_settle
from settlement.worker import SettlementLoop
from tests.market import Trader, due, entering, market_open, order_row, trader_open


def test_an_order_is_left_alone_for_a_while() -> None:
    """One that failed by itself waits, and is tried again when its time is over."""
    aside, bad = SetAside(), uuid4()
    aside.add(bad, 0.0)
    assert aside.orders(SET_ASIDE_S - 1) == [bad]
    assert aside.orders(SET_ASIDE_S + 1) == []
    assert aside.orders(0.0) == []


def _counter_lost(trader: Trader) -> int:
    """Take a user's event counter away, as only the owner of the tables can after disarming a guard."""
    db.run("ALTER TABLE realtime_event_counter DISABLE TRIGGER USER")
    counter = db.row("DELETE FROM realtime_event_counter WHERE user_id = %s RETURNING seq", [trader.user.pk])
    assert counter is not None
    return int(counter[0])


def _counter_found(trader: Trader, seq: int) -> None:
    db.run("ALTER TABLE realtime_event_counter ENABLE TRIGGER USER")
    db.run("INSERT INTO realtime_event_counter (user_id, seq, floor) VALUES (%s, %s, 0)", [trader.user.pk, seq])


@pytest.mark.django_db(transaction=True)
def test_orders_beside_a_broken_one_settle_in_the_same_turn() -> None:
    """A user without an event counter, which only damage can bring about, blocks no other user's order."""
    market, broken, sound = market_open(), trader_open(), trader_open()
    first, second = broken.place(market), sound.place(market)
    market.admitted("1.08600", at_ms=order_row(second).expires_at_ms + 1)
    seq = _counter_lost(broken)

    with pytest.raises(BatchFailedError):
        orders_settle(due(10))
    SettlementLoop().turn()

    assert order_row(first).state == "open"
    assert order_row(second).state != "open"
    _counter_found(broken, seq)
    SettlementLoop().turn()
    assert order_row(first).state != "open"


@pytest.mark.django_db(transaction=True)
def test_orders_beside_a_broken_one_enter_in_the_same_turn() -> None:
    """The same for orders that wait for their opening tick: the broken one waits on, the others enter."""
    market, broken, sound = market_open(entry_rule="next_tick/1"), trader_open(), trader_open()
    first, second = broken.place(market), sound.place(market)
    market.admitted("1.08600")
    seq = _counter_lost(broken)

    with pytest.raises(BatchFailedError):
        orders_enter(entering(10))
    SettlementLoop().turn()

    assert [order_row(order).open_seq for order in (first, second)] == [None, 2]
    _counter_found(broken, seq)
    SettlementLoop().turn()
    assert order_row(first).open_seq == 2
