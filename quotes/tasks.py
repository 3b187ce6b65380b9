"""Scheduled work of the market; losing one call loses nothing, the next one does it."""

from __future__ import annotations

from celery import shared_task

from kernel import db
from kernel.jobs import DAY_MS, HOUR_MS, MINUTE_MS, database_now_ms, job_once
from quotes.gaps import gaps_find
from quotes.hours import windows_extend

PARTITIONS_AHEAD_DAYS = 7

_PARTITIONS = """
SELECT count(quotes_partition_ensure((now() AT TIME ZONE 'UTC')::date + ahead))
FROM generate_series(-1, %(ahead)s::int) AS ahead"""


@shared_task(name="quotes.partitions_ensure")  # type: ignore[untyped-decorator]
def quotes_partitions_ensure() -> None:
    """Make the partitions of the coming week; the parser makes those of the next days by itself."""

    def ensured() -> str:
        found = db.row(_PARTITIONS, {"ahead": PARTITIONS_AHEAD_DAYS})
        assert found is not None
        return f"{found[0]} days are there"

    job_once("quotes.partitions_ensure", HOUR_MS, database_now_ms(), ensured)


@shared_task(name="quotes.windows_extend")  # type: ignore[untyped-decorator]
def quotes_windows_extend() -> None:
    """Keep the trading windows of all calendars known for two months ahead, once a day."""
    now_ms = database_now_ms()
    job_once("quotes.windows_extend", DAY_MS, now_ms, lambda: windows_extend(now_ms=now_ms))


@shared_task(name="quotes.gaps_find")  # type: ignore[untyped-decorator]
def quotes_gaps_find() -> None:
    """Find the times in which feeds were silent or without ticks, once a minute."""
    now_ms = database_now_ms()
    job_once("quotes.gaps_find", MINUTE_MS, now_ms, lambda: f"{gaps_find(now_ms=now_ms)} gaps")
