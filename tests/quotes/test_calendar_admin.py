"""Operators' pages of trading hours: as people write them, judged before they are kept, shown for two weeks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from kernel.jobs import database_now_ms
from quotes import calendar_admin
from quotes.calendar import HolidayTerms, sessions_parsed
from quotes.hours import READY_MADE, Hours, calendar_add, hours_of
from quotes.models import CalendarChange, MarketCalendar, Symbol, TradingWindow
from tests.accounts.people import person
from tests.quotes.market import Market, code_new

pytestmark = pytest.mark.django_db

ADD = "admin:quotes_marketcalendar_add"
CHANGE = "admin:quotes_marketcalendar_change"


@pytest.fixture
def operator(client: Client) -> Client:
    """Return the client, logged in as an operator with every right."""
    client.force_login(person(staff=True), backend="django.contrib.auth.backends.ModelBackend")
    return client


def sent(
    *sessions: tuple[Any, ...],
    holidays: tuple[tuple[Any, ...], ...] = (),
    kept: MarketCalendar | None = None,
    **terms: str,
) -> dict[str, Any]:
    """Return what the page sends: sessions as (weekday, opens, closes), holidays as (day, name, opens, closes).

    :param kept: a calendar whose saved rows are among them, in their order
    """
    data: dict[str, Any] = {"name": "Desk", "time_zone": "America/New_York", "exchange": ""} | terms
    ids = {"sessions": [], "holidays": []} if kept is None else _ids(kept)
    for prefix, names, rows in (
        ("sessions", ("weekday", "opens", "closes"), sessions),
        ("holidays", ("day", "name", "opens", "closes"), holidays),
    ):
        known = ids[prefix]
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": len(known)}
        for number, row in enumerate(rows):
            data |= {f"{prefix}-{number}-{name}": value for name, value in zip(names, row, strict=False)}
            if number < len(known):
                data |= {f"{prefix}-{number}-id": known[number], f"{prefix}-{number}-calendar": kept and kept.pk}
    return data


def _ids(kept: MarketCalendar) -> dict[str, list[int]]:
    return {
        "sessions": list(kept.sessions.order_by("weekday", "opens_minute").values_list("pk", flat=True)),
        "holidays": list(kept.holidays.order_by("day").values_list("pk", flat=True)),
    }


def test_hours_are_added_as_people_write_them(operator: Client) -> None:
    """F-26: what is saved goes through the one service: sessions, windows and the change on record."""
    data = sent(
        *((0, "09:30", "16:00"), (1, "9:30", "24:00"), (4, "22:00", "06:00"), (6, "17:00", "08:00 +1")),
        holidays=(("2026-12-25", "Christmas", "", ""), ("2026-12-24", "Eve", "09:30", "13:00")),
        exchange=" xnys",
    )

    response = operator.post(reverse(ADD), data)

    assert response.status_code == 302, response.content.decode()
    calendar = MarketCalendar.objects.get(name="Desk")
    assert hours_of(calendar) == Hours(
        "America/New_York",
        tuple(
            sessions_parsed("mon 09:30-16:00")
            + sessions_parsed("tue 09:30-24:00")
            + sessions_parsed("fri 22:00-06:00")
            + sessions_parsed("sun 17:00-08:00+1")
        ),
        (HolidayTerms(date(2026, 12, 24), "Eve", (570, 780)), HolidayTerms(date(2026, 12, 25), "Christmas")),
        "XNYS",
    )
    change = CalendarChange.objects.get(calendar_name="Desk")
    assert change.by_id == operator.get("/admin/").wsgi_request.user.pk
    assert TradingWindow.objects.filter(calendar=calendar).exists()
    assert (
        "fri 22:00-06:00+1"
        in operator.get(reverse("admin:quotes_marketcalendar_history", args=[calendar.pk])).content.decode()
    )


def test_the_page_shows_what_is_saved_and_its_history(operator: Client) -> None:
    operator.post(reverse(ADD), sent((4, "22:00", "06:00"), holidays=(("2026-12-24", "Eve", "09:30", "13:00"),)))
    calendar = MarketCalendar.objects.get(name="Desk")

    text = operator.get(reverse(CHANGE, args=[calendar.pk])).content.decode()

    for shown in ('value="22:00"', 'value="06:00+1"', 'value="09:30"', 'value="13:00"', "The next two weeks"):
        assert shown in text, shown
    assert "Changes of these hours" in text
    assert "Desk" in operator.get(reverse("admin:quotes_marketcalendar_changelist")).content.decode()
    assert "fri 22:00-06:00+1" in operator.get(reverse("admin:quotes_calendarchange_changelist")).content.decode()


def test_an_edit_replaces_the_hours_and_keeps_what_was_fetched(operator: Client) -> None:
    """A fetched day stays marked unless somebody edits it; a deleted row is gone."""
    hours = Hours(
        "America/New_York",
        tuple(sessions_parsed("mon-wed 09:30-16:00")),
        tuple(HolidayTerms(date(2027, 1, day), f"Day {day}", imported=True) for day in (1, 18, 19)),
    )
    calendar = calendar_add(name="Desk", hours=hours, by_id=None, now_ms=database_now_ms())
    data = sent(
        *((0, "09:30", "16:00"), (1, "10:00", "16:00"), (2, "09:30", "16:00")),
        holidays=(("2027-01-01", "Day 1"), ("2027-01-18", "Edited"), ("2027-01-19", "Day 19")),
        kept=calendar,
    )
    data |= {"sessions-2-DELETE": "on", "holidays-2-DELETE": "on"}

    response = operator.post(reverse(CHANGE, args=[calendar.pk]), data)

    assert response.status_code == 302, response.content.decode()
    assert hours_of(calendar) == Hours(
        "America/New_York",
        (*sessions_parsed("mon 09:30-16:00"), *sessions_parsed("tue 10:00-16:00")),
        (HolidayTerms(date(2027, 1, 1), "Day 1", imported=True), HolidayTerms(date(2027, 1, 18), "Edited")),
    )
    assert CalendarChange.objects.filter(calendar_name="Desk").count() == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (sent(), "Hours need a session"),
        (sent((0, "09:30", "16:00"), (0, "15:59", "17:00")), "mon 09:30-16:00 overlaps mon 15:59-17:00"),
        (sent((6, "22:00", "06:00"), (0, "05:00", "17:00")), "sun 22:00-06:00+1 overlaps mon 05:00-17:00"),
        (sent((6, "02:30", "16:00")), "02:30 on 2027-03-14 does not exist in America/New_York"),
        (sent((6, "01:30", "16:00")), "exists twice in America/New_York"),
        (
            sent((6, "00:00", "16:00"), holidays=(("2027-03-14", "Odd", "02:30", "12:00"),)),
            "02:30 on 2027-03-14 does not exist",
        ),
        (sent((0, "9.30", "16:00")), "is no time"),
        (sent((0, "24:00", "16:00")), "lies on the next day"),
        (sent((0, "", "16:00")), "This field is required"),
        (sent((0, "09:30", "16:00"), time_zone="Mars/Olympus"), "Select a valid choice"),
        (sent((0, "09:30", "16:00"), holidays=(("2026-12-24", "Eve", "09:30", ""),)), "Give both times"),
        (sent((0, "09:30", "16:00"), holidays=(("2026-12-24", "Eve", "13:00", "09:30"),)), "must end after it begins"),
        (sent((0, "09:30", "16:00"), holidays=(("2026-12-24", "Eve"), ("2026-12-24", "Eve"))), "duplicate"),
        (sent((0, "09:30", "16:00"), name=""), "This field is required"),
    ],
)
def test_hours_that_cannot_be_kept_are_refused_with_a_message(
    operator: Client, data: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-26, rules 1: overlaps and unclear local times are refused when hours are saved, both edges named."""
    response = operator.post(reverse(ADD), data)

    assert response.status_code == 200
    assert message in response.content.decode()
    assert not MarketCalendar.objects.exists()


