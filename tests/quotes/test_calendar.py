"""Trading hours as a pure rule (rules 1, F-13): windows against an oracle that asks every minute, and the traps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quotes.calendar import (
    Calendar,
    Session,
    Span,
    Window,
    faults,
    overlaps,
    session_made,
    sessions_parsed,
    time_parsed,
    time_text,
)
from quotes.hours import READY_MADE
from tests.quotes.oracle import open_minutes, windows_of

NEW_YORK, LONDON, TOKYO = "America/New_York", "Europe/London", "Asia/Tokyo"
FIRST, LAST = date(2026, 1, 1), date(2029, 1, 1)


def ms(text: str) -> int:
    """Return the instant of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def weekly(*texts: str) -> tuple[Session, ...]:
    return tuple(session for text in texts for session in sessions_parsed(text))


def shown(calendar: Calendar, first: str, last: str) -> list[str]:
    """Return windows as UTC texts."""
    return [
        f"{datetime.fromtimestamp(window.opens_ms / 1000, UTC):%m-%d %H:%M} "
        f"{datetime.fromtimestamp(window.closes_ms / 1000, UTC):%m-%d %H:%M}"
        for window in calendar.windows(ms(first), ms(last))
    ]


# Real holidays and half days, and such as cut a session at its edges, inside and altogether.
HOLIDAYS: dict[date, Span | None] = {
    date(2026, 1, 1): None,
    date(2026, 11, 26): None,
    date(2026, 11, 27): (570, 780),
    date(2026, 12, 24): (480, 750),
    date(2026, 12, 25): None,
    date(2027, 3, 15): (600, 1_440),
    date(2027, 7, 5): (0, 540),
    date(2028, 2, 29): None,
    date(2028, 6, 5): (690, 750),
}


