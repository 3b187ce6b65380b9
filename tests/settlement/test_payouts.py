"""Payouts follow the real orders of the last half hour, once a minute, for everybody alike (rules 5)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from config.celery import SCHEDULE
from config.celery import app as celery
from kernel.clock import rfc3339
from kernel.facts import facts_apply
from kernel.ids import uuid7
from kernel.jobs import MINUTE_MS
from kernel.models import JobRun
from quotes.models import PayoutChange, Symbol
from quotes.payout_chart import payout_chart
from quotes.payouts import PAYOUT_1
from settlement.models import WindowOrder
from settlement.payouts import JOB, payouts_recalculate, payouts_recalculate_once
from settlement.tasks import settlement_payouts_recalculate
from tests.books import violations
from tests.crowd import at_once
from tests.market import Market, db_now_ms, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect what is told to the sockets that watch the symbols."""
    messages: list[dict[str, Any]] = []

    def keep(subject: str, message: str) -> None:
        messages.append(json.loads(message))

    monkeypatch.setattr("realtime.publishing.public_publish", keep)
    return messages


def traded(market: Market, *directions: str, ledger: str = "real", stake: str = "10.00") -> None:
    """Let as many traders place one order each; the price rises, so that ``up`` wins."""
    people = [trader_open(real="100.00") for _ in directions]
    # To sign up takes a while: the price is to be fresh after it, and nothing is to expire before all are in.
    if db_now_ms() > market.newest_ms:
        market.admitted("1.08512")
    expires_ms = market.now_ms + 10_000
    for trader, direction in zip(people, directions, strict=True):
        trader.place(market, direction, stake, ledger=ledger, duration_s=None, expires_at_ms=expires_ms)
    market.admitted("1.08600", at_ms=expires_ms)
    market.admitted("1.08512", at_ms=expires_ms + 1)
    assert settle_due() == len(directions)
    facts_apply(100)


def weighed(market: Market, *, settled_at_ms: int, won: int, lost: int) -> None:
    """Put orders of as many users into the window."""
    WindowOrder.objects.bulk_create(
        WindowOrder(
            order_id=uuid7(),
            symbol_id=market.id,
            user_id=uuid7(),
            stake=1_000,
            won=number < won,
            settled_at_ms=settled_at_ms,
        )
        for number in range(won + lost)
    )


def payout(market: Market) -> int:
    """Return what new orders are paid."""
    return Symbol.objects.get(pk=market.id).payout_percent


def minutes(count: int, *, from_ms: int | None = None) -> int:
    """Recalculate once a minute; return how many changes that made."""
    start_ms = db_now_ms() if from_ms is None else from_ms
    return sum(payouts_recalculate(now_ms=start_ms + number * 1_000) for number in range(count))


def test_the_payout_follows_real_orders_by_two_points_a_minute(market: Market, told: list[dict[str, Any]]) -> None:
    """Rules 5: 2 of 10 equal stakes won: 80 percent, reached from 85 in three steps, each public and an event."""
    other = market_open("GBPUSD")
    traded(market, *["up"] * 2, *["down"] * 8)
    told.clear()
    assert minutes(5) == 3
    assert (payout(market), payout(other)) == (80, 85)
    changes = list(PayoutChange.objects.filter(symbol_id=market.id).order_by("id"))[1:]
    assert [change.percent for change in changes] == [83, 81, 80]
    first = changes[0].inputs
    assert first | {"from": 0, "to": 0} == {
        "cause": "recalculated",
        "rule": "payout/1",
        "from": 0,
        "to": 0,
        "orders": 10,
        "users": 10,
        "won_weight": "2000",
        "total_weight": "10000",
        "raw": 80,
        "fixed": 85,
        "min": 70,
        "max": 95,
        "target": 80,
        "previous": 85,
    }
    assert [(one["type"], one["data"]) for one in told] == [
        ("payout.changed", {"symbol": "EURUSD", "payout_percent": percent}) for percent in (83, 81, 80)
    ]
    assert violations() == {}


def test_new_orders_get_the_new_payout_and_old_ones_keep_theirs(market: Market) -> None:
    """Principle 4, I-18: an accepted order is paid by its own terms; the same payout for every client."""
    before = trader_open().place(market, duration_s=60)
    traded(market, *["down"] * 10)
    minutes(1)
    after = [trader_open().place(market, duration_s=60) for _ in range(2)]
    assert [order_row(order).payout_percent for order in (before, *after)] == [85, 87, 87]


def test_the_history_is_public(market: Market) -> None:
    """Contract: GET /symbols/{code}/payouts, the history with its inputs; the symbol shows the break-even rate."""
    traded(market, *["down"] * 10)
    now_ms = db_now_ms()
    payouts_recalculate(now_ms=now_ms)
    newest = Client().get(f"/api/v1/symbols/{market.code}/payouts").json()["data"][0]
    assert (newest["percent"], newest["inputs"]["raw"]) == (87, 100)
    span = (newest["inputs"]["from"], newest["inputs"]["to"])
    assert span == (rfc3339(now_ms - 30 * MINUTE_MS), rfc3339(now_ms))
    symbol = Client().get(f"/api/v1/symbols/{market.code}").json()
    assert (symbol["payout_percent"], symbol["break_even_percent"]) == (87, 53.5)


def test_demo_orders_do_not_count(market: Market) -> None:
    """Rules 5: from real orders only. Tournament orders stay out of the window too (test_statistics)."""
    traded(market, *["down"] * 12, ledger="demo")
    assert (minutes(3), payout(market), WindowOrder.objects.count()) == (0, 85, 0)