def test_refused_hours_still_show_what_they_would_mean(operator: Client) -> None:
    text = operator.post(reverse(ADD), sent((0, "09:30", "16:00"), (0, "15:00", "17:00"))).content.decode()

    assert "as sent; nothing is saved" in text
    assert "09:30 to 17:00" in text


def test_the_preview_tells_holidays_half_days_and_changes_of_the_clocks(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules 1: the preview is computed by the pure rule that makes the windows."""
    hours = Hours(
        "America/New_York",
        tuple(sessions_parsed("sun-fri 09:30-16:00")),
        (HolidayTerms(date(2027, 3, 15), "Ides", (570, 780)), HolidayTerms(date(2027, 3, 17), "Patrick")),
    )
    calendar = calendar_add(name="Desk", hours=hours, by_id=None, now_ms=database_now_ms())
    march_ms = 1_804_852_800_000
    monkeypatch.setattr(calendar_admin, "database_now_ms", lambda: march_ms)

    text = operator.get(reverse(CHANGE, args=[calendar.pk])).content.decode()

    for shown in (
        *("Sun 14 Mar 2027", "clocks go forward 60 min", "half day: Ides", "holiday: Patrick", "no trading"),
        *("09:30 to 13:00", "12 Mar 14:30 to 21:00", "14 Mar 13:30 to 20:00"),
    ):
        assert shown in text, shown


def test_ready_made_hours_are_one_act_away(operator: Client) -> None:
    act = reverse("admin:quotes_marketcalendar_add_ready_made")
    assert "Tokyo stocks" in operator.get(act).content.decode()

    response = operator.post(act, {"_form_submitted": "1", "name": "Tokyo stocks"})

    calendar = MarketCalendar.objects.get(name="Tokyo stocks")
    assert (response.status_code, response["Location"]) == (302, reverse(CHANGE, args=[calendar.pk]))
    assert hours_of(calendar) == READY_MADE["Tokyo stocks"]
    again = operator.post(act, {"_form_submitted": "1", "name": "Tokyo stocks"}, follow=True)
    assert "There is a calendar" in again.content.decode()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_holidays_are_fetched_from_the_page(operator: Client) -> None:
    calendar = calendar_add(
        name="London stocks", hours=READY_MADE["London stocks"], by_id=None, now_ms=database_now_ms()
    )
    act = reverse("admin:quotes_marketcalendar_fetch_holidays", args=[calendar.pk])

    response = operator.post(act, {"_form_submitted": "1", "years": "1"}, follow=True)

    assert "holidays and half days lie ahead" in response.content.decode()
    assert "Christmas" in {holiday.name for holiday in hours_of(calendar).holidays}


def test_a_clerk_who_may_only_look_changes_nothing(client: Client) -> None:
    calendar = calendar_add(name="Desk", hours=READY_MADE["New York stocks"], by_id=None, now_ms=database_now_ms())
    clerk = person()
    clerk.is_staff = True
    clerk.save()
    clerk.user_permissions.add(Permission.objects.get(codename="view_marketcalendar"))
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")

    assert client.get(reverse(CHANGE, args=[calendar.pk])).status_code == 200
    refused = [
        client.post(reverse(CHANGE, args=[calendar.pk]), sent((0, "00:00", "24:00"))),
        client.post(reverse(ADD), sent((0, "00:00", "24:00"))),
        client.post(reverse("admin:quotes_marketcalendar_add_ready_made"), {"_form_submitted": "1", "name": "x"}),
        client.post(
            reverse("admin:quotes_marketcalendar_fetch_holidays", args=[calendar.pk]),
            {"_form_submitted": "1", "years": "1"},
        ),
        client.post(reverse("admin:quotes_marketcalendar_delete", args=[calendar.pk]), {"post": "yes"}),
    ]

    assert [response.status_code for response in refused] == [403] * 5
    assert hours_of(calendar) == READY_MADE["New York stocks"]
    assert MarketCalendar.objects.count() == 1


def test_a_symbol_s_page_takes_its_hours_deadline_and_cap(operator: Client) -> None:
    calendar = calendar_add(name="Desk", hours=READY_MADE["New York stocks"], by_id=None, now_ms=database_now_ms())
    symbol = Market().symbol
    names = ["name", "asset_class", "position", "payout_fixed", "payout_min", "payout_max", "min_duration_s"]
    names += ["max_duration_s", "max_tick_age_ms"]
    data = {name: getattr(symbol, name) for name in names}
    data |= {"min_stake_minor": "1.00", "max_stake_minor": "10.00", "offered_demo": "on", "calendar": calendar.pk}
    data |= {"purchase_deadline_s": "5", "exposure_cap_minor": "2500.50"}

    response = operator.post(reverse("admin:quotes_symbol_change", args=[symbol.pk]), data)

    assert response.status_code == 302, response.content.decode()
    symbol.refresh_from_db()
    assert (symbol.calendar, symbol.purchase_deadline_s, symbol.exposure_cap_minor) == (calendar, 5, 250_050)


def test_a_symbol_is_added_with_its_hours(operator: Client) -> None:
    calendar = calendar_add(name="Desk", hours=READY_MADE["New York stocks"], by_id=None, now_ms=database_now_ms())
    data = {"code": code_new(), "name": "Added", "asset_class": "stock", "position": 5, "feed": "script"}
    data |= {"source": "added", "price_scale": 3, "price_source": "mid", "payout_fixed": 80, "min_stake_minor": "1"}
    data |= {"max_stake_minor": "10", "min_duration_s": 5, "max_duration_s": 60, "max_tick_age_ms": 3_000}
    data |= {"calendar": calendar.pk, "purchase_deadline_s": 7, "exposure_cap_minor": ""}

    response = operator.post(reverse("admin:quotes_symbol_add"), data)

    assert response.status_code == 302, response.content.decode()
    symbol = Symbol.objects.get(code=data["code"])
    assert (symbol.calendar, symbol.purchase_deadline_s, symbol.exposure_cap_minor) == (calendar, 7, None)
