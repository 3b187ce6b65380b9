"""Scheduled jobs: each runs once in each of its periods, however many schedulers and workers ask for it (F-04).

A schedule may ask more often than the period is long, and should: what was lost or has failed is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.failpoints import reach
from kernel.metrics import count

log = structlog.get_logger(__name__)

Work = Callable[[], str | None]

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
# Of each job so many periods are remembered: more than a day of minutes.
PERIODS_KEPT = 1_500
_DETAIL_CHARS_MAX = 300

# One run of a job at a time: a second one does not wait, it leaves the period to the first.
_EXCLUDE = "SELECT pg_try_advisory_xact_lock(hashtextextended('job ' || %(name)s::text, 0))"

# A period is free, or its run has failed, or it was begun so long ago that its process must be gone.
_CLAIM = """
INSERT INTO kernel_job_run AS run (name, period, started_at_ms, outcome, detail)
VALUES (%(name)s, %(period)s, %(now_ms)s, '', '')
ON CONFLICT (name, period) DO UPDATE
SET started_at_ms = excluded.started_at_ms, finished_at_ms = NULL, outcome = '', detail = ''
WHERE run.outcome = 'failed' OR run.outcome = '' AND run.started_at_ms <= %(now_ms)s - %(takeover_ms)s::bigint
RETURNING run.id"""

_PRUNE = "DELETE FROM kernel_job_run WHERE name = %(name)s AND period <= %(period)s - %(kept)s"

# A run that was taken over meanwhile has no say any more.
_FINISH = f"""
UPDATE kernel_job_run SET finished_at_ms = {DB_NOW_MS_SQL}, outcome = %(outcome)s, detail = %(detail)s
WHERE name = %(name)s AND period = %(period)s AND started_at_ms = %(now_ms)s AND outcome = ''"""

_FAILED = f"""
INSERT INTO kernel_job_run AS run (name, period, started_at_ms, finished_at_ms, outcome, detail)
VALUES (%(name)s, %(period)s, %(now_ms)s, {DB_NOW_MS_SQL}, 'failed', %(detail)s)
ON CONFLICT (name, period) DO UPDATE
SET started_at_ms = excluded.started_at_ms, finished_at_ms = excluded.finished_at_ms, detail = excluded.detail
WHERE run.outcome = 'failed'"""


def database_now_ms() -> int:
    """Return the database's clock in Unix milliseconds: the one that all machines with a scheduler share."""
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])


def job_once(name: str, period_ms: int, now_ms: int, work: Work, *, takeover_ms: int | None = None) -> bool:
    """Do a job's work unless it was done, or is being done, in the period that ``now_ms`` lies in.

    Without ``takeover_ms`` the work is one transaction with its claim: both are there or neither, so its effect
    happens once. With it the claim is committed first and the work makes transactions of its own; when its process
    dies, whoever asks after ``takeover_ms`` does the work again, which must therefore bear a repetition and end
    sooner than that. A run that has failed may be repeated in the same period either way.

    :param work: returns what operators should read about the run, or None
    :return: whether the work was done here
    :raises Exception: what the work raised, after it was recorded
    """
    run = {"name": name, "period": now_ms // period_ms, "now_ms": now_ms}
    try:
        done = _in_one_transaction(run, work) if takeover_ms is None else _in_steps(run, work, takeover_ms)
    except Exception as error:
        count("jobs_failed", job=name)
        _failure_recorded(run, error)
        raise
    if done:
        count("jobs_done", job=name)
    return done


def _in_one_transaction(run: dict[str, object], work: Work) -> bool:
    with transaction.atomic(durable=True):
        # Its claims are visible with their outcome only; none is ever left unfinished.
        if not _claimed(run, takeover_ms=0):
            return False
        reach("job.claimed")
        detail = work()
        reach("job.worked")
        _finished(run, detail)
        reach("job.finished")
    reach("job.committed")
    return True


def _in_steps(run: dict[str, object], work: Work, takeover_ms: int) -> bool:
    with transaction.atomic(durable=True):
        if not _claimed(run, takeover_ms=takeover_ms):
            return False
    reach("job.steps_claimed")
    detail = work()
    reach("job.steps_worked")
    with transaction.atomic(durable=True):
        _finished(run, detail)
    return True


def _claimed(run: dict[str, object], *, takeover_ms: int) -> bool:
    free = db.row(_EXCLUDE, {"name": run["name"]})
    if free is None or not free[0]:
        return False
    if db.row(_CLAIM, {**run, "takeover_ms": takeover_ms}) is None:
        return False
    db.run(_PRUNE, {"name": run["name"], "period": run["period"], "kept": PERIODS_KEPT})
    return True


def _finished(run: dict[str, object], detail: str | None) -> None:
    if not db.run(_FINISH, {**run, "outcome": "done", "detail": (detail or "")[:_DETAIL_CHARS_MAX]}):
        log.warning("job_was_taken_over", job=run["name"], period=run["period"])


def _failure_recorded(run: dict[str, object], error: Exception) -> None:
    detail = f"{type(error).__name__}: {error}".replace("\0", "")[:_DETAIL_CHARS_MAX]
    with transaction.atomic(durable=True):
        if not db.run(_FINISH, {**run, "outcome": "failed", "detail": detail}):
            db.run(_FAILED, {**run, "detail": detail})