@pytest.mark.parametrize(
    ("zone", "sessions"),
    [
        (NEW_YORK, weekly("mon-fri 09:30-16:00")),
        (NEW_YORK, weekly("sun-thu 17:00-17:00+1")),
        (NEW_YORK, weekly("sun 22:00-06:00", "mon 22:00-06:00", "sat 00:00-24:00")),
        (LONDON, weekly("mon-fri 08:00-16:30")),
        (LONDON, weekly("sun-thu 23:00-22:00+1")),
        (TOKYO, weekly("mon-fri 09:00-11:30", "mon-fri 12:30-15:30")),
    ],
    ids=["New York", "New York, crossing", "New York, nights", "London", "London, crossing", "Tokyo"],
)
def test_every_minute_of_three_years(zone: str, sessions: tuple[Session, ...]) -> None:
    """F-13: over every minute of 2026 to 2028, windows wrong = 0."""
    calendar = Calendar(zone, sessions, HOLIDAYS)
    assert faults(calendar, FIRST, LAST) == []
    # A window that reaches over the edge of the three years is cut there, as the oracle sees it.
    expected = list(windows_of(open_minutes(calendar, FIRST, LAST), FIRST))

    from_ms, to_ms = ms("2026-01-01"), ms("2029-01-01")
    found = [
        Window(max(window.opens_ms, from_ms), min(window.closes_ms, to_ms))
        for window in calendar.windows(from_ms, to_ms)
    ]

    assert found == expected
    assert len(found) > 100


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Return weekly hours that do not overlap, in zones with all kinds of daylight saving, with holidays."""
    zone = draw(
        st.sampled_from([NEW_YORK, LONDON, TOKYO, "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "UTC"])
    )
    edges = sorted(draw(st.sets(st.integers(0, 7 * 96 - 1), min_size=2, max_size=14)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    sessions = []
    for opens, closes in pairs:
        weekday, minute = divmod(opens * 15, 1_440)
        sessions.append(Session(weekday, minute, min(minute + (closes - opens) * 15, 2_880)))
    days = st.dates(date(2026, 3, 1), date(2026, 4, 10))
    spans = st.tuples(st.integers(0, 1_439), st.integers(1, 1_440)).filter(lambda span: span[0] < span[1])
    return Calendar(zone, tuple(sessions), draw(st.dictionaries(days, st.none() | spans, max_size=6)))


@settings(max_examples=60)
@example(Calendar("America/Santiago", weekly("mon-sun 00:00-24:00")))
@example(Calendar(NEW_YORK, weekly("sat 12:00-24:00", "sun 00:00-12:00"), {date(2026, 3, 8): (180, 600)}))
@given(calendars())
def test_any_weekly_hours_agree_with_the_oracle(calendar: Calendar) -> None:
    """Rules 1: a minute is open if its local time lies in a session and no holiday takes it away."""
    first, last = date(2026, 3, 1), date(2026, 4, 12)
    assume(overlaps(calendar.sessions) == [])
    assume(faults(calendar, first - timedelta(days=3), last + timedelta(days=3)) == [])
    expected = list(windows_of(open_minutes(calendar, first, last), first))

    from_ms, to_ms = ms("2026-03-01"), ms("2026-04-12")
    found = [
        Window(max(window.opens_ms, from_ms), min(window.closes_ms, to_ms))
        for window in calendar.windows(from_ms, to_ms)
    ]

    assert found == expected


@settings(max_examples=60)
@given(calendars(), st.integers(0, 30 * 1_440), st.integers(1, 10 * 1_440))
def test_windows_do_not_depend_on_when_they_are_made(calendar: Calendar, start: int, length: int) -> None:
    """A part of time asked for by itself gives the very windows that the whole gives."""
    assume(overlaps(calendar.sessions) == [])
    from_ms = ms("2026-03-01") + start * 60_000
    to_ms = from_ms + length * 60_000
    whole = calendar.windows(ms("2026-02-20"), ms("2026-05-01"))

    part = calendar.windows(from_ms, to_ms)

    assert part == [window for window in whole if window.closes_ms > from_ms and window.opens_ms < to_ms]
    assert all(one.closes_ms < other.opens_ms for one, other in pairwise(whole))


@pytest.mark.parametrize(
    ("name", "first", "expected"),
    [
        ("New York stocks", "2026-03-06", ["03-06 14:30 03-06 21:00", "03-09 13:30 03-09 20:00"]),
        ("New York stocks", "2026-10-30", ["10-30 13:30 10-30 20:00", "11-02 14:30 11-02 21:00"]),
        ("London stocks", "2026-03-27", ["03-27 08:00 03-27 16:30", "03-30 07:00 03-30 15:30"]),
        ("London stocks", "2026-10-23", ["10-23 07:00 10-23 15:30", "10-26 08:00 10-26 16:30"]),
        ("Tokyo stocks", "2026-03-08", ["03-09 00:00 03-09 02:30", "03-09 03:30 03-09 06:30"]),
        ("Foreign exchange", "2026-03-07", ["03-08 21:00 03-13 21:00"]),
        ("Foreign exchange", "2026-10-31", ["11-01 22:00 11-06 22:00"]),
        # The week in which the clocks change in its middle is in the next test.
    ],
)
def test_daylight_saving_moves_windows_in_utc(name: str, first: str, expected: list[str]) -> None:
    """F-13: New York 2026-03-08 and 11-01, London 2026-03-29 and 10-25."""
    last = (datetime.fromisoformat(first) + timedelta(days=4)).date().isoformat()
    assert shown(READY_MADE[name].calendar, first, last)[: len(expected)] == expected


def test_a_session_over_a_change_of_clocks_is_shorter_or_longer() -> None:
    """A night from Saturday 22:00 to Sunday 06:00 has seven hours in March and nine in November."""
    nights = Calendar(NEW_YORK, weekly("sat 22:00-06:00"))
    assert shown(nights, "2026-03-08", "2026-03-09") == ["03-08 03:00 03-08 10:00"]
    assert shown(nights, "2026-11-01", "2026-11-02") == ["11-01 02:00 11-01 11:00"]


@pytest.mark.parametrize(
    ("zone", "sessions", "holidays", "expected"),
    [
        (NEW_YORK, ["sun 02:30-05:00"], {}, "02:30 on 2026-03-08 does not exist in America/New_York"),
        (NEW_YORK, ["sun 00:30-02:00"], {}, "02:00 on 2026-03-08 does not exist in America/New_York"),
        (NEW_YORK, ["sun 01:30-05:00"], {}, "01:30 on 2026-11-01 exists twice in America/New_York"),
        (NEW_YORK, ["sat 22:00-01:00"], {}, "01:00 on 2026-11-01 exists twice in America/New_York"),
        (LONDON, ["sun 01:00-05:00"], {}, "01:00 on 2026-03-29 does not exist in Europe/London"),
        (LONDON, ["sun 00:00-01:30"], {}, "01:30 on 2026-10-25 exists twice in Europe/London"),
        # A holiday cuts the night at Santiago's midnight, at which its clocks go forward.
        (
            "America/Santiago",
            ["sat 22:00-06:00"],
            {date(2026, 9, 5): None},
            "00:00 on 2026-09-06 does not exist in America/Santiago",
        ),
        # A half day's own edge.
        (
            NEW_YORK,
            ["sun 00:00-12:00"],
            {date(2026, 3, 8): (150, 600)},
            "02:30 on 2026-03-08 does not exist in America/New_York",
        ),
    ],
)
def test_a_local_edge_that_nobody_can_tell_is_a_fault(
    zone: str, sessions: list[str], holidays: dict[date, Span | None], expected: str
) -> None:
    """Rules 1, reliability 6h: edges that do not exist or exist twice are found, never guessed; that day is closed."""
    calendar = Calendar(zone, weekly(*sessions), holidays)
    day = date.fromisoformat(expected[9:19])

    assert expected in faults(calendar, date(2026, 1, 1), date(2026, 12, 31))
    assert faults(calendar, day, day) == [expected]
    # It is not held; a week later, with clear edges, it is.
    midnight = ms(f"{day}T12:00")
    assert calendar.windows(midnight - 20 * 3_600_000, midnight + 6 * 3_600_000) == []
    assert len(calendar.windows(midnight + 6 * 86_400_000, midnight + 8 * 86_400_000)) == 1


def test_an_hour_that_is_skipped_or_repeated_inside_a_session_is_no_fault() -> None:
    calendar = Calendar(NEW_YORK, weekly("sun 01:00-04:00"), {date(2026, 11, 1): (0, 1_440)})
    assert faults(calendar, date(2026, 3, 1), date(2026, 3, 31)) == []
    assert shown(calendar, "2026-03-08", "2026-03-09") == ["03-08 06:00 03-08 08:00"]


def test_sessions_that_touch_have_no_edge_between_them() -> None:
    """Santiago's clocks go forward at midnight: hours round the clock do not stumble over it."""
    calendar = Calendar("America/Santiago", weekly("mon-sun 00:00-24:00"))
    assert faults(calendar, date(2026, 1, 1), date(2030, 12, 31)) == []
    (only,) = calendar.windows(ms("2026-09-05"), ms("2026-09-08"))
    assert only.closes_ms > ms("2026-10-31")


