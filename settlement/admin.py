"""Operators' pages about what the settlement worker adds up and does: statistics, waiting facts, jobs."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from accounts.admin import ReadOnlyAdmin
from accounts.models import User
from kernel.clock import optional_rfc3339, rfc3339
from kernel.facts import ATTEMPTS_MAX, facts_retry
from kernel.models import FactBatch, JobRun
from kernel.money import format_minor
from quotes.models import Symbol
from settlement import receipt_admin, revision_admin
from settlement.models import Daily, DailySymbol, DailyUser
from settlement.selectors import DayFigures, days_recent, jobs_last

__all__ = ["receipt_admin", "revision_admin"]

_RETRIED_AT_ONCE = 10_000
_CHART_OPTIONS = {
    "animation": False,
    "maintainAspectRatio": False,
    "maxBarThickness": 24,
    "plugins": {"legend": {"align": "end", "labels": {"boxWidth": 8, "boxHeight": 8}}},
    "scales": {"x": {"stacked": True, "grid": {"display": False}}, "y": {"stacked": True, "beginAtZero": True}},
}


class DailyAdmin(ReadOnlyAdmin):
    """Days of settled orders, with charts of the last thirty."""

    list_filter = ("book_kind", "currency", "day")
    list_filter_submit = True
    list_before_template = "settlement/daily_charts.html"
    ordering = ("-day", "book_kind", "-stakes")
    _figures: ClassVar[tuple[str, ...]] = (
        *("won", "lost", "tied", "refunded", "shown_stakes", "shown_payouts", "shown_house", "shown_returned"),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Bring the charts along."""
        charts = [_orders_chart(days_recent("real"), days_recent("demo")), *_house_charts(days_recent("real"))]
        shown: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "charts": charts})
        return shown

    @admin.display(description="Day (UTC)", ordering="day")
    def shown_day(self, row: Daily) -> str:
        """Return the day."""
        return row.day.isoformat()

    @admin.display(description="Stakes", ordering="stakes")
    def shown_stakes(self, row: Daily) -> str:
        """Return the turnover: stakes of won and lost orders."""
        return _money(row.stakes, row)

    @admin.display(description="Paid out", ordering="payouts")
    def shown_payouts(self, row: Daily) -> str:
        """Return what winners got, stakes included."""
        return _money(row.payouts, row)

    @admin.display(description="House result")
    def shown_house(self, row: Daily) -> str:
        """Return what the house made."""
        return _money(row.stakes - row.payouts, row)

    @admin.display(description="Returned", ordering="returned")
    def shown_returned(self, row: Daily) -> str:
        """Return the stakes of tied and refunded orders."""
        return _money(row.returned, row)


@admin.register(DailySymbol)
class DailySymbolAdmin(DailyAdmin):
    """Days of each symbol."""

    list_display = ("shown_day", "book_kind", "shown_symbol", *DailyAdmin._figures)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DailySymbol]:
        """Bring the symbol's code along."""
        found: QuerySet[DailySymbol] = super().get_queryset(request)
        return found.annotate(code=Subquery(Symbol.objects.filter(pk=OuterRef("symbol_id")).values("code")[:1]))

    @admin.display(description="Symbol", ordering="code")
    def shown_symbol(self, row: Any) -> str:
        """Return the symbol's code."""
        return row.code or str(row.symbol_id)


@admin.register(DailyUser)
class DailyUserAdmin(DailyAdmin):
    """Days of each user."""

    list_display = ("shown_day", "book_kind", "shown_email", *DailyAdmin._figures)
    search_fields = ("user_id",)
    search_help_text = "E-mail or user id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DailyUser]:
        """Bring the user's e-mail along."""
        found: QuerySet[DailyUser] = super().get_queryset(request)
        return found.annotate(email=Subquery(User.objects.filter(pk=OuterRef("user_id")).values("email")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DailyUser], search_term: str
    ) -> tuple[QuerySet[DailyUser], bool]:
        """Find by a part of an e-mail, or by an id."""
        term = search_term.strip().lower()
        if "@" in term:
            users = User.objects.filter(email__icontains=term).values_list("pk", flat=True)[:100]
            return queryset.filter(user_id__in=list(users)), False
        return super().get_search_results(request, queryset, search_term)  # type: ignore[no-any-return]

    @admin.display(description="Client")
    def shown_email(self, row: Any) -> str:
        """Return the user's e-mail."""
        return row.email or str(row.user_id)


