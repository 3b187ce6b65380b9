"""Forms of trading hours, as people write them; nothing is saved by a form, everything by one service."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.forms.models import BaseInlineFormSet
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminTextInputWidget

from kernel.clock import wall_ms
from quotes.calendar import HolidayTerms, Session, session_made, time_parsed, time_text, zone_known
from quotes.hours import Hours, hours_problems
from quotes.models import Holiday, MarketCalendar, TradingSession

if TYPE_CHECKING:
    _CalendarModelForm = forms.ModelForm[MarketCalendar]
    _SessionModelForm = forms.ModelForm[TradingSession]
    _HolidayModelForm = forms.ModelForm[Holiday]
    _FormSet = BaseInlineFormSet[Any, Any, Any]
else:
    _CalendarModelForm = _SessionModelForm = _HolidayModelForm = forms.ModelForm
    _FormSet = PaginationInlineFormSet


def _zones() -> list[tuple[str, str]]:
    return [("", ""), *((name, name) for name in sorted(available_timezones()))]


def _time_field(*, required: bool, help_text: str) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"size": 8, "placeholder": "HH:MM"})
    return forms.CharField(required=required, max_length=10, widget=widget, help_text=help_text)


class CalendarForm(_CalendarModelForm):
    """Name, zone and exchange of trading hours."""

    time_zone = forms.ChoiceField(
        choices=_zones, widget=UnfoldAdminSelect2Widget(), help_text="Sessions and holidays are kept in its local time."
    )

    class Meta:
        labels = {"exchange": "Exchange code"}
        help_texts = {"exchange": "Whose holidays can be fetched: XNYS, XLON, XTKS and others; may stay empty."}

    def clean_exchange(self) -> str:
        """Return the code as exchanges write it."""
        return str(self.cleaned_data["exchange"]).strip().upper()


class SessionForm(_SessionModelForm):
    """A weekly session: weekday and two local times."""

    opens = _time_field(required=True, help_text="local time")
    closes = _time_field(
        required=True, help_text="24:00 is the day's end; a time not after the opening, or with +1, is of the next day"
    )

    class Meta:
        model = TradingSession
        fields = ("weekday",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show what is saved as people write it."""
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["opens"] = time_text(self.instance.opens_minute)
            self.initial["closes"] = time_text(self.instance.closes_minute)

    def clean(self) -> dict[str, Any] | None:
        """Read the times, and keep the session beside them."""
        given = super().clean() or {}
        if {"weekday", "opens", "closes"} <= given.keys():
            try:
                made = session_made(int(given["weekday"]), given["opens"], given["closes"])
            except ValueError as error:
                raise forms.ValidationError(f"{error}.") from None
            given["session"] = made
            self.instance.opens_minute, self.instance.closes_minute = made.opens_minute, made.closes_minute
        return given


class HolidayForm(_HolidayModelForm):
    """A local day without trading, or with some."""

    opens = _time_field(required=False, help_text="for a half day; empty: no trading")
    closes = _time_field(required=False, help_text="24:00 is the day's end")

    class Meta:
        model = Holiday
        fields = ("day", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show what is saved as people write it."""
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.opens_minute is not None and self.instance.closes_minute is not None:
            self.initial["opens"] = time_text(self.instance.opens_minute)
            self.initial["closes"] = time_text(self.instance.closes_minute)

    def clean(self) -> dict[str, Any] | None:
        """Read the times, and keep the holiday beside them; an edited day is nobody's import any more."""
        given = super().clean() or {}
        if not {"day", "name", "opens", "closes"} <= given.keys():
            return given
        try:
            hours = (time_parsed(given["opens"]), time_parsed(given["closes"])) if _both(given) else None
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None
        imported = bool(self.instance.imported and not self.has_changed())
        given["holiday"] = HolidayTerms(given["day"], given["name"], hours, imported)
        self.instance.opens_minute, self.instance.closes_minute = hours or (None, None)
        return given


def _both(given: dict[str, Any]) -> bool:
    if bool(given["opens"]) != bool(given["closes"]):
        raise forms.ValidationError("Give both times of a half day, or none for a day without trading.")
    return bool(given["opens"])


class SessionFormSet(_FormSet):
    """The weekly sessions; together they must not overlap, and every edge must be a time that exists once."""

    def sessions(self) -> tuple[Session, ...]:
        """Return the sessions that could be read."""
        return tuple(found for found in _read(self, "session") if isinstance(found, Session))

    def clean(self) -> None:
        """Judge the sessions without holidays."""
        super().clean()
        _judged(self, Hours(self.instance.time_zone, self.sessions()), "sessions")


class HolidayFormSet(_FormSet):
    """The holidays, judged with the sessions that were sent beside them."""

    beside: SessionFormSet | None = None

    def holidays(self) -> tuple[HolidayTerms, ...]:
        """Return the holidays that could be read."""
        return tuple(found for found in _read(self, "holiday") if isinstance(found, HolidayTerms))

    def clean(self) -> None:
        """Judge the holidays."""
        super().clean()
        if self.beside is not None and self.beside.is_valid():
            _judged(self, Hours(self.instance.time_zone, self.beside.sessions(), self.holidays()), "holidays")


def _read(formset: _FormSet, name: str) -> list[object]:
    found = []
    for form in formset.forms:
        given = getattr(form, "cleaned_data", {})
        if name in given and not given.get("DELETE"):
            found.append(given[name])
    return found


def _judged(formset: _FormSet, hours: Hours, name: str) -> None:
    # A form that could not be read, or a zone that is refused already, leaves nothing to judge.
    if any(formset.errors) or not zone_known(hours.time_zone):
        return
    found = [error.message for error in hours_problems(hours, now_ms=wall_ms()) if error.field == name]
    if found:
        raise forms.ValidationError(found)


def hours_sent(calendar: MarketCalendar, sessions: SessionFormSet, holidays: HolidayFormSet) -> Hours:
    """Return the hours that forms describe, as far as they could be read."""
    return Hours(calendar.time_zone, sessions.sessions(), _one_a_day(holidays.holidays()), calendar.exchange)


def _one_a_day(holidays: tuple[HolidayTerms, ...]) -> tuple[HolidayTerms, ...]:
    by_day: dict[date, HolidayTerms] = {holiday.day: holiday for holiday in holidays}
    return tuple(by_day.values())
