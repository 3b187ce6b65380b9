"""F-02: one order that cannot be settled does not hold up the others."""

from __future__ import annotations

from uuid import uuid4

import pytest

from kernel import db
from settlement.batches import SET_ASIDE_S, SetAside
from settlement.services import BatchFailedError, orders_settle
from settlement.worker import SettlementLoop
from tests.market import market_open, order_row, trader_open


def test_the_failing_order_of_a_batch_is_found_and_left_alone_for_a_while() -> None:
    """A batch of three fails: they are taken one by one, and the one that fails alone is set aside."""
    aside, bad, others = SetAside(), uuid4(), [uuid4(), uuid4()]
    aside.failed([*others, bad], 0.0)
    assert aside.limit(250) == 1
    aside.settled(1)
    aside.failed([bad], 0.0)
    assert aside.orders(SET_ASIDE_S - 1) == [bad]
    aside.settled(1)
    assert aside.limit(250) == 250
    assert aside.orders(SET_ASIDE_S + 1) == []


@pytest.mark.django_db(transaction=True)
def test_orders_beside_a_broken_one_settle_in_the_same_turn() -> None:
    """A user without an event counter, which only damage can bring about, blocks no other user's order."""
    market, broken, sound = market_open(), trader_open(), trader_open()
    first, second = broken.place(market), sound.place(market)
    market.admitted("1.08600", at_ms=order_row(second).expires_at_ms + 1)
    # Only the owner of the tables can do such damage, and has to disarm a guard first.
    db.run("ALTER TABLE realtime_event_counter DISABLE TRIGGER USER")
    counter = db.row("DELETE FROM realtime_event_counter WHERE user_id = %s RETURNING seq", [broken.user.pk])

    with pytest.raises(BatchFailedError):
        orders_settle(limit=10)
    SettlementLoop().turn()

    assert order_row(first).state == "open"
    assert order_row(second).state != "open"
    db.run("ALTER TABLE realtime_event_counter ENABLE TRIGGER USER")
    assert counter is not None
    db.run("INSERT INTO realtime_event_counter (user_id, seq, floor) VALUES (%s, %s, 0)", [broken.user.pk, counter[0]])
    SettlementLoop().turn()
    assert order_row(first).state != "open"