@pytest.mark.parametrize(
    ("holiday", "expected"),
    [
        ({}, ["01-04 22:00 01-09 22:00"]),
        # The whole of Tuesday is taken out of a week that trades through.
        ({date(2026, 1, 6): None}, ["01-04 22:00 01-06 05:00", "01-07 05:00 01-09 22:00"]),
        # The evening before belongs to its own day; it ends at local midnight.
        ({date(2026, 1, 5): None}, ["01-04 22:00 01-05 05:00", "01-06 05:00 01-09 22:00"]),
        # A holiday on which a session starts: the rest of it begins at the next local midnight.
        ({date(2026, 1, 4): None}, ["01-05 05:00 01-09 22:00"]),
        # Half days cut only what lies on their own date.
        ({date(2026, 1, 6): (0, 780)}, ["01-04 22:00 01-06 18:00", "01-07 05:00 01-09 22:00"]),
        ({date(2026, 1, 9): (540, 600)}, ["01-04 22:00 01-09 05:00", "01-09 14:00 01-09 15:00"]),
        # A holiday on a day without trading changes nothing, and neither does a half day of 24 hours.
        ({date(2026, 1, 3): None, date(2026, 1, 7): (0, 1_440)}, ["01-04 22:00 01-09 22:00"]),
    ],
)
def test_holidays_cut_sessions_that_cross_midnight_by_local_date(
    holiday: dict[date, Span | None], expected: list[str]
) -> None:
    """Rules 1: holidays and half days override; a session that crosses midnight is cut there."""
    calendar = Calendar(NEW_YORK, READY_MADE["Foreign exchange"].sessions, holiday)
    assert shown(calendar, "2026-01-04", "2026-01-10") == expected


