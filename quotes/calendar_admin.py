"""Operators' pages of trading hours: what is saved, what it means for the next two weeks, and who changed it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from accounts.admin import ShownInstant
from accounts.models import User
from kernel.clock import rfc3339
from kernel.errors import Problem
from kernel.jobs import database_now_ms
from quotes.calendar import local_day, zone_known
from quotes.calendar_forms import (
    CalendarForm,
    HolidayForm,
    HolidayFormSet,
    SessionForm,
    SessionFormSet,
    hours_sent,
)
from quotes.hours import READY_MADE, Hours, calendar_add, holidays_import, hours_of, hours_set
from quotes.hours_preview import PreviewDay, preview
from quotes.models import CalendarChange, Holiday, MarketCalendar, TradingSession

PREVIEW_DAYS = 14
HISTORY_ROWS = 10


class ReadyMadeForm(BaseDialogForm):  # type: ignore[misc]
    """Ask which ready-made hours."""

    name = forms.ChoiceField(choices=[(name, name) for name in READY_MADE], widget=UnfoldAdminSelectWidget())


class FetchForm(BaseDialogForm):  # type: ignore[misc]
    """Ask for how long."""

    years = forms.IntegerField(
        initial=2, min_value=1, max_value=5, widget=UnfoldAdminIntegerFieldWidget(), help_text="from today on"
    )


class SessionInline(TabularInline):  # type: ignore[misc]
    """Sessions as people write them."""

    model = TradingSession
    form = SessionForm
    formset = SessionFormSet
    fields = ("weekday", "opens", "closes")
    hide_title = True
    verbose_name = "session"
    verbose_name_plural = "Weekly sessions, local time"

    def get_extra(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> int:
        """Show an empty row for hours that have none."""
        return 0 if obj else 1


class HolidayInline(TabularInline):  # type: ignore[misc]
    """Holidays and half days."""

    model = Holiday
    form = HolidayForm
    formset = HolidayFormSet
    fields = ("day", "name", "opens", "closes", "shown_imported")
    readonly_fields = ("shown_imported",)
    hide_title = True
    verbose_name = "holiday or half day"
    verbose_name_plural = "Holidays and half days, local time"
    extra = 0

    @admin.display(description="From")
    def shown_imported(self, holiday: Holiday) -> str:
        """Return where the day came from."""
        return "the exchange" if holiday.imported else "an operator"


@admin.register(MarketCalendar)
class MarketCalendarAdmin(ModelAdmin):  # type: ignore[misc]
    """Trading hours that symbols share; a change binds new orders only."""

    form = CalendarForm
    inlines = (SessionInline, HolidayInline)
    list_display = ("name", "time_zone", "exchange", "shown_symbols", "shown_until")
    search_fields = ("name", "time_zone", "exchange")
    ordering = ("name",)
    actions = None
    actions_list: ClassVar[list[str]] = ["add_ready_made"]
    actions_detail: ClassVar[list[str]] = ["fetch_holidays"]
    fields = ("name", "time_zone", "exchange")
    change_form_outer_before_template = "quotes/hours_preview.html"
    change_form_outer_after_template = "quotes/hours_history.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[MarketCalendar]:
        """Count the symbols along."""
        found: QuerySet[MarketCalendar] = super().get_queryset(request)
        return found.annotate(symbols_count=Count("symbols"))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Fix the name once it is given: the history goes by it."""
        return ("name",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse removing: orders were accepted in its windows."""
        return False

    def has_hours_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may change hours."""
        return request.user.has_perm("quotes.change_marketcalendar")

    def has_new_hours_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may add hours."""
        return request.user.has_perm("quotes.add_marketcalendar")

    @admin.display(description="Symbols", ordering="symbols_count")
    def shown_symbols(self, calendar: MarketCalendar) -> int:
        """Return how many symbols trade in these hours."""
        return int(getattr(calendar, "symbols_count", 0))

    @admin.display(description="Known until", ordering="windows_until_ms")
    def shown_until(self, calendar: MarketCalendar) -> str:
        """Return the instant up to which the windows are made."""
        return rfc3339(calendar.windows_until_ms)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the page; what only the service could see is told on it."""
        try:
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except Problem as problem:
            messages.error(request, f"{problem.title} {problem.detail}".strip())
            return HttpResponseRedirect(request.path)
        return response

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> tuple[list[Any], list[Any]]:
        """Let holidays be judged together with the sessions."""
        formsets, inlines = super()._create_formsets(request, obj, change)
        if len(formsets) == 2:
            formsets[1].beside = formsets[0]
        return formsets, inlines

    def save_model(self, request: HttpRequest, obj: MarketCalendar, form: Any, change: bool) -> None:
        """Save nothing yet: hours are saved whole."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the hours by the service that everybody uses."""
        calendar: MarketCalendar = form.instance
        hours, by_id, now_ms = hours_sent(calendar, *formsets), _person(request), database_now_ms()
        if change:
            hours_set(calendar=calendar, hours=hours, by_id=by_id, now_ms=now_ms)
        else:
            calendar.pk = calendar_add(name=calendar.name, hours=hours, by_id=by_id, now_ms=now_ms).pk

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> str:
        """Return the hours as the history of this page tells them."""
        return _summary(hours_sent(form.instance, *formsets))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the next two weeks of what is on the page, and who changed it before."""
        calendar: MarketCalendar | None = context.get("original")
        formsets = [shown.formset for shown in context["inline_admin_formsets"]]
        form = context["adminform"].form
        hours = None
        if form.is_bound and len(formsets) == 2:
            hours = hours_sent(form.instance, formsets[0], formsets[1])
        elif calendar is not None:
            hours = hours_of(calendar)
        if hours is not None and hours.sessions and zone_known(hours.time_zone):
            title = "The next two weeks, as sent; nothing is saved" if form.is_bound else "The next two weeks"
            context["hours_preview"] = {"title": title, "table": _preview_table(hours)}
        if calendar is not None:
            context["hours_history"] = _history_table(calendar)
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    @action(  # type: ignore[untyped-decorator]
        description="Add ready-made hours",
        url_path="ready-made",
        permissions=["new_hours"],
        icon="schedule",
        dialog={
            "title": "Add ready-made hours",
            "description": "They can be edited afterwards, and their holidays fetched.",
            "form_class": ReadyMadeForm,
            "form_submit_text": "Add",
        },
    )
    def add_ready_made(self, request: HttpRequest, form: ReadyMadeForm) -> HttpResponse:
        """Add hours that many will want."""
        name = form.cleaned_data["name"]
        try:
            added = calendar_add(name=name, hours=READY_MADE[name], by_id=_person(request), now_ms=database_now_ms())
        except Problem as problem:
            messages.error(request, problem.title)
            return _to(request, reverse("admin:quotes_marketcalendar_changelist"))
        self.log_addition(request, added, _summary(READY_MADE[name]))
        messages.success(request, f"{name} is there.")
        return _to(request, reverse("admin:quotes_marketcalendar_change", args=[added.pk]))

    @action(  # type: ignore[untyped-decorator]
        description="Fetch holidays",
        url_path="fetch-holidays",
        permissions=["hours"],
        icon="event",
        dialog={
            "title": "Fetch the exchange's holidays?",
            "description": "Days that were fetched before are replaced; days that somebody wrote stay.",
            "form_class": FetchForm,
            "form_submit_text": "Fetch",
        },
    )
    def fetch_holidays(self, request: HttpRequest, form: FetchForm, object_id: int) -> HttpResponse:
        """Take over the holidays and half days of the calendar's exchange."""
        calendar = MarketCalendar.objects.get(pk=object_id)
        try:
            _, days = holidays_import(
                calendar=calendar,
                years=form.cleaned_data["years"],
                by_id=_person(request),
                now_ms=database_now_ms(),
            )
        except Problem as problem:
            messages.error(request, f"{problem.title} {problem.detail}".strip())
        else:
            self.log_change(request, calendar, f"Fetched {days} holidays and half days.")
            messages.success(request, f"{days} holidays and half days lie ahead.")
        return _to(request, reverse("admin:quotes_marketcalendar_change", args=[calendar.pk]))


@admin.register(CalendarChange)
class CalendarChangeAdmin(ShownInstant):
    """What trading hours became, when and by whom."""

    list_display = ("shown_at", "calendar_name", "shown_person", "shown_terms")
    list_filter = ("calendar_name",)
    search_fields = ("calendar_name",)
    ordering = ("-id",)
    fields = ("shown_at", "calendar_name", "shown_person", "terms")

    @admin.display(description="By")
    def shown_person(self, change: CalendarChange) -> str:
        """Return who did it."""
        return _people([change]).get(change.by_id, "the platform")

    @admin.display(description="Hours")
    def shown_terms(self, change: CalendarChange) -> str:
        """Return the hours in short."""
        return _terms_text(change.terms)


def _preview_table(hours: Hours) -> dict[str, Any]:
    names = {holiday.day: holiday.name for holiday in hours.holidays}
    days = preview(hours.calendar, local_day(database_now_ms(), hours.time_zone), PREVIEW_DAYS)
    rows = [
        [
            f"{day.day:%a %d %b %Y}",
            ", ".join(part.local for part in day.parts) or "no trading",
            ", ".join(part.utc for part in day.parts),
            render_to_string("quotes/hours_marks.html", {"marks": _marks(day, names)}),
        ]
        for day in days
    ]
    return {"headers": ["Day", f"Local time, {hours.time_zone}", "UTC", "Notes"], "rows": rows}


def _marks(day: PreviewDay, names: Mapping[date, str]) -> list[dict[str, str]]:
    marks = []
    if day.is_holiday:
        kind = "half day" if day.parts else "holiday"
        marks.append({"text": f"{kind}: {names[day.day]}", "variant": "info"})
    if day.clock_change_minutes:
        way = "forward" if day.clock_change_minutes > 0 else "back"
        marks.append({"text": f"clocks go {way} {abs(day.clock_change_minutes)} min", "variant": "warning"})
    marks += [{"text": f"not held: {fault}", "variant": "danger"} for fault in day.faults]
    return marks


def _history_table(calendar: MarketCalendar) -> dict[str, Any] | None:
    changes = list(CalendarChange.objects.filter(calendar_name=calendar.name).order_by("-id")[:HISTORY_ROWS])
    people = _people(changes)
    rows = [
        [rfc3339(change.at_ms), people.get(change.by_id, "the platform"), _terms_text(change.terms)]
        for change in changes
    ]
    return {"headers": ["At", "By", "Hours"], "rows": rows} if rows else None


def _people(changes: list[CalendarChange]) -> dict[UUID | None, str]:
    ids = {change.by_id for change in changes if change.by_id is not None}
    return dict(User.objects.filter(pk__in=ids).values_list("pk", "email"))


def _terms_text(terms: Mapping[str, Any]) -> str:
    return f"{terms['time_zone']}: {', '.join(terms['sessions'])}; {len(terms['holidays'])} holidays and half days"


def _summary(hours: Hours) -> str:
    sessions = ", ".join(str(session) for session in hours.sessions)
    return f"{hours.time_zone}: {sessions}; {len(hours.holidays)} holidays and half days."


def _person(request: HttpRequest) -> UUID | None:
    return request.user.pk if isinstance(request.user, User) else None


def _to(request: HttpRequest, page: str) -> HttpResponse:
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
