"""Pure trading hours: weekly sessions and holidays in an exchange's own time, and the windows of absolute time of them.

A local minute counts from its day's midnight by the wall clock. An instant is Unix milliseconds; windows and sessions
hold their start and not their end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DAY_MINUTES = 1_440
WEEK_MINUTES = 7 * DAY_MINUTES
MINUTE_MS = 60_000
DAY_MS = DAY_MINUTES * MINUTE_MS
# How far beyond a question sessions that touch are followed: longer than any order lives.
RUN_DAYS = 62
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Span = tuple[int, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{1,2}):(\d{2})\s*(\+1)?\Z", re.ASCII)
_SESSIONS = re.compile(r"([a-z]+)(?:-([a-z]+))?\s+(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2}\s*(?:\+1)?)\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Session:
    """A weekly window in local minutes of its weekday; beyond minute 1440 lies the next day."""

    weekday: int
    opens_minute: int
    closes_minute: int

    def __str__(self) -> str:
        """Return it as people write it: ``sun 17:00-17:00+1`` closes on the next day."""
        day = WEEKDAYS[self.weekday][:3].lower()
        return f"{day} {time_text(self.opens_minute)}-{time_text(self.closes_minute)}"


@dataclass(frozen=True, slots=True)
class HolidayTerms:
    """A local day on which sessions are cut to ``hours``, in local minutes, or not held at all."""

    day: date
    name: str
    hours: Span | None = None
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Trading without interruption, as instants."""

    opens_ms: int
    closes_ms: int


@dataclass(frozen=True)
class Calendar:
    """Trading hours of an exchange.

    :param holidays: what is left of a local day in local minutes, or None
    """

    time_zone: str
    sessions: tuple[Session, ...]
    holidays: Mapping[date, Span | None] = field(default_factory=dict)

    def windows(self, from_ms: int, to_ms: int) -> list[Window]:
        """Return the windows that hold some instant of [from, to), whole, in their order.

        Sessions that touch are one window. The answer does not depend on what is asked for, unless a window lasts
        longer than ``RUN_DAYS``: such a one is cut at the edge of a session so far outside the question.
        """
        zone = ZoneInfo(self.time_zone)
        first, last = _local_day(from_ms, zone), _local_day(to_ms, zone)
        found, _ = _held(self, first - RUN_DAYS, last + RUN_DAYS)
        return [window for window in found if window.closes_ms > from_ms and window.opens_ms < to_ms]


