"""Trading hours as they are kept: one change is one transaction, what was held stays on record (rules 1, F-26)."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, InternalError, transaction

from kernel.errors import Problem
from kernel.jobs import database_now_ms
from kernel.metrics import counted
from quotes import hours as hours_module
from quotes import services
from quotes.calendar import HolidayTerms, Session, sessions_parsed
from quotes.exchange_holidays import exchange_holidays
from quotes.hours import (
    HORIZON_DAYS,
    READY_MADE,
    Hours,
    calendar_add,
    calendar_by_name,
    calendars_short,
    holidays_import,
    hours_of,
    hours_problems,
    hours_set,
    windows_extend,
)
from quotes.models import CalendarChange, MarketCalendar, Symbol, TradingSession, TradingWindow
from quotes.services import NewSymbol, symbol_add
from quotes.tasks import quotes_windows_extend

pytestmark = pytest.mark.django_db

DAY_MS = 86_400_000
NEW_YORK = READY_MADE["New York stocks"]


def ms(text: str) -> int:
    """Return the instant of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


# A Friday in New York, 10:00, in the last week before its clocks change.
NOW = ms("2026-03-06T15:00")


def weekly(*texts: str) -> tuple[Session, ...]:
    return tuple(session for text in texts for session in sessions_parsed(text))


def added(hours: Hours = NEW_YORK, *, now_ms: int = NOW, name: str = "Desk") -> MarketCalendar:
    return calendar_add(name=name, hours=hours, by_id=None, now_ms=now_ms)


def in_force(calendar: MarketCalendar) -> list[tuple[int, int]]:
    """Return the windows in force by their order."""
    found = calendar.windows.filter(superseded_at_ms__isnull=True).order_by("opens_ms")
    return list(found.values_list("opens_ms", "closes_ms"))


def test_a_calendar_is_added_with_windows_for_two_months() -> None:
    by_id = uuid4()
    calendar = calendar_add(name="Desk", hours=NEW_YORK, by_id=by_id, now_ms=NOW)

    assert hours_of(calendar) == NEW_YORK
    windows = in_force(calendar)
    assert windows[:2] == [
        (ms("2026-03-06T14:30"), ms("2026-03-06T21:00")),
        (ms("2026-03-09T13:30"), ms("2026-03-09T20:00")),
    ]
    assert NOW + (HORIZON_DAYS - 4) * DAY_MS < windows[-1][0] < NOW + HORIZON_DAYS * DAY_MS
    assert calendar.windows_until_ms == NOW + HORIZON_DAYS * DAY_MS
    change = CalendarChange.objects.get(calendar_name="Desk")
    assert (change.at_ms, change.by_id) == (NOW, by_id)
    assert change.terms["sessions"][0] == "mon 09:30-16:00"


def test_a_name_is_taken_once() -> None:
    added()
    with pytest.raises(Problem, match=r"calendar\.exists"):
        added()


def test_new_hours_supersede_what_has_not_ended_and_keep_the_record() -> None:
    """Rules 1: a running window is replaced; one that has ended, and one that is the same, stay as they are."""
    calendar = added(now_ms=NOW - 2 * DAY_MS)
    before = in_force(calendar)
    half_day = HolidayTerms(date(2026, 3, 6), "Half day", (570, 780))

    hours_set(
        calendar=calendar,
        hours=Hours(NEW_YORK.time_zone, NEW_YORK.sessions, (half_day,)),
        by_id=None,
        now_ms=NOW,
    )

    (superseded,) = calendar.windows.filter(superseded_at_ms__isnull=False)
    assert (superseded.opens_ms, superseded.closes_ms) == (ms("2026-03-06T14:30"), ms("2026-03-06T21:00"))
    assert (superseded.made_at_ms, superseded.superseded_at_ms) == (NOW - 2 * DAY_MS, NOW)
    windows = in_force(calendar)
    assert (ms("2026-03-06T14:30"), ms("2026-03-06T18:00")) in windows
    assert windows[:2] == before[:2]
    assert set(before[3:]) < set(windows)
    assert CalendarChange.objects.filter(calendar_name="Desk").count() == 2


