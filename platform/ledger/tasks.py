"""Scheduled work of the ledger; losing one call loses nothing, the next one does it."""

from __future__ import annotations

from celery import shared_task

from kernel.jobs import DAY_MS, MINUTE_MS, database_now_ms, job_once
from ledger import adjustments
from ledger.checkpoints import CHECKPOINT_AFTER_MS, checkpoint_make


@shared_task(name="ledger.checkpoint")  # type: ignore[untyped-decorator]
def checkpoint() -> None:
    """Close the UTC day that ended; to be asked for more often than once a day."""
    now_ms = database_now_ms()

    def close() -> str:
        closed = checkpoint_make(now_ms=now_ms)
        return (
            "closed already" if closed is None else f"{closed.day}: {closed.users} users', {closed.house} of the house"
        )

    if now_ms % DAY_MS >= CHECKPOINT_AFTER_MS:
        job_once("ledger.checkpoint", DAY_MS, now_ms, close)


@shared_task(name="ledger.adjustments_expire")  # type: ignore[untyped-decorator]
def adjustments_expire() -> None:
    """Mark requests for adjustments that waited too long."""
    now_ms = database_now_ms()
    job_once(
        "ledger.adjustments_expire",
        MINUTE_MS,
        now_ms,
        lambda: f"{adjustments.adjustments_expire(now_ms=now_ms)} expired",
    )
