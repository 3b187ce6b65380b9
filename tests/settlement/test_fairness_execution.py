"""Equal execution: the figures against a count by hand, what is not shown, and a build that is not fair."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import cycle, pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Problem
from kernel.facts import facts_apply
from settlement import tasks
from settlement.fairness import comparison, today
from settlement.fairness.comparison import BOUNDS_US, BUCKETS, bucket_of, longer_percent, quantile_us
from settlement.fairness.execution import day_of, execution_days_count
from settlement.models import ExecutionDay
from tests.market import Market, Trader, db_now_ms, market_open, settle_due, trader_open
from trading import refusals, services
from trading.domain import admit
from trading.models import RefusalCount

pytestmark = pytest.mark.django_db

DAY_MS = 86_400_000
ADDRESS = "/api/v1/fairness/execution"
HIDDEN = ("orders", "latency", "refused", "refusal_percent", "refusals", "settled", "refund_percent", "refunds",
          "payout_percent_mean", "tick_age_ms_mean", "entry_wait_ms_mean")  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    refusals.refusals_forget()
    today.today_forget()
    yield
    refusals.refusals_forget()
    today.today_forget()


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def took_us(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make placements take exactly what is put into the list, in turn, and then 100 us each."""
    asked: list[int] = []
    started = cycle([True, False])

    def monotonic_ns() -> int:
        return 0 if next(started) else (asked.pop(0) if asked else 100) * 1_000

    monkeypatch.setattr(services, "time", SimpleNamespace(monotonic_ns=monotonic_ns))
    return asked


def crowd(count: int) -> list[Trader]:
    return [trader_open() for _ in range(count)]


def placed(market: Market, traders: list[Trader], direction: str, expires_ms: int) -> None:
    # On a busy machine the market's first tick may be too old by now.
    market.admitted("1.08512")
    for trader in traders:
        trader.place(market, direction, duration_s=None, expires_at_ms=expires_ms)


def settled(market: Market, expires_ms: int, price: str = "1.08600") -> None:
    """Let the price of the expiry be above every opening, and count what was settled."""
    market.admitted(price, at_ms=expires_ms)
    market.admitted("1.08512", at_ms=expires_ms + 1)
    settle_due()
    while facts_apply(limit=1_000):
        pass


def refused(trader: Trader, market: Market) -> None:
    with pytest.raises(Problem):
        trader.place(market, stake="0.01")


