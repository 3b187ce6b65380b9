"""What the nights find is published, by run and by day, and nobody edits it (rules 3; reliability, section 0)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from kernel.models import JobRun
from settlement import tasks
from settlement.fairness.execution import day_of
from settlement.models import InvariantNight, ResettledDay, Resettlement
from tests.market import Market, db_now_ms, market_open, settle_due, trader_open
from trading.events import OrderDocument

BASE = "/api/v1/fairness/"


def told(path: str) -> dict[str, Any]:
    answer = Client().get(BASE + path)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def settled(market: Market) -> OrderDocument:
    trader, expires_ms = trader_open(), market.now_ms + 2_000
    order = trader.place(market, "up", duration_s=None, expires_at_ms=expires_ms)
    market.admitted("1.08520", at_ms=expires_ms)
    market.admitted("1.08512", at_ms=expires_ms + 1)
    assert settle_due() == 1
    return order


@pytest.mark.django_db(transaction=True)
def test_the_nights_are_published_and_stay_when_their_runs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 3: each night's counts; a result that was changed shows the next night, in the run and in its day."""
    monkeypatch.setattr(tasks, "AUDIT_AFTER_MS", 0)
    market = market_open()
    order = settled(market)
    settled(market)
    for night in range(2):
        JobRun.objects.all().delete()
        tasks.settlement_orders_audit()
        tasks.settlement_invariants_check()
        if night == 0:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE trading_order DISABLE TRIGGER trading_order_frozen")
                cursor.execute("UPDATE trading_order SET close_price = close_price + 1 WHERE id = %s", [order.id])
                cursor.execute("ALTER TABLE trading_order ENABLE TRIGGER trading_order_frozen")

    runs, today = told("resettlements"), str(day_of(db_now_ms()))
    assert [(run["checked"], run["differences"], run["unavailable"]) for run in runs["data"]] == [(2, 1, 0), (2, 0, 0)]
    assert all(run["from"] == f"{today}T00:00:00.000Z" < run["to"] <= run["at"] for run in runs["data"])
    (day,) = told("resettlements/days")["data"]
    assert day == {"day": today, "at": runs["data"][0]["at"], "checked": 2, "differences": 1, "unavailable": 0}
    nights = told("invariants")["data"]
    assert [night["violated"] for night in nights] == [0, 0]
    assert nights[0]["checked"] == len(nights[0]["invariants"]) > 20
    assert {"name": "I-10 profit is stake x payout // 100", "violations": 0} in nights[0]["invariants"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["resettlements", "resettlements/days", "invariants"])
def test_lists_are_empty_then_paged(path: str) -> None:
    """Contract, Lists: nothing yet is an empty list; pages follow each other without a gap or a repeat."""
    assert told(path) == {"data": [], "next_cursor": None}
    counts = {"checked": 1, "differences": 0, "unavailable": 0}
    for number in range(5):
        # Two of one millisecond, so that the number decides as well.
        at_ms = 1_000 + number // 2
        if path == "invariants":
            InvariantNight.objects.create(at_ms=at_ms, violations={"I-01 x": number})
        elif path == "resettlements":
            Resettlement.objects.create(at_ms=at_ms, to_ms=number, **counts)
        else:
            ResettledDay.objects.create(day=f"2026-01-0{number + 1}", at_ms=number, **counts)
    seen, query = [], "?limit=2"
    while True:
        page = told(path + query)
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert seen == told(path)["data"]
    assert len(seen) == 5
    assert Client().get(f"{BASE}{path}?cursor=x").status_code == 400
    assert Client().get(f"{BASE}{path}?day=1").status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Resettlement, InvariantNight])
def test_what_was_published_cannot_be_edited(model: Any) -> None:
    """Publishing: an operator's embarrassment stays; the database itself refuses."""
    if model is Resettlement:
        model.objects.create(at_ms=1, to_ms=1, checked=1, differences=1, unavailable=0)
    else:
        model.objects.create(at_ms=1, violations={"I-01 x": 1})
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.update(at_ms=2)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.all().delete()
