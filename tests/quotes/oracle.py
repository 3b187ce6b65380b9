"""A second, independent reading of trading hours: every minute of UTC is asked for its local time, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from quotes.calendar import Calendar, Window

MINUTE_MS = 60_000


@lru_cache(maxsize=8)
def local_minutes(time_zone: str, first: date, last: date) -> list[tuple[date, int, int]]:
    """Return the local day, weekday and minute of each UTC minute from one day to another, the last exclusive."""
    zone, instant = ZoneInfo(time_zone), datetime(first.year, first.month, first.day, tzinfo=UTC)
    found, end = [], datetime(last.year, last.month, last.day, tzinfo=UTC)
    minute = timedelta(minutes=1)
    while instant < end:
        local = instant.astimezone(zone)
        found.append((local.date(), local.weekday(), local.hour * 60 + local.minute))
        instant += minute
    return found


def open_minutes(calendar: Calendar, first: date, last: date) -> list[bool]:
    """Return for each UTC minute whether it lies in a session and is not taken away by a holiday."""
    weekly = [False] * (7 * 1_440)
    for session in calendar.sessions:
        for minute in range(session.opens_minute, session.closes_minute):
            weekly[(session.weekday * 1_440 + minute) % len(weekly)] = True
    found = []
    for day, weekday, minute in local_minutes(calendar.time_zone, first, last):
        held = weekly[weekday * 1_440 + minute]
        if held and day in calendar.holidays:
            hours = calendar.holidays[day]
            held = hours is not None and hours[0] <= minute < hours[1]
        found.append(held)
    return found


def windows_of(minutes: list[bool], first: date) -> Iterator[Window]:
    """Return the stretches of open minutes as windows."""
    start_ms = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) * 1_000
    since: int | None = None
    for index, held in enumerate([*minutes, False]):
        if held and since is None:
            since = index
        if not held and since is not None:
            yield Window(start_ms + since * MINUTE_MS, start_ms + index * MINUTE_MS)
            since = None