def test_a_running_window_does_not_reach_into_one_that_has_ended() -> None:
    """I-21: the table's exclusion holds however hours are changed within a day."""
    calendar = added(Hours("UTC", weekly("fri 08:00-10:00", "fri 12:00-14:00")), now_ms=ms("2026-03-06T09:00"))

    hours_set(
        calendar=calendar, hours=Hours("UTC", weekly("fri 08:00-18:00")), by_id=None, now_ms=ms("2026-03-06T11:00")
    )

    assert in_force(calendar)[:2] == [
        (ms("2026-03-06T08:00"), ms("2026-03-06T10:00")),
        (ms("2026-03-06T10:00"), ms("2026-03-06T18:00")),
    ]


def test_hours_that_end_now_leave_nothing_running() -> None:
    calendar = added()
    hours_set(calendar=calendar, hours=Hours("UTC", weekly("sat 10:00-11:00")), by_id=None, now_ms=NOW)
    assert in_force(calendar)[0] == (ms("2026-03-07T10:00"), ms("2026-03-07T11:00"))


def test_the_same_hours_again_change_nothing() -> None:
    calendar = added()
    before = list(TradingWindow.objects.order_by("pk").values())
    reordered = Hours(NEW_YORK.time_zone, NEW_YORK.sessions[::-1], exchange="XNYS")

    hours_set(calendar=calendar, hours=reordered, by_id=None, now_ms=NOW + 1)

    assert list(TradingWindow.objects.order_by("pk").values()) == before
    assert CalendarChange.objects.count() == 1


@pytest.mark.parametrize(
    ("hours", "code", "message"),
    [
        (Hours("Nowhere/Here", weekly("mon 09:00-10:00")), "calendar.time_zone", "There is no time zone"),
        (Hours("", weekly("mon 09:00-10:00")), "calendar.time_zone", "There is no time zone"),
        (Hours("UTC", ()), "calendar.sessions", "Hours need a session"),
        (Hours("UTC", (Session(0, 600, 500),)), "calendar.sessions", "A session lasts"),
        (Hours("UTC", (Session(0, 600, 2_881),)), "calendar.sessions", "A session lasts"),
        (Hours("UTC", (Session(7, 600, 700),)), "calendar.sessions", "A session lasts"),
        (Hours("UTC", weekly("mon 09:00-10:00") * 2), "calendar.overlap", "there twice"),
        (Hours("UTC", weekly("sun 22:00-06:00", "mon 05:00-07:00")), "calendar.overlap", "sun 22:00-06:00+1 overlaps"),
        (
            Hours("UTC", weekly("mon 09:00-10:00"), (HolidayTerms(date(2026, 3, 9), "x", (600, 600)),)),
            "calendar.holidays",
            "must end after",
        ),
        (
            Hours("UTC", weekly("mon 09:00-10:00"), (HolidayTerms(date(2026, 3, 9), "x"),) * 2),
            "calendar.holidays",
            "there twice",
        ),
        (
            Hours("America/New_York", weekly("sun 02:30-03:30")),
            "calendar.daylight_saving",
            "02:30 on 2026-03-08 does not exist in America/New_York",
        ),
        # The clocks change in a year's time: the next five years are looked through.
        (
            Hours("Europe/London", weekly("sun 01:30-03:30")),
            "calendar.daylight_saving",
            "01:30 on 2030-03-31 does not exist in Europe/London",
        ),
    ],
)
def test_hours_that_cannot_be_kept_are_refused_and_change_nothing(hours: Hours, code: str, message: str) -> None:
    """Rules 1, F-26: an operator's mistake is refused, with every fault named."""
    calendar = added()
    before = list(TradingWindow.objects.order_by("pk").values())

    with pytest.raises(Problem) as refused:
        hours_set(calendar=calendar, hours=hours, by_id=None, now_ms=NOW)

    assert refused.value.code == "calendar.hours_invalid"
    assert [error for error in refused.value.errors if error.code == code and message in error.message]
    assert hours_of(calendar) == NEW_YORK
    assert list(TradingWindow.objects.order_by("pk").values()) == before


def test_a_change_tells_the_sockets_of_each_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    calendar = added()
    for code in ("AAA", "BBB"):
        symbol_add(NewSymbol(code=code, feed="script", source=code, calendar="Desk"))
    symbol_add(NewSymbol(code="CCC", feed="script", source="CCC"))
    told: list[str] = []
    monkeypatch.setattr(services, "symbol_event_publish", lambda **event: told.append(event["payload"].code))

    hours_set(calendar=calendar, hours=Hours("UTC", weekly("sat 10:00-11:00")), by_id=None, now_ms=NOW)

    assert sorted(told) == ["AAA", "BBB"]