@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        (["mon 09:00-12:00", "mon 12:00-16:00"], []),
        (["mon 09:00-12:01", "mon 12:00-16:00"], ["mon 09:00-12:01 overlaps mon 12:00-16:00"]),
        (["mon 22:00-06:00", "tue 05:59-08:00"], ["mon 22:00-06:00+1 overlaps tue 05:59-08:00"]),
        (["sun 22:00-06:00", "mon 06:00-08:00"], []),
        (["sun 22:00-06:00", "mon 05:00-08:00"], ["sun 22:00-06:00+1 overlaps mon 05:00-08:00"]),
        (["sat 12:00-24:00+1", "mon 00:00-08:00"], []),
        (["sun 12:00-24:00+1", "tue 00:00-08:00", "mon 23:00-23:30"], ["sun 12:00-24:00+1 overlaps mon 23:00-23:30"]),
    ],
)
def test_overlaps_are_found_across_the_end_of_the_week(sessions: list[str], expected: list[str]) -> None:
    """Rules 1, F-26: sessions never overlap; both are named."""
    assert overlaps(weekly(*sessions)) == expected


@pytest.mark.parametrize(
    ("text", "minute", "again"),
    [
        ("09:30", 570, "09:30"),
        ("9:30", 570, "09:30"),
        ("00:00", 0, "00:00"),
        ("24:00", 1_440, "24:00"),
        (" 06:00 +1", 1_800, "06:00+1"),
        ("24:00+1", 2_880, "24:00+1"),
    ],
)
def test_times_as_people_write_them(text: str, minute: int, again: str) -> None:
    assert time_parsed(text) == minute
    assert time_text(minute) == again


@pytest.mark.parametrize("text", ["", "9", "24:01", "25:00", "09:60", "-1:00", "09:30:00", "09:30+2", "9.30", "٠٩:٣٠"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        time_parsed(text)


def test_sessions_as_people_write_them() -> None:
    assert [str(session) for session in sessions_parsed("Fri-Mon 22:00-02:00")] == [
        *("fri 22:00-02:00+1", "sat 22:00-02:00+1", "sun 22:00-02:00+1", "mon 22:00-02:00+1"),
    ]
    assert sessions_parsed("wednesday 00:00 - 00:00") == [Session(2, 0, 1_440)]
    assert session_made(0, "17:00", "17:00") == Session(0, 1_020, 2_460)


@pytest.mark.parametrize(
    "text", ["", "mon", "mon 09:30", "09:30-16:00", "mo 09:30-16:00", "mon 09:30-16:00+2", "mon 24:00-24:00"]
)
def test_what_is_no_session_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|lies on the next day"):
        sessions_parsed(text)
