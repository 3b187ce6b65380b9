"""Scheduled work of the event log; losing one call loses nothing, the next one does it."""

from __future__ import annotations

from celery import shared_task

from kernel.jobs import DAY_MS, database_now_ms, job_once
from realtime.services import events_expire

EVENTS_KEPT_DAYS = 90


@shared_task(name="realtime.events_expire")  # type: ignore[untyped-decorator]
def realtime_events_expire() -> None:
    """Remove events past retention; cursors before them answer that they have expired."""
    now_ms = database_now_ms()
    before_ms = now_ms - EVENTS_KEPT_DAYS * DAY_MS
    job_once("realtime.events_expire", DAY_MS, now_ms, lambda: f"{events_expire(before_ms=before_ms)} events removed")