def test_windows_are_extended_and_an_extension_changes_nothing_else() -> None:
    """Each day adds a day; whatever the moment, the windows are the same."""
    calendar = added()
    before = in_force(calendar)
    for day in range(1, 15):
        windows_extend(now_ms=NOW + day * DAY_MS)

    assert in_force(calendar)[: len(before)] == before
    assert not calendar.windows.filter(superseded_at_ms__isnull=False).exists()
    other = added(name="Other", now_ms=NOW + 14 * DAY_MS)
    assert in_force(calendar)[-len(in_force(other)) :] == in_force(other)
    calendar.refresh_from_db()
    assert calendar.windows_until_ms == NOW + (14 + HORIZON_DAYS) * DAY_MS


def test_hours_round_the_clock_are_one_window_that_grows() -> None:
    """An order for a month finds its expiry inside the session, on every day."""
    calendar = added(Hours("America/Santiago", weekly("mon-sun 00:00-24:00")))
    windows_extend(now_ms=NOW + DAY_MS)

    ((opens_ms, closes_ms),) = in_force(calendar)
    assert opens_ms <= NOW
    assert closes_ms > NOW + (HORIZON_DAYS + 31) * DAY_MS


def test_windows_that_ran_out_close_the_market_and_come_back() -> None:
    """A scheduler that was away for months leaves no hole and no overlap behind."""
    calendar = added()
    symbol = symbol_add(NewSymbol(code="AAA", feed="script", source="aaa", calendar="Desk"))
    later = NOW + 100 * DAY_MS
    assert calendars_short(now_ms=later) == ["Desk"]

    windows_extend(now_ms=later)

    assert calendars_short(now_ms=later) == []
    assert in_force(calendar)[-1][0] > later + (HORIZON_DAYS - 5) * DAY_MS
    assert Symbol.objects.get(pk=symbol.pk).calendar_id == calendar.pk
    assert counted("calendar_windows_short", calendar="Desk") >= 1


def test_a_session_that_became_unclear_is_not_held_and_is_told() -> None:
    """Changed time zone data: never guessed; the day is closed, logged as an error and counted."""
    calendar = added(Hours("America/New_York", weekly("sun 03:30-12:00")))
    TradingSession.objects.filter(calendar=calendar).update(opens_minute=150)

    with structlog.testing.capture_logs() as lines:
        windows_extend(now_ms=NOW)

    assert counted("calendar_faults", calendar="Desk") >= 1
    (told_of,) = [line for line in lines if line["log_level"] == "error"]
    assert (told_of["event"], told_of["calendar"]) == ("session_is_not_held", "Desk")
    assert told_of["fault"] == "02:30 on 2026-03-08 does not exist in America/New_York"
    assert in_force(calendar)[0] == (ms("2026-03-15T06:30"), ms("2026-03-15T16:00"))


