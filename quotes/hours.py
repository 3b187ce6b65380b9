"""Writes and reads of trading hours: what people save, and the windows of absolute time that placement reads.

An operator's act binds new orders only: an open order keeps the session that it was accepted in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Max

from kernel.errors import FieldError
from kernel.metrics import count
from quotes import hours_errors as errors
from quotes.calendar import (
    DAY_MINUTES,
    DAY_MS,
    Calendar,
    HolidayTerms,
    Session,
    Window,
    faults,
    local_day,
    overlaps,
    sessions_parsed,
    time_text,
    zone_known,
)
from quotes.exchange_holidays import exchange_holidays
from quotes.models import CalendarChange, Holiday, MarketCalendar, TradingSession, TradingWindow
from quotes.services import symbol_terms_changed

log = structlog.get_logger(__name__)

# Longer than any order lives, so that the end of what is known refuses nobody.
HORIZON_DAYS = 60
SHORT_DAYS = 7
FAULT_DAYS = 5 * 366
NAME_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Hours:
    """What people save of a calendar.

    :param exchange: code of the exchange whose holidays are fetched, or nothing
    """

    time_zone: str
    sessions: tuple[Session, ...]
    holidays: tuple[HolidayTerms, ...] = ()
    exchange: str = ""

    def __post_init__(self) -> None:
        """Bring sessions and holidays in their order: equal hours are equal however they were written."""
        object.__setattr__(self, "sessions", tuple(sorted(self.sessions)))
        object.__setattr__(self, "holidays", tuple(sorted(self.holidays, key=lambda holiday: holiday.day)))

    @property
    def calendar(self) -> Calendar:
        """Return the pure calendar of these terms."""
        return Calendar(self.time_zone, self.sessions, {holiday.day: holiday.hours for holiday in self.holidays})


def _weekly(*texts: str) -> tuple[Session, ...]:
    return tuple(session for text in texts for session in sessions_parsed(text))


# Hours as the exchanges publish them; Tokyo closes at 15:30 since 5 November 2024.
READY_MADE: dict[str, Hours] = {
    "New York stocks": Hours("America/New_York", _weekly("mon-fri 09:30-16:00"), exchange="XNYS"),
    "London stocks": Hours("Europe/London", _weekly("mon-fri 08:00-16:30"), exchange="XLON"),
    "Tokyo stocks": Hours("Asia/Tokyo", _weekly("mon-fri 09:00-11:30", "mon-fri 12:30-15:30"), exchange="XTKS"),
    "Foreign exchange": Hours("America/New_York", _weekly("sun-thu 17:00-17:00+1")),
}


def hours_of(calendar: MarketCalendar) -> Hours:
    """Return what is saved of a calendar."""
    sessions = calendar.sessions.order_by("weekday", "opens_minute")
    return Hours(
        calendar.time_zone,
        tuple(Session(row.weekday, row.opens_minute, row.closes_minute) for row in sessions),
        tuple(_holiday_terms(row) for row in calendar.holidays.order_by("day")),
        calendar.exchange,
    )


def _holiday_terms(row: Holiday) -> HolidayTerms:
    hours = None
    if row.opens_minute is not None and row.closes_minute is not None:
        hours = (row.opens_minute, row.closes_minute)
    return HolidayTerms(row.day, row.name, hours, row.imported)


def calendar_by_name(name: str) -> MarketCalendar:
    """Return a calendar.

    :raises Problem: ``calendar.unknown``
    """
    found = MarketCalendar.objects.filter(name=name).first()
    if found is None:
        raise errors.calendar_unknown(name)
    return found


def calendars_short(*, now_ms: int) -> list[str]:
    """Return the calendars whose windows are known for less than a week: when they end, their markets are closed."""
    short = MarketCalendar.objects.filter(windows_until_ms__lt=now_ms + SHORT_DAYS * DAY_MS)
    return list(short.values_list("name", flat=True))


def hours_problems(hours: Hours, *, now_ms: int) -> list[FieldError]:
    """Return why hours cannot be kept: unknown zones, overlaps, and local times that daylight saving makes unclear."""
    if not zone_known(hours.time_zone):
        return [FieldError("time_zone", "calendar.time_zone", f"There is no time zone {hours.time_zone!r}.")]
    found = [*_sessions_problems(hours.sessions), *_holidays_problems(hours.holidays)]
    if found:
        return found
    today = local_day(now_ms, hours.time_zone)
    until = today + timedelta(days=FAULT_DAYS)
    plain = faults(Calendar(hours.time_zone, hours.sessions), today, until)
    problems = [("sessions", text) for text in plain]
    problems += [("holidays", text) for text in faults(hours.calendar, today, until) if text not in plain]
    return [FieldError(name, "calendar.daylight_saving", f"{text}.") for name, text in problems]


def _sessions_problems(sessions: Sequence[Session]) -> list[FieldError]:
    if not sessions:
        detail = "Hours need a session; to stop trading, halt the symbols."
        return [FieldError("sessions", "calendar.sessions", detail)]
    for session in sessions:
        if not (
            0 <= session.weekday <= 6
            and 0 <= session.opens_minute < DAY_MINUTES
            and session.opens_minute < session.closes_minute <= 2 * DAY_MINUTES
        ):
            return [FieldError("sessions", "calendar.sessions", "A session lasts until the next day's end at most.")]
    found = [FieldError("sessions", "calendar.overlap", f"{text}.") for text in overlaps(sessions)]
    if len(set(sessions)) < len(sessions):
        found.append(FieldError("sessions", "calendar.overlap", "A session is there twice."))
    return found


def _holidays_problems(holidays: Sequence[HolidayTerms]) -> list[FieldError]:
    found = []
    for holiday in holidays:
        if holiday.hours is not None and not 0 <= holiday.hours[0] < holiday.hours[1] <= DAY_MINUTES:
            detail = f"Trading on {holiday.day} must end after it begins, at 24:00 at the latest."
            found.append(FieldError("holidays", "calendar.holidays", detail))
    days = [holiday.day for holiday in holidays]
    if len(set(days)) < len(days):
        found.append(FieldError("holidays", "calendar.holidays", "A day is there twice."))
    return found


@transaction.atomic
def calendar_add(*, name: str, hours: Hours, by_id: UUID | None, now_ms: int) -> MarketCalendar:
    """Add trading hours that symbols can share.

    :raises Problem: ``calendar.exists``, or ``calendar.hours_invalid`` with what is wrong
    """
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise errors.hours_invalid([FieldError("name", "calendar.name", "A name has 1 to 60 characters.")])
    _checked(hours, now_ms)
    calendar, added = MarketCalendar.objects.get_or_create(name=name, defaults={"time_zone": hours.time_zone})
    if not added:
        raise errors.calendar_exists(name)
    return _saved(calendar, hours, by_id, now_ms)


@transaction.atomic
def hours_set(*, calendar: MarketCalendar, hours: Hours, by_id: UUID | None, now_ms: int) -> MarketCalendar:
    """Change trading hours from now on; open orders keep theirs. The same hours again change nothing.

    :raises Problem: ``calendar.hours_invalid`` with what is wrong
    """
    _checked(hours, now_ms)
    locked = MarketCalendar.objects.select_for_update(no_key=True).get(pk=calendar.pk)
    if hours == hours_of(locked):
        return locked
    return _saved(locked, hours, by_id, now_ms)


def _checked(hours: Hours, now_ms: int) -> None:
    found = hours_problems(hours, now_ms=now_ms)
    if found:
        raise errors.hours_invalid(found)


def _saved(calendar: MarketCalendar, hours: Hours, by_id: UUID | None, now_ms: int) -> MarketCalendar:
    calendar.time_zone, calendar.exchange = hours.time_zone, hours.exchange
    calendar.save(update_fields=["time_zone", "exchange"])
    calendar.sessions.all().delete()
    TradingSession.objects.bulk_create(
        TradingSession(
            calendar=calendar,
            weekday=session.weekday,
            opens_minute=session.opens_minute,
            closes_minute=session.closes_minute,
        )
        for session in hours.sessions
    )
    calendar.holidays.all().delete()
    Holiday.objects.bulk_create(_holiday_row(calendar, holiday) for holiday in hours.holidays)
    CalendarChange.objects.create(
        calendar_name=calendar.name, at_ms=now_ms, by_id=by_id, terms=_recorded(hours, calendar)
    )
    _windows_write(calendar, hours, now_ms)
    for symbol in calendar.symbols.all():
        symbol_terms_changed(symbol)
    return calendar


def _holiday_row(calendar: MarketCalendar, holiday: HolidayTerms) -> Holiday:
    opens, closes = holiday.hours or (None, None)
    return Holiday(
        calendar=calendar,
        day=holiday.day,
        name=holiday.name,
        opens_minute=opens,
        closes_minute=closes,
        imported=holiday.imported,
    )


def _recorded(hours: Hours, calendar: MarketCalendar) -> dict[str, Any]:
    return {
        "time_zone": hours.time_zone,
        "exchange": hours.exchange,
        "sessions": [str(session) for session in hours.sessions],
        "holidays": [
            {
                "day": holiday.day.isoformat(),
                "name": holiday.name,
                "hours": None if holiday.hours is None else "-".join(time_text(minute) for minute in holiday.hours),
                "imported": holiday.imported,
            }
            for holiday in hours.holidays
        ],
        "symbols": list(calendar.symbols.order_by("code").values_list("code", flat=True)),
    }


def _windows_write(calendar: MarketCalendar, hours: Hours, now_ms: int) -> tuple[int, int]:
    """Bring the windows from now on in line with the hours; return how many were superseded and made.

    What has ended stays as it was. A window that is unchanged stays too.
    """
    horizon_ms = now_ms + HORIZON_DAYS * DAY_MS
    in_force = calendar.windows.filter(superseded_at_ms__isnull=True)
    ended_ms = in_force.filter(closes_ms__lte=now_ms).aggregate(last=Max("closes_ms"))["last"] or 0
    # A running window does not reach back into one that was held before it.
    wanted = {
        _identity(window.opens_ms, window.closes_ms, now_ms): Window(max(window.opens_ms, ended_ms), window.closes_ms)
        for window in hours.calendar.windows(now_ms, horizon_ms)
    }
    gone = []
    for row in in_force.filter(closes_ms__gt=now_ms):
        if wanted.pop(_identity(row.opens_ms, row.closes_ms, now_ms), None) is None:
            gone.append(row.pk)
    calendar.windows.filter(pk__in=gone).update(superseded_at_ms=now_ms)
    TradingWindow.objects.bulk_create(
        TradingWindow(calendar=calendar, opens_ms=window.opens_ms, closes_ms=window.closes_ms, made_at_ms=now_ms)
        for window in wanted.values()
    )
    calendar.windows_until_ms = horizon_ms
    calendar.save(update_fields=["windows_until_ms"])
    return len(gone), len(wanted)


def _identity(opens_ms: int, closes_ms: int, now_ms: int) -> tuple[int, int]:
    """Return what tells windows apart: when a running one began no longer matters."""
    return max(opens_ms, now_ms), closes_ms


def windows_extend(*, now_ms: int) -> str:
    """Keep the windows of all calendars known for two months ahead; the daily job.

    Changed time zone data take effect here: windows that moved are replaced, sessions whose edges became unclear are
    not held, and both are told.

    :return: what was done, for operators
    """
    for name in calendars_short(now_ms=now_ms):
        count("calendar_windows_short", calendar=name)
        log.warning("calendar_windows_short", calendar=name)
    made = replaced = 0
    for pk in MarketCalendar.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            calendar = MarketCalendar.objects.select_for_update(no_key=True).get(pk=pk)
            gone, new = _extended(calendar, now_ms)
            replaced, made = replaced + gone, made + new
    return f"{made} windows made, {replaced} replaced"


def _extended(calendar: MarketCalendar, now_ms: int) -> tuple[int, int]:
    hours = hours_of(calendar)
    if not zone_known(hours.time_zone):
        count("calendar_faults", calendar=calendar.name)
        log.error("calendar_time_zone_is_gone", calendar=calendar.name, time_zone=hours.time_zone)
        return 0, 0
    today = local_day(now_ms, hours.time_zone)
    for fault in faults(hours.calendar, today, today + timedelta(days=HORIZON_DAYS)):
        count("calendar_faults", calendar=calendar.name)
        log.error("session_is_not_held", calendar=calendar.name, fault=fault)
    gone, made = _windows_write(calendar, hours, now_ms)
    if gone:
        log.warning("windows_replaced", calendar=calendar.name, windows=gone)
        for symbol in calendar.symbols.all():
            symbol_terms_changed(symbol)
    return gone, made


def holidays_import(
    *, calendar: MarketCalendar, years: int, by_id: UUID | None, now_ms: int
) -> tuple[MarketCalendar, int]:
    """Fetch the holidays and half days of a calendar's exchange for some years from today on.

    What was imported before for these days is replaced; a day that somebody wrote wins over an imported one.

    :return: the calendar, and how many imported days lie ahead
    :raises Problem: ``calendar.exchange_unknown`` when the library does not know the exchange, its zone or the years
    """
    hours = hours_of(calendar)
    today = local_day(now_ms, hours.time_zone)
    until = today + timedelta(days=366 * years)
    fetched = exchange_holidays(exchange=hours.exchange, time_zone=hours.time_zone, from_day=today, to_day=until)
    kept = [holiday for holiday in hours.holidays if not (holiday.imported and today <= holiday.day <= until)]
    taken = {holiday.day for holiday in kept}
    new = [holiday for holiday in fetched if holiday.day not in taken]
    combined = Hours(hours.time_zone, hours.sessions, (*kept, *new), hours.exchange)
    return hours_set(calendar=calendar, hours=combined, by_id=by_id, now_ms=now_ms), len(new)
