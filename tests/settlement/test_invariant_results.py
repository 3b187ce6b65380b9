"""The checks of each minute: what they read, what they keep, what they tell (reliability 2; issue: a metric each)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from structlog.testing import capture_logs

from kernel import db
from kernel.jobs import DAY_MS, MINUTE_MS
from kernel.models import JobRun
from settlement import invariant_results, tasks
from settlement.checks import CHECKS, OUTCOMES, Form, violations_count
from settlement.invariant_results import invariant_results as results
from settlement.invariant_results import invariants_gauges, invariants_watch, results_keep
from tests.market import db_now_ms, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db

SUMS = "I-05 stored balance equals the sum of its entries"
LATELY = {name for name, check in CHECKS.items() if Form.LATELY in check.forms}


@contextmanager
def _balance_changed(wallet_id: object) -> Iterator[None]:
    """Change a balance past the ledger, and take it back."""
    for sign in ("+", "-"):
        db.run(f"UPDATE ledger_account SET balance = balance {sign} 1 WHERE id = %s", [wallet_id])
        if sign == "+":
            yield


def _told(logs: Sequence[Mapping[str, object]]) -> list[tuple[object, object, object]]:
    return [(one["event"], one["invariant"], one["violations"]) for one in logs if "invariant" in one]


def test_each_minute_every_check_is_kept_with_its_count() -> None:
    """Issue: run every minute in production, a metric each."""
    now_ms = db_now_ms()

    said = invariants_watch(now_ms=now_ms)

    assert said == f"checked {len(LATELY)}, violated none"
    assert {result.name for result in results()} == LATELY
    assert {(result.lately, result.checked_at_ms) for result in results()} == {(0, now_ms)}


def test_a_change_is_told_once_and_stays_until_it_is_mended() -> None:
    """A violation is logged when it appears and when it goes; the minutes in between look at it again."""
    trader, now_ms = trader_open(real="10.00"), db_now_ms()
    invariants_watch(now_ms=now_ms)
    with capture_logs() as logs, _balance_changed(trader.wallets["real"]):
        for minute in (1, 2, 90):
            invariants_watch(now_ms=now_ms + minute * MINUTE_MS)
            assert next(result.violations for result in results() if result.name == SUMS) == 1
    told = [one for one in _told(logs) if one[1] == SUMS]
    assert told == [("invariant_violated", SUMS, 1)]

    with capture_logs() as logs:
        invariants_watch(now_ms=now_ms + 91 * MINUTE_MS)
    assert ("invariant_holds_again", SUMS, 0) in _told(logs)


def test_a_run_begins_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each minute reads what is new and a minute more, in which a transaction may have been open; a day at most."""
    asked: list[int] = []

    def counted(form: Form, *, since_ms: int, **options: object) -> dict[str, int]:
        asked.append(since_ms)
        return {SUMS: 1 if len(asked) == 3 else 0}

    monkeypatch.setattr(invariant_results, "violations_count", counted)
    now_ms = 20 * DAY_MS
    for minute in (0, 1, 2, 3, 5, 3 * 1_440):
        invariants_watch(now_ms=now_ms + minute * MINUTE_MS)

    assert [(since_ms - now_ms) // MINUTE_MS for since_ms in asked] == [-1_440, -1, 0, 0, 2, 2 * 1_440]


def test_every_account_is_looked_at_within_64_minutes() -> None:
    """I-05: a balance that nothing moved lately is looked at in its turn."""
    trader, now_ms = trader_open(real="10.00"), db_now_ms()
    db.run("ALTER TABLE ledger_transfer DISABLE TRIGGER ledger_transfer_append_only")
    db.run("UPDATE ledger_transfer SET at_ms = at_ms - %s", [DAY_MS])
    with _balance_changed(trader.wallets["real"]):
        seen = [violations_count(Form.LATELY, since_ms=now_ms, part=part)[SUMS] for part in range(64)]
    assert sorted(seen) == [0] * 63 + [1]


def test_what_the_night_has_found_stands_beside_the_minutes() -> None:
    """A count of the full check is not hidden by a minute that reads less."""
    now_ms = db_now_ms()
    results_keep(form=Form.FULL, found={OUTCOMES: 3}, now_ms=now_ms)
    invariants_watch(now_ms=now_ms + 1_000)
    found = next(result for result in results() if result.name == OUTCOMES)
    assert (found.lately, found.full, found.violations, found.newest_ms) == (0, 3, 3, now_ms + 1_000)


def test_the_collector_reads_a_count_and_a_time_of_each_invariant(client: Client, settings: object) -> None:
    """Issue: a metric each; a check that has stopped shows by its time."""
    settings.METRICS_TOKEN = "secret"  # type: ignore[attr-defined]
    now_ms = db_now_ms()
    assert invariants_gauges() == ""
    invariants_watch(now_ms=now_ms)
    results_keep(form=Form.FULL, found={OUTCOMES: 2}, now_ms=now_ms)

    lines = client.get("/metrics", headers={"Authorization": "Bearer secret"}).content.decode().splitlines()

    numbers = {CHECKS[name].invariant for name in LATELY}
    for number in numbers:
        expected = 2 if number == "I-12" else 0
        assert f'fairstrike_invariant_violations{{invariant="{number}"}} {expected}' in lines
        assert f'fairstrike_invariants_checked_at_seconds{{invariant="{number}"}} {now_ms // 1000}' in lines


def test_a_statement_that_takes_too_long_is_ended() -> None:
    """The minutely check holds nothing up: each statement has its bound."""
    with pytest.raises(Exception, match="statement timeout"):
        db.violation_counts({"I-99 slow": "SELECT count(*) FROM pg_sleep(5)"}, within_ms=20)


@pytest.mark.django_db(transaction=True)
def test_the_job_runs_once_a_minute_in_one_snapshot_that_cannot_write() -> None:
    """F-04: asked for three times a minute, it runs once; its queries may write nothing."""
    market, trader = market_open(), trader_open()
    order = trader.place(market, duration_s=1)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    statements: list[str] = []

    def noted(execute: object, sql: str, params: object, many: bool, context: object) -> object:
        statements.append(sql)
        return execute(sql, params, many, context)  # type: ignore[operator]

    with connection.execute_wrapper(noted):
        for _ in range(3):
            tasks.settlement_invariants_watch()

    runs = JobRun.objects.filter(name="settlement.invariants_watch")
    assert {run.outcome for run in runs} == {"done"}
    assert all(run.detail.endswith("violated none") for run in runs)
    snapshots = [sql for sql in statements if "REPEATABLE READ, READ ONLY" in sql]
    assert len(snapshots) == len(runs) <= 2