def test_a_time_zone_that_is_gone_stops_no_other_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The windows that are known stay; the fault is counted each day."""
    gone, other = added(name="A gone one"), added(name="B other")
    MarketCalendar.objects.filter(pk=gone.pk).update(time_zone="Nowhere/Here")

    windows_extend(now_ms=NOW + 10 * DAY_MS)

    assert counted("calendar_faults", calendar="A gone one") >= 1
    assert len(in_force(other)) > len(in_force(gone)) > 0


@pytest.mark.django_db(transaction=True)
def test_the_daily_job_does_its_work_once_a_day() -> None:
    """F-04: however often it is asked for."""
    calendar = added(now_ms=database_now_ms() - 30 * DAY_MS)
    known = len(in_force(calendar))

    quotes_windows_extend()
    extended = len(in_force(calendar))
    MarketCalendar.objects.update(windows_until_ms=0)
    quotes_windows_extend()

    assert extended > known
    assert MarketCalendar.objects.get().windows_until_ms == 0


def test_the_table_refuses_overlaps_and_edits_by_itself() -> None:
    """I-21: exclusion constraint and frozen windows hold against any code."""
    calendar = added()
    opens_ms, closes_ms = in_force(calendar)[0]
    with pytest.raises(IntegrityError, match="quotes_window_no_overlap"), transaction.atomic():
        TradingWindow.objects.create(calendar=calendar, opens_ms=closes_ms - 1, closes_ms=closes_ms + 1, made_at_ms=NOW)
    with pytest.raises((InternalError, IntegrityError), match="superseded, never edited"), transaction.atomic():
        calendar.windows.filter(opens_ms=opens_ms).update(closes_ms=closes_ms + 1)
    TradingWindow.objects.create(
        calendar=calendar, opens_ms=opens_ms, closes_ms=closes_ms, made_at_ms=NOW, superseded_at_ms=NOW
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_holidays_of_the_exchanges() -> None:
    """Rules 1: holidays and half days from a kept library."""
    year = {"from_day": date(2026, 1, 1), "to_day": date(2026, 12, 31)}
    new_york = {day.day: day for day in exchange_holidays(exchange="XNYS", time_zone="America/New_York", **year)}
    london = {day.day: day for day in exchange_holidays(exchange="XLON", time_zone="Europe/London", **year)}
    tokyo = {day.day: day for day in exchange_holidays(exchange="XTKS", time_zone="Asia/Tokyo", **year)}

    assert new_york[date(2026, 11, 26)] == HolidayTerms(date(2026, 11, 26), "Thanksgiving", imported=True)
    assert new_york[date(2026, 11, 27)] == HolidayTerms(date(2026, 11, 27), "Half day", (570, 780), imported=True)
    assert date(2026, 7, 3) in new_york
    assert (len(new_york), len(london), len(tokyo)) == (12, 10, 19)
    assert london[date(2026, 12, 24)].hours == (480, 750)
    assert tokyo[date(2026, 12, 31)].hours is None
    assert not [day for day in (*new_york, *london, *tokyo) if day.weekday() >= 5]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_import_replaces_imports_and_leaves_what_people_wrote() -> None:
    written = HolidayTerms(date(2026, 12, 25), "Closed by us", (570, 600))
    stale = HolidayTerms(date(2026, 6, 1), "Gone", imported=True)
    past = HolidayTerms(date(2026, 1, 1), "New Year's Day", imported=True)
    calendar = added(Hours(NEW_YORK.time_zone, NEW_YORK.sessions, (written, stale, past), "XNYS"))

    _, days = holidays_import(calendar=calendar, years=1, by_id=None, now_ms=NOW)

    holidays = {holiday.day: holiday for holiday in hours_of(calendar).holidays}
    assert holidays[date(2026, 12, 25)] == written
    assert holidays[date(2026, 1, 1)] == past
    assert date(2026, 6, 1) not in holidays
    assert holidays[date(2026, 11, 27)].hours == (570, 780)
    assert days == sum(holiday.imported for holiday in holidays.values()) - 1
    assert (ms("2026-04-03T13:30"), ms("2026-04-03T20:00")) not in in_force(calendar)
    changes = CalendarChange.objects.count()
    holidays_import(calendar=calendar, years=1, by_id=None, now_ms=NOW)
    assert CalendarChange.objects.count() == changes


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("exchange", "zone", "message"),
    [
        ("XXXX", "America/New_York", "knows no 'XXXX'"),
        ("", "America/New_York", "knows no ''"),
        ("XTKS", "America/New_York", "XTKS is kept in Asia/Tokyo"),
    ],
)
def test_an_exchange_that_is_not_known_is_refused(exchange: str, zone: str, message: str) -> None:
    calendar = added(Hours(zone, weekly("mon 09:30-16:00"), exchange=exchange))
    with pytest.raises(Problem) as refused:
        holidays_import(calendar=calendar, years=1, by_id=None, now_ms=NOW)
    assert refused.value.code == "calendar.exchange_unknown"
    assert message in refused.value.detail


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_years_that_are_not_known_are_refused() -> None:
    with pytest.raises(Problem, match=r"calendar\.exchange_unknown"):
        exchange_holidays(exchange="XKRX", time_zone="Asia/Seoul", from_day=date(2050, 1, 1), to_day=date(2060, 1, 1))


def told(*arguments: str) -> str:
    """Run a command and return what it prints."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_hours_are_kept_by_commands() -> None:
    """Contract, Commands: a script can make a market open and closed from outside."""
    told(
        "add_calendar", "Desk", "--time-zone", "UTC", "--session", "mon-tue 09:00-10:00", "--holiday", "2027-01-04 Off"
    )
    told(
        "add_calendar", "Desk", "--time-zone", "UTC", "--session", "mon-tue 09:00-10:00", "--holiday", "2027-01-04 Off"
    )
    told("add_symbol", "AAA", "--feed", "script", "--source", "aaa", "--calendar", "Desk")
    told("add_symbol", "AAA", "--feed", "script", "--source", "aaa", "--calendar", "Desk")
    calendar = calendar_by_name("Desk")

    assert Symbol.objects.get(code="AAA").calendar == calendar
    assert hours_of(calendar) == Hours("UTC", weekly("mon-tue 09:00-10:00"), (HolidayTerms(date(2027, 1, 4), "Off"),))
    assert "wed 22:00-06:00+1" in told("set_hours", "Desk", "--session", "wed 22:00-06:00")
    assert hours_of(calendar).holidays == (HolidayTerms(date(2027, 1, 4), "Off"),)
    told("set_hours", "Desk", "--holiday", "2027-01-06 09:30-13:00 Half", "--exchange", "XNYS")
    assert hours_of(calendar).holidays == (HolidayTerms(date(2027, 1, 6), "Half", (570, 780)),)
    told("set_hours", "Desk", "--no-holidays", "--time-zone", "Asia/Tokyo")
    assert hours_of(calendar_by_name("Desk")) == Hours("Asia/Tokyo", weekly("wed 22:00-06:00"), (), "XNYS")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ready_made_hours_and_their_holidays_by_commands() -> None:
    for name, hours in READY_MADE.items():
        told("add_calendar", name)
        assert hours_of(calendar_by_name(name)) == hours
        assert hours_problems(hours, now_ms=NOW) == []
    assert "holidays and half days lie ahead" in told("import_holidays", "Tokyo stocks", "--years", "1")
    assert hours_of(calendar_by_name("Tokyo stocks")).holidays


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add_calendar", "Desk"), "give --time-zone"),
        (("add_calendar", "", "--time-zone", "UTC", "--session", "mon 09:00-10:00"), "1 to 60 characters"),
        (("add_calendar", "Desk", "--time-zone", "UTC", "--session", "noon"), "is no session"),
        (("add_calendar", "Desk", "--time-zone", "Mars", "--session", "mon 09:00-10:00"), "no time zone 'Mars'"),
        (("add_calendar", "Kept", "--time-zone", "UTC", "--session", "mon 09:00-10:00"), "There is a calendar"),
        (("set_hours", "Kept", "--holiday", "tomorrow"), "--holiday: write"),
        (("set_hours", "Kept", "--holiday", "2026-02-30 x"), "--holiday: "),
        (("set_hours", "Kept", "--session", "sun 02:30-04:00"), "02:30 on .* does not exist"),
        (("set_hours", "Nobody"), "There is no calendar"),
        (("import_holidays", "Nobody"), "There is no calendar"),
        (("import_holidays", "Kept", "--years", "6"), "--years must be 1 to 5"),
        (("add_symbol", "AAA", "--feed", "script", "--source", "aaa", "--calendar", "Nobody"), "There is no calendar"),
    ],
)
def test_commands_tell_what_is_wrong_and_change_nothing(arguments: tuple[str, ...], message: str) -> None:
    kept = added(name="Kept")
    with pytest.raises(CommandError, match=message):
        told(*arguments)
    assert hours_of(kept) == NEW_YORK
    assert MarketCalendar.objects.count() == 1
    assert not Symbol.objects.exists()


def test_no_process_loads_pandas_before_holidays_are_fetched() -> None:
    """ADR 0021: the library of exchanges costs the runtimes no memory."""
    script = "import django, sys; django.setup(); import quotes.tasks, quotes.admin; sys.exit('pandas' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_a_change_records_the_whole_terms() -> None:
    holidays = (
        HolidayTerms(date(2026, 12, 24), "Eve", (570, 780), imported=True),
        HolidayTerms(date(2026, 12, 25), "C"),
    )
    added(Hours("America/New_York", weekly("fri 22:00-06:00"), holidays, "XNYS"))

    terms: dict[str, Any] = CalendarChange.objects.get().terms

    assert json.loads(json.dumps(terms)) == {
        "time_zone": "America/New_York",
        "exchange": "XNYS",
        "sessions": ["fri 22:00-06:00+1"],
        "holidays": [
            {"day": "2026-12-24", "name": "Eve", "hours": "09:30-13:00", "imported": True},
            {"day": "2026-12-25", "name": "C", "hours": None, "imported": False},
        ],
        "symbols": [],
    }
    assert hours_module.HORIZON_DAYS * DAY_MS > 31 * DAY_MS
