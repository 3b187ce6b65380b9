"""The nightly jobs of settlement: what they find stands with their run (rules 3: `resettle --check` each night)."""

from __future__ import annotations

import pytest
from django.db import connection

from kernel.models import JobRun
from settlement import tasks
from tests.market import market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AUDIT_AFTER_MS", 0)


def _settled() -> str:
    market, trader = market_open(), trader_open()
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000)
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.08520", at_ms=expires_ms)
    market.admitted("1.08520", at_ms=expires_ms + 2)
    assert settle_due() == 1
    return order.id


def test_the_nightly_audit_tells_its_counts_once() -> None:
    """Rules 3: resettle runs each night and its counts are published; asked again, it does nothing."""
    _settled()
    for _ in range(2):
        tasks.settlement_orders_audit()
    run = JobRun.objects.get(name="settlement.orders_audit")
    assert (run.outcome, run.detail) == ("done", "checked 1, differences 0, unavailable 0")


def test_the_nightly_check_names_what_is_violated() -> None:
    """Reliability 0: the full invariants run each night; a mutant shows by its name."""
    order_id = _settled()
    tasks.settlement_invariants_check()
    assert JobRun.objects.get(name="settlement.invariants_check").detail.endswith("violated none")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_order DISABLE TRIGGER trading_order_frozen")
        cursor.execute("UPDATE trading_order SET settled_at_ms = 1 WHERE id = %s", [order_id])
        cursor.execute("ALTER TABLE trading_order ENABLE TRIGGER trading_order_frozen")
    JobRun.objects.all().delete()
    tasks.settlement_invariants_check()
    assert "'I-16'" in JobRun.objects.get(name="settlement.invariants_check").detail
