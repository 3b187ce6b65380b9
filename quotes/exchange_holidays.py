"""Holidays and half days of stock exchanges, from the library exchange_calendars."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from quotes import hours_errors as errors
from quotes.calendar import HolidayTerms

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

NAME_CHARS_MAX = 100


def exchange_holidays(*, exchange: str, time_zone: str, from_day: date, to_day: date) -> list[HolidayTerms]:
    """Return the days on which an exchange does not trade as it usually does, in their order, both ends inclusive.

    :param exchange: its market identifier code, such as XNYS
    :raises Problem: ``calendar.exchange_unknown`` when the library does not know the exchange or the years, or keeps
        the exchange in another time zone
    """
    calendar = _calendar(exchange, from_day, to_day)
    if calendar.tz.key != time_zone:
        raise errors.exchange_unknown(f"{exchange} is kept in {calendar.tz.key}, this calendar in {time_zone}.")
    return sorted(
        [*_closed_days(calendar, from_day, to_day), *_half_days(calendar, from_day, to_day)],
        key=lambda holiday: holiday.day,
    )


def _calendar(exchange: str, from_day: date, to_day: date) -> ExchangeCalendar:
    # The library brings pandas along, which nothing else here needs: it is loaded when holidays are fetched.
    import exchange_calendars
    from exchange_calendars.errors import CalendarError

    try:
        return exchange_calendars.get_calendar(exchange, start=from_day.isoformat(), end=to_day.isoformat())
    except CalendarError:
        raise errors.exchange_unknown(f"The library of exchanges knows no {exchange!r}.") from None
    except ValueError as error:
        raise errors.exchange_unknown(
            f"The holidays of {exchange} are not known for all of these years: {error}"
        ) from None


def _closed_days(calendar: ExchangeCalendar, from_day: date, to_day: date) -> list[HolidayTerms]:
    """Return the days of the exchange's week without trading."""
    names = _names(calendar, from_day, to_day)
    held = set(calendar.sessions.date)
    return [
        HolidayTerms(day, names.get(day, "Holiday"), imported=True)
        for day in (from_day + timedelta(days=step) for step in range((to_day - from_day).days + 1))
        if calendar.weekmask[day.weekday()] == "1" and day not in held
    ]


def _half_days(calendar: ExchangeCalendar, from_day: date, to_day: date) -> list[HolidayTerms]:
    found = []
    for day in calendar.early_closes.union(calendar.late_opens).date:
        if from_day <= day <= to_day:
            row = calendar.schedule.loc[day.isoformat()]
            hours = (_local_minute(row["open"], calendar.tz), _local_minute(row["close"], calendar.tz))
            found.append(HolidayTerms(day, "Half day", hours, imported=True))
    return found


def _local_minute(instant: Any, zone: ZoneInfo) -> int:
    local = instant.tz_convert(zone)
    return int(local.hour) * 60 + int(local.minute)


def _names(calendar: ExchangeCalendar, from_day: date, to_day: date) -> dict[date, str]:
    if calendar.regular_holidays is None:
        return {}
    named = calendar.regular_holidays.holidays(from_day.isoformat(), to_day.isoformat(), return_name=True)
    return {day.date(): str(name)[:NAME_CHARS_MAX] for day, name in named.items()}
