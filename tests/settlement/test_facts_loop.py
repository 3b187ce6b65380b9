"""The loop that applies facts beside settlement: woken at once, without a broker, and back after an outage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from kernel import db
from kernel.facts import facts_enqueue
from kernel.ids import uuid7
from kernel.models import FactBatch
from settlement.facts_worker import FactsLoop
from settlement.models import DailySymbol
from tests.books import violations
from tests.market import market_open, order_row, settle_due, trader_open
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loop() -> Iterator[FactsLoop]:
    loop = FactsLoop()
    loop.start()
    yield loop
    loop.stop()


def _connected() -> bool:
    """Whether the loop has a connection and waits."""
    found = db.row(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND usename = current_user AND state = 'idle' AND query = 'COMMIT'"
    )
    return found is not None and found[0] == 1


def _applied() -> bool:
    return not FactBatch.objects.exists()


def test_settled_orders_are_counted_by_the_loop(loop: FactsLoop) -> None:
    """Architecture, runtimes: statistics follow settlement by the worker alone."""
    market, trader = market_open(), trader_open()
    order = trader.place(market, duration_s=1)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    eventually(_applied, within_s=10)
    assert DailySymbol.objects.get().tied == 1
    assert violations() == {}


def test_the_loop_outlives_a_lost_connection(loop: FactsLoop) -> None:
    """F-08: the database drops the loop's connections; it opens new ones and goes on."""
    eventually(_connected, within_s=10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
        )
    with transaction.atomic():
        facts_enqueue("order.settled", [uuid7()])
    eventually(_applied, within_s=10)