def faults(calendar: Calendar, from_day: date, to_day: date) -> list[str]:
    """Return the local edges of trading that do not exist, or exist twice, from one day to another, inclusive.

    A session with such an edge is not held that day.
    """
    first, last = from_day.toordinal(), to_day.toordinal()
    _, edges = _held(calendar, first - RUN_DAYS, last + RUN_DAYS)
    return [_fault_text(calendar, edge) for edge in edges if first <= edge // DAY_MINUTES <= last]


def overlaps(sessions: Iterable[Session]) -> list[str]:
    """Return the pairs of weekly sessions that overlap, across the end of the week too."""
    ordered = sorted(set(sessions))
    found = []
    for index, session in enumerate(ordered):
        starts = session.weekday * DAY_MINUTES + session.opens_minute
        ends = session.weekday * DAY_MINUTES + session.closes_minute
        for later in range(index + 1, index + len(ordered)):
            other = ordered[later % len(ordered)]
            week = WEEK_MINUTES * (later // len(ordered))
            opens = other.weekday * DAY_MINUTES + other.opens_minute + week
            if starts <= opens < ends:
                found.append(f"{session} overlaps {other}")
    return found


def zone_known(name: str) -> bool:
    """Whether a time zone of this name is in the time zone data."""
    return name in available_timezones()


def _held(calendar: Calendar, first: int, last: int) -> tuple[list[Window], list[int]]:
    """Return the windows of the days from one ordinal to another, and the local edges that nobody can tell."""
    zone = ZoneInfo(calendar.time_zone)
    pieces = sorted(_pieces(calendar, first, last))
    edges: list[int] = []
    while True:
        runs = _runs(pieces)
        windows, lost, without = [], set[Span](), list[int]()
        for run in runs:
            opens, closes = run[0][0], max(piece[1] for piece in run)
            opens_ms, closes_ms = _instant(opens, zone), _instant(closes, zone)
            if opens_ms is None:
                lost.add(run[0])
                without.append(opens)
            if closes_ms is None:
                lost |= {piece for piece in run if piece[1] == closes}
                without.append(closes)
            if opens_ms is not None and closes_ms is not None:
                windows.append(Window(opens_ms, closes_ms))
        if not lost:
            return windows, sorted(edges)
        edges += without
        pieces = [piece for piece in pieces if piece not in lost]


def _pieces(calendar: Calendar, first: int, last: int) -> Iterator[Span]:
    """Return what holidays leave of each session, as local minutes since the first day of all."""
    by_weekday: dict[int, list[Session]] = {}
    for session in calendar.sessions:
        by_weekday.setdefault(session.weekday, []).append(session)
    holidays = {day.toordinal(): hours for day, hours in calendar.holidays.items()}
    for day in range(first, last + 1):
        for session in by_weekday.get((day - 1) % 7, ()):
            midnight = day * DAY_MINUTES
            whole = (midnight + session.opens_minute, midnight + session.closes_minute)
            if day in holidays or day + 1 in holidays:
                yield from _cut(whole, holidays)
            else:
                yield whole


def _cut(whole: Span, holidays: Mapping[int, Span | None]) -> list[Span]:
    parts: list[Span] = []
    for day in range(whole[0] // DAY_MINUTES, (whole[1] - 1) // DAY_MINUTES + 1):
        hours = holidays.get(day, (0, DAY_MINUTES))
        if hours is None:
            continue
        starts, ends = (day * DAY_MINUTES + minute for minute in hours)
        starts, ends = max(starts, whole[0]), min(ends, whole[1])
        if starts < ends:
            if parts and parts[-1][1] == starts:
                starts = parts.pop()[0]
            parts.append((starts, ends))
    return parts


def _runs(pieces: Sequence[Span]) -> list[list[Span]]:
    runs: list[list[Span]] = []
    reaches = 0
    for piece in pieces:
        if runs and piece[0] <= reaches:
            runs[-1].append(piece)
        else:
            runs.append([piece])
        reaches = max(reaches, piece[1])
    return runs


@lru_cache(maxsize=65_536)
def _instant(minute: int, zone: ZoneInfo) -> int | None:
    """Return the instant of a local minute, or None when it does not exist or exists twice."""
    local = _local(minute, zone)
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        return None
    return (local - _EPOCH) // timedelta(milliseconds=1)


def _local(minute: int, zone: ZoneInfo) -> datetime:
    day, of_day = divmod(minute, DAY_MINUTES)
    return datetime.combine(date.fromordinal(day), datetime.min.time(), zone) + timedelta(minutes=of_day)


def _local_day(at_ms: int, zone: ZoneInfo) -> int:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).toordinal()


def local_day(at_ms: int, time_zone: str) -> date:
    """Return the local day that an instant lies in."""
    return date.fromordinal(_local_day(at_ms, ZoneInfo(time_zone)))


def _fault_text(calendar: Calendar, edge: int) -> str:
    local = _local(edge, ZoneInfo(calendar.time_zone))
    before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
    assert before is not None
    assert after is not None
    what = "does not exist" if before < after else "exists twice"
    return f"{local:%H:%M} on {local:%Y-%m-%d} {what} in {calendar.time_zone}"


def time_text(minute: int) -> str:
    """Return a local minute as people write it: ``09:30``, ``24:00``, ``06:00+1`` for the next day."""
    if minute > DAY_MINUTES:
        return f"{time_text(minute - DAY_MINUTES)}+1"
    return f"{minute // 60:02d}:{minute % 60:02d}"


def time_parsed(text: str) -> int:
    """Return the local minute of ``HH:MM``, ``24:00`` or ``HH:MM+1``.

    :raises ValueError: when it is none
    """
    found = _TIME.match(text.strip())
    if found is None or int(found[2]) > 59 or int(found[1]) * 60 + int(found[2]) > DAY_MINUTES:
        raise ValueError(f"{text.strip()!r} is no time: write HH:MM, at most 24:00, with +1 for the next day")
    return int(found[1]) * 60 + int(found[2]) + (DAY_MINUTES if found[3] else 0)


def session_made(weekday: int, opens: str, closes: str) -> Session:
    """Return the session of two times as people write them; one that closes no later than it opens crosses midnight.

    :raises ValueError: when they are none
    """
    opens_minute, closes_minute = time_parsed(opens), time_parsed(closes)
    if opens_minute >= DAY_MINUTES:
        raise ValueError(f"{opens.strip()!r} lies on the next day: a session opens on its own")
    if closes_minute <= opens_minute:
        closes_minute += DAY_MINUTES
    return Session(weekday, opens_minute, closes_minute)


def sessions_parsed(text: str) -> list[Session]:
    """Return the sessions of ``mon 09:30-16:00``, ``mon-fri 09:30-16:00`` or ``sun 17:00-17:00+1``.

    :raises ValueError: when the text is none
    """
    found = _SESSIONS.match(text.strip().lower())
    if found is None:
        raise ValueError(f'{text.strip()!r} is no session: write for example "mon-fri 09:30-16:00"')
    first, last = _weekday(found[1]), _weekday(found[2] or found[1])
    count = (last - first) % 7 + 1
    return [session_made((first + step) % 7, found[3], found[4]) for step in range(count)]


def _weekday(text: str) -> int:
    for number, name in enumerate(WEEKDAYS):
        if text in (name.lower(), name[:3].lower()):
            return number
    raise ValueError(f"{text!r} is no weekday: write mon, tue, wed, thu, fri, sat or sun")