@admin.register(FactBatch)
class FactBatchAdmin(ReadOnlyAdmin):
    """Facts that wait for a subscriber; in good health this list is empty or turns over each second."""

    list_display = ("shown_at", "fact", "subscriber", "shown_size", "shown_state", "attempts", "shown_retry")
    list_filter = ("subscriber", "fact")
    fields = (*list_display, "failed_reason", "references")
    ordering = ("id",)
    actions_list: ClassVar[list[str]] = ["retry"]

    def has_retry_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may have given-up batches tried again."""
        return request.user.has_perm("kernel.change_factbatch")

    @action(  # type: ignore[untyped-decorator]
        description="Try given-up batches again",
        url_path="retry",
        permissions=["retry"],
        icon="replay",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Try given-up batches again?",
            "description": "Mend the cause first. Each batch is still applied once.",
            "form_submit_text": "Try again",
        },
    )
    def retry(self, request: HttpRequest, form: BaseDialogForm) -> HttpResponse:
        """Let every given-up batch be tried again."""
        given_up = FactBatch.objects.filter(attempts__gte=ATTEMPTS_MAX).order_by("pk")
        retried = facts_retry(list(given_up.values_list("pk", flat=True)[:_RETRIED_AT_ONCE]))
        messages.success(request, f"{retried} batches are tried again.")
        back = reverse("admin:kernel_factbatch_changelist")
        # The dialog sends its form in the background: the page itself has to be told where to go.
        if "HX-Request" in request.headers:
            return HttpResponse(headers={"HX-Redirect": back})
        return HttpResponseRedirect(back)

    @admin.display(description="Since", ordering="at_ms")
    def shown_at(self, batch: FactBatch) -> str:
        """Return when it happened."""
        return rfc3339(batch.at_ms)

    @admin.display(description="References")
    def shown_size(self, batch: FactBatch) -> int:
        """Return how many references the batch has."""
        return len(batch.references)

    @display(description="State", label={"waiting": "info", "put off": "warning", "given up": "danger"})  # type: ignore[untyped-decorator]
    def shown_state(self, batch: FactBatch) -> str:
        """Return what becomes of it."""
        if batch.attempts >= ATTEMPTS_MAX:
            return "given up"
        return "put off" if batch.attempts else "waiting"

    @admin.display(description="Next attempt")
    def shown_retry(self, batch: FactBatch) -> str:
        """Return when it is tried again."""
        waits = 0 < batch.attempts < ATTEMPTS_MAX
        return rfc3339(batch.retry_at_ms) if waits else ""


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """Runs of scheduled jobs; above them the newest of each job."""

    list_display = ("name", "shown_started", "shown_finished", "shown_outcome", "detail", "period")
    list_filter = ("name", "outcome")
    list_before_template = "settlement/jobs_last.html"
    ordering = ("-started_at_ms", "-id")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Bring the newest run of each job along."""
        rows = [
            [run.name, run.get_outcome_display(), rfc3339(run.started_at_ms), _took(run), run.detail]
            for run in jobs_last()
        ]
        table = {"headers": ["Job", "Last run", "Started", "Took", "Detail"], "rows": rows}
        found = {**(extra_context or {}), "jobs": table if rows else None}
        shown: HttpResponse = super().changelist_view(request, found)
        return shown

    @admin.display(description="Started", ordering="started_at_ms")
    def shown_started(self, run: JobRun) -> str:
        """Return when it was begun."""
        return rfc3339(run.started_at_ms)

    @admin.display(description="Finished", ordering="finished_at_ms")
    def shown_finished(self, run: JobRun) -> str:
        """Return when it ended."""
        return optional_rfc3339(run.finished_at_ms) or "not yet"

    @display(description="Outcome", label={"done": "success", "failed": "danger", "running": "info"})  # type: ignore[untyped-decorator]
    def shown_outcome(self, run: JobRun) -> str:
        """Return one word."""
        return str(run.get_outcome_display())


def _orders_chart(real: list[DayFigures], demo: list[DayFigures]) -> SafeString:
    """Return the settled orders of each day, by ledger."""
    days = sorted({row.day for row in (*real, *demo)})
    sets = []
    for label, rows, color in (("real", real, "var(--color-primary-500)"), ("demo", demo, "var(--color-base-400)")):
        orders = {day: sum(row.orders for row in rows if row.day == day) for day in days}
        sets.append({"label": f"{label} orders", "data": list(orders.values()), "backgroundColor": color})
    return _chart("Settled orders per day", [str(day) for day in days], sets)


def _house_charts(real: list[DayFigures]) -> list[SafeString]:
    """Return what the house made each day on the real ledger, one chart a currency: money is never added across."""
    charts = []
    for currency in sorted({row.currency for row in real}):
        rows = [row for row in real if row.currency == currency]
        amounts = [format_minor(row.house, currency) for row in rows]
        bars = {"label": currency, "data": amounts, "backgroundColor": "var(--color-primary-500)"}
        charts.append(_chart(f"House result per day, {currency}", [str(row.day) for row in rows], [bars]))
    return charts


def _chart(title: str, labels: list[str], datasets: list[dict[str, Any]]) -> SafeString:
    """Return a card with bars, stacked where a day has several."""
    data = json.dumps({"labels": labels, "datasets": datasets})
    drawn = {"data": data, "options": json.dumps(_CHART_OPTIONS), "height": 200}
    chart = render_to_string("unfold/components/chart/bar.html", drawn)
    return render_to_string("settlement/chart.html", {"title": title, "chart": chart, "empty": not labels})


def _money(amount: int, row: Daily) -> str:
    return f"{format_minor(amount, row.currency)} {row.currency}"


def _took(run: JobRun) -> str:
    return "" if run.finished_at_ms is None else f"{run.finished_at_ms - run.started_at_ms} ms"