def test_ties_and_refunds_do_not_count(market: Market) -> None:
    """Rules 5, D-56: nine losses are too few, and a tie and a refund do not make them ten."""
    traded(market, *["down"] * 9)
    tied, late = trader_open(real="50.00"), trader_open(real="50.00")
    expires_ms = market.now_ms + 2_000
    tied.place(market, ledger="real", duration_s=None, expires_at_ms=expires_ms)
    market.admitted("1.08512", at_ms=expires_ms)
    order = late.place(market, ledger="real", duration_s=60)
    market.admitted("1.08512", at_ms=order_row(order).expires_at_ms + 1)
    assert settle_due() == 2
    facts_apply(100)
    assert minutes(2) == 0
    traded(market, "down")
    assert minutes(1) == 1


def test_stakes_weigh(market: Market) -> None:
    """Rules 5: each order is weighted by its stake: 5 of 20 orders won, with a sixth of the stakes."""
    traded(market, *["up"] * 5, stake="12.00")
    traded(market, *["down"] * 15, stake="20.00")
    minutes(5)
    assert payout(market) == 83


def test_without_enough_orders_it_goes_back_to_the_fixed_percent(market: Market) -> None:
    """Rules 5: after half an hour without orders the fixed percent again, two points a minute as always."""
    traded(market, *["up"] * 10)
    minutes(10)
    assert payout(market) == 70
    later_ms = db_now_ms() + 30 * MINUTE_MS + 60_000
    assert minutes(10, from_ms=later_ms) == 8
    assert (payout(market), WindowOrder.objects.count()) == (85, 0)
    assert [change.percent for change in PayoutChange.objects.order_by("-id")[:3]] == [85, 84, 82]


@pytest.mark.parametrize(("age_ms", "counts"), [(0, False), (1, True), (1_800_000, True), (1_800_001, False)])
def test_the_window_is_half_an_hour_to_the_millisecond(market: Market, age_ms: int, counts: bool) -> None:
    """Rules 5: settled at or after the start and before the end; what expired never counts, deleted or not."""
    now_ms = db_now_ms()
    weighed(market, settled_at_ms=now_ms - age_ms, won=10, lost=0)
    payouts_recalculate(now_ms=now_ms)
    assert payout(market) == (83 if counts else 85)
    assert WindowOrder.objects.exists() is (age_ms <= PAYOUT_1.window_ms)


def test_orders_of_another_symbol_do_not_count(market: Market) -> None:
    """Rules 5: by symbol."""
    other = market_open("GBPUSD")
    weighed(market, settled_at_ms=db_now_ms() - 1, won=5, lost=0)
    weighed(other, settled_at_ms=db_now_ms() - 1, won=5, lost=0)
    assert minutes(1) == 0


def test_bounds_of_the_operator_hold(market: Market) -> None:
    """Rules 5: min <= payout <= max, whatever was won, and from the next minute on after an edit."""
    weighed(market, settled_at_ms=db_now_ms(), won=20, lost=0)
    Symbol.objects.filter(pk=market.id).update(payout_min=84)
    minutes(4, from_ms=db_now_ms() + 10)
    assert payout(market) == 84


@pytest.mark.parametrize("schedulers", [2, 4])
def test_two_schedulers_move_a_payout_once_a_minute(market: Market, schedulers: int) -> None:
    """F-04: jobs per (name, period) = 1: the payout does not move by four points in one minute."""
    weighed(market, settled_at_ms=db_now_ms() - 1, won=0, lost=20)
    done = at_once(schedulers, lambda _: payouts_recalculate_once())
    # The minute may end between two of them, and a new one is theirs to do.
    runs = JobRun.objects.count()
    assert 1 <= sum(done) == runs <= 2
    assert payout(market) == 85 + 2 * runs
    assert set(JobRun.objects.values_list("name", "outcome", "detail")) == {(JOB, "done", "1 changed")}


def test_the_task_does_it_once_however_often_it_is_asked(market: Market) -> None:
    """Architecture, scheduler: asked each twenty seconds, done once a minute."""
    for _ in range(3):
        settlement_payouts_recalculate()
    assert 1 <= JobRun.objects.filter(name=JOB).count() <= 2


def test_every_line_of_the_schedule_is_a_task_that_a_worker_knows() -> None:
    """Architecture: the static schedule asks for what exists, on the queue that the settlement worker serves."""
    celery.loader.import_default_modules()
    assert set(SCHEDULE) <= set(celery.tasks)
    assert {entry["task"] for entry in celery.conf.beat_schedule.values()} == set(SCHEDULE)
    assert celery.conf.task_default_queue == "settlement"


def test_operators_see_the_payout_of_the_last_day_as_a_chart(market: Market) -> None:
    """Rules 14: payouts and their history; each step holds until the next, within the operator's bounds."""
    now_ms = db_now_ms()
    PayoutChange.objects.all().delete()
    for hours, percent in ((30, 72), (12, 95), (6, 83)):
        PayoutChange.objects.create(symbol_id=market.id, at_ms=now_ms - hours * 3_600_000, percent=percent)
    svg = payout_chart(Symbol.objects.get(pk=market.id), now_ms=now_ms)
    (points,) = re.findall(r'points="([^"]+)"', svg)
    # 97 to 68 percent over 160 points: 72 is 137 down, 95 is 11, 83 is 77.
    assert points == "0,137 360,137 360,11 540,11 540,77 720,77"
    assert [name for name in ("highest 95 %", "fixed 85 %", "lowest 70 %") if name not in svg] == []
    PayoutChange.objects.all().delete()
    assert re.findall(r'points="([^"]+)"', payout_chart(Symbol.objects.get(pk=market.id), now_ms=now_ms)) == [
        "0,66 720,66"
    ]