def report(query: str = "") -> dict[str, Any]:
    answer = Client().get(ADDRESS + query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


# --- the arithmetic --------------------------------------------------------------------------------


def test_buckets_hold_what_they_say() -> None:
    """Execution report: each bound begins a bucket; nothing is too short or too long to be counted."""
    assert (bucket_of(0), bucket_of(BOUNDS_US[0] - 1), bucket_of(BOUNDS_US[0])) == (0, 0, 1)
    assert bucket_of(BOUNDS_US[-1]) == BUCKETS - 1
    for bucket, (low, high) in enumerate(pairwise(BOUNDS_US), start=1):
        assert (bucket_of(low), bucket_of(high - 1)) == (bucket, bucket)
        assert high / low < 1.1


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=60), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_the_bound_of_its_bucket(times: list[int], rank: int) -> None:
    """Execution report: at least so many percent of the times lie below it, and it is at most a bucket too high."""
    counted = Counter(map(bucket_of, times))
    found = quantile_us([counted[bucket] for bucket in range(BUCKETS)], rank)
    exact = sorted(times)[-(-len(times) * rank // 100) - 1]
    assert found == comparison.bucket_below_us(bucket_of(exact))


@given(st.lists(st.integers(0, 9), max_size=20), st.lists(st.integers(0, 9), max_size=20))
def test_the_share_of_pairs_is_that_of_all_pairs(first: list[int], second: list[int]) -> None:
    """Execution report: counted by buckets as if each pair had been looked at."""
    left, right = ([Counter(times)[bucket] for bucket in range(10)] for times in (first, second))
    pairs = [(one > other) + (one == other) / 2 for one in first for other in second]
    found = longer_percent(left, right)
    assert found is None if not pairs else found == pytest.approx(100 * sum(pairs) / len(pairs))


# --- the figures -----------------------------------------------------------------------------------


def test_the_figures_are_those_of_a_count_by_hand(market: Market, took_us: list[int]) -> None:
    """Execution report: five winners and six losers on demo, each figure counted by hand."""
    winners, losers = crowd(5), crowd(6)
    expires_ms = market.now_ms + 30_000
    took_us += [100] * 4 + [1_000] + [100] * 3 + [3_000] * 3
    placed(market, winners, "up", expires_ms)
    placed(market, losers, "down", expires_ms)
    for _ in range(5):
        refused(losers[0], market)
    refusals.refusals_write()
    settled(market, expires_ms)

    found = report()
    demo, real = found["demo"], found["real"]
    won, lost, everybody = demo["winners"], demo["losers"], demo["all"]
    assert (found["days"], found["today"], found["clients_min"]) == (1, "included", 5)
    assert [(group["shown"], group["clients"], group["orders"]) for group in (won, lost, everybody)] == [
        (True, 5, 5), (True, 6, 6), (True, 11, 11)]  # fmt: skip
    # 100 us lies in [99, 108), 1,000 in [939, 1024), 3,000 in [2896, 3158).
    assert won["latency"] == {
        "orders": 5, "p50_us": 108, "p95_us": 1_024, "p99_us": 1_024,
        "buckets": [{"below_us": 108, "orders": 4}, {"below_us": 1_024, "orders": 1}]}  # fmt: skip
    assert [lost["latency"][name] for name in ("p50_us", "p95_us", "p99_us")] == [108, 3_158, 3_158]
    assert (won["refused"], won["refusals"], won["refusal_percent"]) == (0, [], 0.0)
    assert (lost["refused"], lost["refusal_percent"]) == (5, 45.45)
    assert lost["refusals"] == [{"code": "order.stake.below_minimum", "count": 5, "percent": 45.45}]
    assert (everybody["settled"], everybody["refund_percent"], everybody["payout_percent_mean"]) == (11, 0.0, 85.0)
    assert everybody["entry_wait_ms_mean"] is None
    # Of 30 pairs a winner's order was longer in 3 (1,000 against 100) and in the same bucket in 12.
    assert demo["winners_against_losers"] == {
        "days": 1, "days_slower": 0, "days_faster": 0, "longer_percent": 30.0,
        "p50_us": 0, "p95_us": 1_024 - 3_158, "p99_us": 1_024 - 3_158,
        "refusal_percent": -45.45, "refund_percent": 0.0, "payout_percent_mean": 0.0}  # fmt: skip
    assert real["all"] == {"shown": False, "days": 0, "clients": 0} | dict.fromkeys(HIDDEN)
    assert found["real_against_demo"] is None


def test_refunds_entries_and_ages_are_counted(market: Market) -> None:
    """Execution report: refunds by reason, the age of opening ticks, the wait for the next one."""
    waiting = market_open("GBPUSD", entry_rule="next_tick/1", max_tick_age_ms=60_000)
    traders = crowd(5)
    expires_ms = waiting.now_ms + 30_000
    for one in (waiting, market):
        one.admitted("1.08512")
    for trader in traders:
        trader.place(waiting, "up", duration_s=None, expires_at_ms=expires_ms)
    waiting.admitted("1.08600", at_ms=expires_ms - 10_000)
    trader.place(market, "up", duration_s=None, expires_at_ms=expires_ms)
    settled(waiting, expires_ms)
    market.admitted("1.08512", at_ms=expires_ms + 1)
    settle_due()

    everybody = report()["demo"]["all"]
    assert everybody["refunds"] == [{"reason": "stale_tick", "count": 1, "percent": 16.67}]
    assert (everybody["settled"], everybody["refund_percent"]) == (6, 16.67)
    assert 0 < everybody["entry_wait_ms_mean"] <= 20_000
    assert 0 <= everybody["tick_age_ms_mean"] <= 3_000


def test_few_clients_are_not_shown(market: Market) -> None:
    """Privacy: a group of fewer than five tells its number only, and hides the rest that would tell it."""
    expires_ms = market.now_ms + 30_000
    placed(market, crowd(4), "up", expires_ms)
    placed(market, crowd(7), "down", expires_ms)
    settled(market, expires_ms)
    demo = report()["demo"]
    assert demo["winners"] == {"shown": False, "days": 0, "clients": 4} | dict.fromkeys(HIDDEN)
    assert demo["losers"] == {"shown": False, "days": 0, "clients": 7} | dict.fromkeys(HIDDEN)
    assert (demo["all"]["shown"], demo["all"]["orders"]) == (True, 11)
    assert demo["winners_against_losers"] is None


def test_nothing_yet_is_told_as_such() -> None:
    """Execution report: a platform without an order answers, with nobody in any group."""
    found = report()
    assert (found["days"], found["today"]) == (1, "included")
    assert [found["demo"][side]["clients"] for side in ("all", "winners", "losers")] == [0, 0, 0]


# --- days ------------------------------------------------------------------------------------------


def test_a_day_is_counted_when_it_is_over_until_nothing_can_change(market: Market) -> None:
    """Execution report: a day with an open order is counted again; once all are settled it is final and stays."""
    this_day, tomorrow_ms = day_of(db_now_ms()), (db_now_ms() // DAY_MS + 1) * DAY_MS
    expires_ms = market.now_ms + 30_000
    placed(market, crowd(5), "up", expires_ms)

    assert execution_days_count(now_ms=tomorrow_ms + 599_999) == 0
    assert execution_days_count(now_ms=tomorrow_ms + 600_000) == 1
    rows = ExecutionDay.objects.filter(day=this_day)
    assert {(row.book_kind, row.side): (row.final, row.clients, row.settled) for row in rows} == {
        ("demo", "all"): (False, 5, 0), ("demo", "winners"): (False, 0, 0), ("demo", "losers"): (False, 5, 0),
        ("real", "all"): (False, 0, 0), ("real", "winners"): (False, 0, 0), ("real", "losers"): (False, 0, 0),
    }  # fmt: skip

    settled(market, expires_ms)
    assert execution_days_count(now_ms=tomorrow_ms + 600_000) == 1
    row = rows.get(book_kind="demo", side="winners")
    assert (row.final, row.clients, row.settled, row.orders) == (True, 5, 5, 5)
    assert execution_days_count(now_ms=tomorrow_ms + 600_000) == 0


def test_whose_refusals_they_were_is_forgotten(market: Market) -> None:
    """Privacy: the tally by client goes once its day cannot be counted again; what is needed stays."""
    trader, this_day = trader_open(), day_of(db_now_ms())
    market.admitted("1.08512")
    trader.place(market)
    for ago in (40, 41):
        RefusalCount.objects.create(
            day=this_day - timedelta(days=ago), user_id=trader.user.id, book_kind="demo", code="x", count=1
        )
    now_ms = (db_now_ms() // DAY_MS) * DAY_MS + 3_600_000
    execution_days_count(now_ms=now_ms)
    assert [row.day for row in RefusalCount.objects.all()] == [this_day - timedelta(days=40)]


def test_the_report_adds_up_the_days_that_are_asked_for(market: Market) -> None:
    """Execution report: stored days count as they are stored; each day is hidden or shown by itself."""
    this_day = day_of(db_now_ms())
    for ago, clients, bucket in ((1, 5, 10), (2, 6, 20), (3, 4, 30)):
        latencies = [0] * BUCKETS
        latencies[bucket] = 2
        for side in ("all", "winners", "losers"):
            figures = {"orders": 2, "latencies": latencies, "payout_sum": 170, "settled": 1, "clients": clients}
            zeros = dict.fromkeys(("last_entries", "last_age_ms", "next_entries", "next_wait_ms"), 0)
            for ledger in ("real", "demo"):
                ExecutionDay.objects.create(
                    day=this_day - timedelta(days=ago), book_kind=ledger, side=side, refusals={"market.stale": 1},
                    refunds={"no_tick": 1}, final=True, counted_at_ms=1, **figures, **zeros,
                )  # fmt: skip
    query = f"?from={this_day - timedelta(days=3)}&to={this_day - timedelta(days=1)}"
    found = report(query)
    everybody = found["demo"]["all"]
    assert (found["days"], found["today"]) == (3, "not_asked")
    assert (everybody["days"], everybody["clients"], everybody["orders"], everybody["refused"]) == (2, 6, 4, 2)
    assert everybody["refunds"] == [{"reason": "no_tick", "count": 2, "percent": 100.0}]
    assert [bucket["orders"] for bucket in everybody["latency"]["buckets"]] == [2, 2]
    assert found["real_against_demo"]["longer_percent"] == 50.0
    alone = report(f"?from={this_day - timedelta(days=1)}&to={this_day - timedelta(days=1)}")
    assert (alone["first_day"], alone["last_day"], alone["demo"]["all"]["orders"]) == (
        *(str(this_day - timedelta(days=1)),) * 2,
        2,
    )


def test_a_winner_is_one_by_the_result_of_thirty_days(market: Market) -> None:
    """Execution report: who lost today and won more before is a winner; what is older than 30 days does not count."""
    from settlement.models import DailyUser

    traders, this_day = crowd(2), day_of(db_now_ms())
    expires_ms = market.now_ms + 30_000
    placed(market, traders, "down", expires_ms)
    settled(market, expires_ms)
    for trader, ago in zip(traders, (29, 30), strict=True):
        DailyUser.objects.create(
            day=this_day - timedelta(days=ago), book_kind="demo", currency="USD", user_id=trader.user.id,
            won=9, lost=0, tied=0, refunded=0, stakes=9_000, payouts=17_000, returned=0,
        )  # fmt: skip
    demo = report()["demo"]
    assert (demo["winners"]["clients"], demo["losers"]["clients"]) == (1, 1)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=2026-1-1", "from"),
        ("?from=20260101", "from"),
        ("?to=yesterday", "to"),
        ("?from=2026-01-02&to=2026-01-01", "from"),
        ("?from=2024-01-01&to=2026-01-01", "from"),
        ("?day=2026-01-01", "day"),
    ],
)
def test_days_that_are_none_are_refused(query: str, field: str) -> None:
    """Contract, Errors: 400 with the field that is wrong."""
    answer = Client().get(ADDRESS + query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("to", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days(to: str) -> None:
    """Contract, Errors: no day that can be written breaks the report."""
    assert report(f"?to={to}")["last_day"] == to


def test_a_day_that_is_too_busy_is_left_out(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Performance: a public address cannot keep the database busy; the report says what it left out."""

    def slow(day: date) -> Any:
        from kernel import db

        return db.rows("SELECT pg_sleep(5)")

    monkeypatch.setattr(today, "COUNT_MS_MAX", 20)
    monkeypatch.setattr(today, "day_counted", slow)
    found = report()
    assert (found["today"], found["days"]) == ("left_out", 0)


def test_today_is_counted_once_in_half_a_minute(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Performance: who asks again meanwhile gets the same figures, without a count."""
    counts: list[date] = []

    def noted(day: date) -> dict[Any, Any]:
        counts.append(day)
        return {}

    monkeypatch.setattr(today, "day_counted", noted)
    for _ in range(3):
        today.today_counted(date(2026, 1, 1))
    today.today_counted(date(2026, 1, 2))
    assert counts == [date(2026, 1, 1), date(2026, 1, 2)]


@pytest.mark.django_db(transaction=True)
def test_the_job_counts_once_an_hour() -> None:
    """F-04: asked more often, it runs once in its period."""
    from kernel.models import JobRun

    for _ in range(2):
        tasks.settlement_execution_days_count()
    run = JobRun.objects.get(name="settlement.execution_days_count")
    assert (run.outcome, run.detail) == ("done", "0 days")


# --- a build that is not fair ----------------------------------------------------------------------


def _delayed(monkeypatch: pytest.MonkeyPatch, victims: set[UUID], held_s: float) -> None:
    """The mutant: placement holds the orders of some clients before it writes them."""

    def held(**facts: Any) -> Any:
        if facts["wallet"].user_id in victims:
            time.sleep(held_s)
        return admit(**facts)

    monkeypatch.setattr("trading.services.admit", held)


@pytest.mark.parametrize("unfair", [True, False], ids=["mutant", "correct build"])
def test_a_build_that_delays_winners_shows(market: Market, monkeypatch: pytest.MonkeyPatch, unfair: bool) -> None:
    """Never a different path for a client who wins: the mutant is seen, and the correct build is not accused."""
    winners, losers = crowd(5), crowd(5)
    expires_ms = market.now_ms + 30_000
    placed(market, winners[:1] + losers[:1], "up", expires_ms + 1_000)
    _delayed(monkeypatch, {trader.user.id for trader in winners} if unfair else set(), 0.05)
    for _ in range(3):
        for winner, loser in zip(winners, losers, strict=True):
            placed(market, [winner], "up", expires_ms)
            placed(market, [loser], "down", expires_ms)
    settled(market, expires_ms)

    found = report()["demo"]["winners_against_losers"]
    if unfair:
        assert found["longer_percent"] > 85
        assert found["p50_us"] > 25_000
        assert (found["days_slower"], found["days_faster"]) == (1, 0)
    else:
        # Of 15 orders against 15 that are alike, one trial in 5,000 lies outside.
        assert 10 < found["longer_percent"] < 90
        assert abs(found["p50_us"]) < 25_000
