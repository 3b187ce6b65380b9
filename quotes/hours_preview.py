"""What trading hours look like, local day by local day; made by the pure rule that placement's windows are made by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from quotes.calendar import DAY_MINUTES, Calendar, faults, time_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PreviewPart:
    """Trading within one local day; instants, and the local times of its edges."""

    opens_ms: int
    closes_ms: int
    opens_text: str
    closes_text: str

    @property
    def local(self) -> str:
        """Return the local times."""
        return f"{self.opens_text} to {self.closes_text}"

    @property
    def utc(self) -> str:
        """Return the same in UTC; the day is told where it is not the one that the part begins on."""
        opens, closes = _moment(self.opens_ms), _moment(self.closes_ms)
        far = "%H:%M" if opens.date() == closes.date() else "%d %b %H:%M"
        return f"{opens:%d %b %H:%M} to {closes:{far}}"


@dataclass(frozen=True, slots=True)
class PreviewDay:
    """One local day.

    :param is_holiday: whether the day is cut, or closed, by a holiday
    :param clock_change_minutes: how far the local clocks are put forward on this day
    """

    day: date
    parts: tuple[PreviewPart, ...]
    is_holiday: bool
    clock_change_minutes: int
    faults: tuple[str, ...]


def preview(calendar: Calendar, first: date, days: int) -> list[PreviewDay]:
    """Return the local days from ``first`` on with what is traded on each."""
    return [_day(calendar, first + timedelta(days=step)) for step in range(days)]


def _day(calendar: Calendar, day: date) -> PreviewDay:
    zone = ZoneInfo(calendar.time_zone)
    starts_ms, ends_ms = _day_start(day, zone), _day_start(day + timedelta(days=1), zone)
    parts = []
    for window in calendar.windows(starts_ms, ends_ms):
        opens_ms, closes_ms = max(window.opens_ms, starts_ms), min(window.closes_ms, ends_ms)
        closes = time_text(DAY_MINUTES) if closes_ms == ends_ms else f"{_moment(closes_ms).astimezone(zone):%H:%M}"
        parts.append(PreviewPart(opens_ms, closes_ms, f"{_moment(opens_ms).astimezone(zone):%H:%M}", closes))
    length_minutes = (ends_ms - starts_ms) // 60_000
    return PreviewDay(
        day,
        tuple(parts),
        is_holiday=day in calendar.holidays,
        clock_change_minutes=DAY_MINUTES - length_minutes,
        faults=tuple(faults(calendar, day, day)),
    )


def _day_start(day: date, zone: ZoneInfo) -> int:
    # Where midnight is skipped this is the instant at which the clocks jump over it.
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // timedelta(milliseconds=1)


def _moment(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)
