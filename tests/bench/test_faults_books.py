"""What the matrix counts after each kill can be wrong: each count is shown to turn up what it stands for."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import transaction

from bench.faults import books
from kernel import db
from kernel.clock import wall_ms
from realtime.events import EventDraft
from realtime.services import events_append
from tests.market import market_open, order_row, settle_due, trader_open
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_lost_order_is_one_that_is_not_there_as_it_was_told() -> None:
    """Acknowledged = stored, by both ids: a missing order, and another client's id, are both counted."""
    order = trader_open().place(market_open(), client_order_id="faults-1")
    assert books.lost({"faults-1": order.id}) == 0
    assert books.lost({"faults-1": str(uuid4())}) == 1
    assert books.lost({"faults-2": order.id}) == 1


def test_a_stray_order_is_one_that_nobody_was_told_of() -> None:
    """Only orders of the load are looked at."""
    trader, market = trader_open(), market_open()
    told = trader.place(market, client_order_id="faults-1")
    trader.place(market, client_order_id="by-hand")
    assert books.stray([told.id]) == 0
    assert books.stray([]) == 1


def test_due_orders_are_counted_until_they_are_settled() -> None:
    """Time to recover: what the watermark has passed is due, what expires later is not."""
    trader, market = trader_open(), market_open()
    first = order_row(trader.place(market))
    trader.place(market, duration_s=3_600)
    market.admitted("1.08600", at_ms=first.expires_at_ms + 1)
    assert books.due(first.expires_at_ms - 1) == 0
    assert books.due(first.expires_at_ms) == 1
    assert settle_due() == 1
    assert books.due(first.expires_at_ms) == 0
    assert books.open_orders() == 1


def test_an_order_that_waits_for_its_entry_is_due_at_its_time_limit() -> None:
    """The fence decides it, too."""
    trader, market = trader_open(), market_open(entry_rule="next_tick/1")
    waiting = order_row(trader.place(market))
    assert waiting.entry_until_ms is not None
    market.admitted("1.08600", at_ms=waiting.entry_until_ms + 1)
    assert books.due(waiting.entry_until_ms) == 1


def test_an_order_that_is_told_twice_is_a_double_effect() -> None:
    """The tables refuse a second transfer and a second order; a second event they would take."""
    trader, market = trader_open(), market_open()
    order = order_row(trader.place(market))
    market.admitted("1.08600", at_ms=order.expires_at_ms + 1)
    assert settle_due() == 1
    assert books.doubled() == 0
    with transaction.atomic():
        events_append([EventDraft(trader.user.id, "demo", "order.settled", _payload(order.id), wall_ms())])
    assert books.doubled() == 1


def _payload(order_id: UUID) -> bytes:
    return f'{{"id":"{order_id}"}}'.encode()


def test_the_reader_keeps_every_bad_read() -> None:
    """One bad read fails a run; a good one says nothing."""
    reader = books.Reader(lambda: {"I-00 always": 2}, every_s=0.01)
    reader.start()
    try:
        eventually(lambda: reader.reads >= 2, within_s=10)
    finally:
        reader.stop()
    assert set(reader.violations) == {"I-00 always: 2"}


def test_what_the_readers_look_at_can_turn_red() -> None:
    """Money that no transfer has moved is seen by both readers."""
    trader = trader_open()
    assert (books.moving_violated(), books.violated()) == ({}, {})
    db.run("UPDATE ledger_account SET balance = balance + 1 WHERE id = %(id)s", {"id": trader.wallets["demo"]})
    assert any(name.startswith("I-05") for name in books.moving_violated())
    assert any(name.startswith("I-05") for name in books.violated())


def test_a_recovery_is_not_told_too_early() -> None:
    """A tick of before the kill is no sign of life after it."""
    market = market_open(feed="simulator")
    assert books.ticked_after(market.newest_ms - 1)
    assert not books.ticked_after(market.newest_ms)
