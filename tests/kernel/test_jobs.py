"""Scheduled jobs: once in each period, whoever asks and how often (F-04)."""

from __future__ import annotations

from threading import Barrier

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from kernel.ids import uuid7
from kernel.jobs import MINUTE_MS, PERIODS_KEPT, database_now_ms, job_once
from kernel.models import FactBatch, JobRun
from tests.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)

NOW_MS = 1_700_000_000_000
TAKEOVER_MS = 10 * MINUTE_MS


def effect() -> str:
    """Leave one row."""
    FactBatch.objects.create(subscriber="nobody", fact="done", references=[uuid7()], at_ms=0)
    return "one row"


def broken() -> str:
    effect()
    raise ValueError("no luck")


def effects() -> int:
    """Return how many rows were left."""
    return FactBatch.objects.count()


def runs() -> list[tuple[str, str]]:
    """Return outcome and detail of all runs, oldest first."""
    return list(JobRun.objects.order_by("name", "period").values_list("outcome", "detail"))


@pytest.mark.parametrize("takeover_ms", [None, TAKEOVER_MS])
def test_a_job_runs_once_in_its_period(takeover_ms: int | None) -> None:
    """Architecture, scheduler: jobs are unique by (name, period)."""
    start_ms = NOW_MS - NOW_MS % MINUTE_MS
    done = [
        job_once("tidy", MINUTE_MS, start_ms + after_ms, effect, takeover_ms=takeover_ms)
        for after_ms in (0, 1, 59_999, 60_000, 119_999, 120_000)
    ]
    assert done == [True, False, False, True, False, True]
    assert effects() == 3
    assert runs() == [("done", "one row")] * 3


def test_jobs_have_their_own_periods() -> None:
    """Architecture: the name is part of what is unique."""
    assert job_once("tidy", MINUTE_MS, NOW_MS, effect)
    assert job_once("sweep", MINUTE_MS, NOW_MS, effect)
    assert effects() == 2


@pytest.mark.parametrize("takeover_ms", [None, TAKEOVER_MS])
def test_schedulers_that_race_do_a_job_once(takeover_ms: int | None) -> None:
    """F-04: two beats, four workers: double effects = 0, jobs per (name, period) = 1."""
    for period in range(5):
        now_ms = NOW_MS + period * MINUTE_MS

        def act(_: int, now_ms: int = now_ms) -> bool:
            return job_once("tidy", MINUTE_MS, now_ms, effect, takeover_ms=takeover_ms)

        done = at_once(4, act)
        assert sorted(done) == [False, False, False, True]
        assert effects() == JobRun.objects.count() == period + 1


@pytest.mark.parametrize("takeover_ms", [None, TAKEOVER_MS])
def test_a_second_worker_does_not_wait_for_the_first(takeover_ms: int | None) -> None:
    """F-04: while one is at it, the other leaves the period to it at once."""
    both = Barrier(2, timeout=20)

    def slow() -> str:
        both.wait()
        both.wait()
        return effect()

    def act(number: int) -> bool:
        if number == 0:
            return job_once("tidy", MINUTE_MS, NOW_MS, slow, takeover_ms=takeover_ms)
        both.wait()
        done = job_once("tidy", MINUTE_MS, NOW_MS + 1, effect, takeover_ms=takeover_ms)
        both.wait()
        return done

    assert at_once(2, act) == [True, False]
    assert effects() == 1


def test_a_failed_run_leaves_no_effect_and_is_repeated_in_its_period() -> None:
    """F-05: claim and effect are one transaction; the failure is recorded, and the next request does the work."""
    with pytest.raises(ValueError, match="no luck"):
        job_once("tidy", MINUTE_MS, NOW_MS, broken)
    assert (effects(), runs()) == (0, [("failed", "ValueError: no luck")])
    with pytest.raises(ValueError, match="no luck"):
        job_once("tidy", MINUTE_MS, NOW_MS + 1, broken)
    assert JobRun.objects.get().started_at_ms == NOW_MS + 1
    assert job_once("tidy", MINUTE_MS, NOW_MS + 2, effect)
    assert not job_once("tidy", MINUTE_MS, NOW_MS + 3, effect)
    assert (effects(), runs()) == (1, [("done", "one row")])


def test_a_failed_run_in_steps_is_recorded_and_repeated() -> None:
    """A job that makes transactions of its own keeps what it had done, and must bear a repetition."""
    with pytest.raises(ValueError, match="no luck"):
        job_once("tidy", MINUTE_MS, NOW_MS, broken, takeover_ms=TAKEOVER_MS)
    assert (effects(), runs()) == (1, [("failed", "ValueError: no luck")])
    assert job_once("tidy", MINUTE_MS, NOW_MS + 1, effect, takeover_ms=TAKEOVER_MS)
    assert runs() == [("done", "one row")]


def test_an_unfinished_run_is_taken_over_after_its_bound_and_not_before() -> None:
    """F-06: a process killed in the middle of a job leaves a claim; the work is done all the same, later."""
    day_ms = 1_440 * MINUTE_MS
    start_ms = NOW_MS - NOW_MS % day_ms
    JobRun.objects.create(name="tidy", period=start_ms // day_ms, started_at_ms=start_ms)
    assert not job_once("tidy", day_ms, start_ms + TAKEOVER_MS - 1, effect, takeover_ms=TAKEOVER_MS)
    assert job_once("tidy", day_ms, start_ms + TAKEOVER_MS, effect, takeover_ms=TAKEOVER_MS)
    assert (effects(), runs()) == (1, [("done", "one row")])


def test_whoever_was_taken_over_has_no_say_any_more() -> None:
    """A run that hangs past its bound and then ends does not write over the run that replaced it."""
    later_ms = NOW_MS + 5_000

    def overtaken() -> str:
        assert job_once("tidy", 10**9, later_ms, lambda: "the second", takeover_ms=5_000)
        return "the first"

    assert job_once("tidy", 10**9, NOW_MS, overtaken, takeover_ms=5_000)
    run = JobRun.objects.get()
    assert (run.started_at_ms, run.outcome, run.detail) == (later_ms, "done", "the second")


def test_old_runs_are_pruned() -> None:
    """A job of each minute must not fill the disk; other jobs' runs stay."""
    period = NOW_MS // MINUTE_MS
    for name, age in (("tidy", PERIODS_KEPT), ("tidy", PERIODS_KEPT - 1), ("sweep", PERIODS_KEPT)):
        JobRun.objects.create(
            name=name, period=period - age, started_at_ms=0, finished_at_ms=0, outcome=JobRun.Outcome.DONE
        )
    job_once("tidy", MINUTE_MS, NOW_MS, effect)
    left = JobRun.objects.order_by("name", "period").values_list("name", "period")
    assert list(left) == [("sweep", period - PERIODS_KEPT), ("tidy", period - PERIODS_KEPT + 1), ("tidy", period)]


def test_the_table_holds_one_run_of_a_period() -> None:
    """F-04: whatever the code does, the database refuses a second run and one that ended without an end."""
    JobRun.objects.create(name="tidy", period=1, started_at_ms=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        JobRun.objects.create(name="tidy", period=1, started_at_ms=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        JobRun.objects.create(name="tidy", period=2, started_at_ms=1, outcome="done")


def test_schedulers_read_the_databases_clock() -> None:
    """F-04: two machines whose clocks differ still agree on the period."""
    assert abs(database_now_ms() - database_now_ms()) < MINUTE_MS
