"""Operators' pages about signals: what became of each, where their time went, and names that nobody knows."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin import ReadOnlyAdmin
from ea import naming
from ea.attribution import COMPONENTS, WINDOWS_MS, Figures, Percentiles, attributed
from ea.models import EaOrder, Latency, SymbolAlias, Transition, UnknownSymbol
from ea.signals import SignalRow, signal_document, signal_of
from ea.symbols import candidates_known, symbol_exists, symbol_of
from kernel.clock import rfc3339, wall_ms
from kernel.errors import Problem


@admin.register(EaOrder)
class SignalAdmin(ReadOnlyAdmin):
    """Signals with their steps, as they were sent."""

    list_display = ("event", "shown_state", "code", "strategy", "symbol", "shown_received")
    list_filter = ("state",)
    list_select_related = ("event",)
    search_fields = ("event__event_id", "order_id", "event__kid")
    search_help_text = "Id of an event or an order, or a key"
    show_full_result_count = False
    ordering = ("-event",)
    fields = (
        *("event", "link", "shown_state", "code", "strategy", "symbol", "shown_received", "shown_order"),
        *("shown_latency", "shown_drift", "shown_repeats", "shown_steps", "shown_raw"),
    )

    @display(description="State", label={"open": "info", "settled": "success", "denied": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, order: EaOrder) -> str:
        """Return one word."""
        return order.state

    @admin.display(description="Received")
    def shown_received(self, order: EaOrder) -> str:
        """Return when it was received."""
        return rfc3339(order.event.recv_us // 1_000)

    @admin.display(description="Order")
    def shown_order(self, order: EaOrder) -> SafeString | str:
        """Return the way to its order."""
        if order.order_id is None:
            return "none"
        page = reverse("admin:trading_order_change", args=[order.order_id])
        return format_html('<a class="underline" href="{}">{}</a>', page, order.order_id)

    @admin.display(description="Where its time went, ms")
    def shown_latency(self, order: EaOrder) -> str:
        """Return the parts of its time."""
        spent = _document(order)["latency"] or {}
        return ", ".join(f"{name.removesuffix('_ms')} {value:g}" for name, value in spent.items() if value is not None)

    @admin.display(description="Drift")
    def shown_drift(self, order: EaOrder) -> str:
        """Return how price and payout moved."""
        drift = _document(order)["drift"] or {}
        return ", ".join(f"{name} {value}" for name, value in drift.items() if value is not None)

    @admin.display(description="Came again")
    def shown_repeats(self, order: EaOrder) -> str:
        """Return how often it came again."""
        return f"{_document(order)['repeats']} times"

    @admin.display(description="Steps")
    def shown_steps(self, order: EaOrder) -> SafeString:
        """Return its steps with who made them."""
        steps = Transition.objects.filter(order=order).order_by("step")
        rows = ((rfc3339(one.at_us // 1_000), one.state, one.actor, one.code or "") for one in steps)
        return format_html_join("", "<div>{} &nbsp; {} &nbsp; {} &nbsp; {}</div>", rows)

    @admin.display(description="As it was sent")
    def shown_raw(self, order: EaOrder) -> SafeString:
        """Return the payload."""
        raw = bytes(order.event.raw).decode("utf-8", "replace")
        return format_html('<pre class="whitespace-pre-wrap break-all">{}</pre>', raw)


@admin.register(Latency)
class AttributionAdmin(ReadOnlyAdmin):
    """Where the time of signals went, for each strategy and symbol over all clients; below, signal by signal."""

    list_display = ("event", "strategy", "symbol", "shown_logged", "shown_total")
    list_filter = ("symbol",)
    list_before_template = "ea/attribution.html"
    show_full_result_count = False
    ordering = ("-event",)
    fields = (
        *("event", "strategy", "symbol", "direction", "deal_ms", "signed_ms", "offset_ms", "rtt_us", "recv_us"),
        *("log_us", "decided_us", "submitted_us", "answered_us", "opened_ms", "ref_price", "open_price"),
        *("min_payout", "quoted_percent", "payout_percent"),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Bring the figures of the last hour and of the last day along."""
        tables = [
            {"title": f"Last {window}", "table": _table(attributed(links=None, window=window, now_ms=wall_ms()))}
            for window in list(WINDOWS_MS)[:2]
        ]
        shown: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "attribution": tables})
        return shown

    @admin.display(description="Logged", ordering="event")
    def shown_logged(self, row: Latency) -> str:
        """Return when it was durable."""
        return rfc3339(row.log_us // 1_000)

    @admin.display(description="From reception to answer, ms")
    def shown_total(self, row: Latency) -> str:
        """Return our own share of its time."""
        return "" if row.answered_us is None else f"{(row.answered_us - row.recv_us) / 1_000:.1f}"


class NameForm(BaseDialogForm):  # type: ignore[misc]
    """Ask an operator what a name means."""

    symbol = forms.CharField(max_length=32, widget=UnfoldAdminTextInputWidget(), help_text="The code of a symbol here.")

    def clean_symbol(self) -> str:
        """Return the code of a symbol that there is."""
        code: str = self.cleaned_data["symbol"]
        if not symbol_exists(code):
            raise forms.ValidationError("There is no such symbol.")
        return code


@admin.register(UnknownSymbol)
class UnknownSymbolAdmin(ReadOnlyAdmin):
    """Brokers' names that no rule knows; what is named here is named for every broker alike."""

    list_display = ("raw", "shown_candidates", "times", "shown_last")
    search_fields = ("raw",)
    ordering = ("-last_at_ms",)
    fields = ("raw", "shown_candidates", "times", "shown_last")
    actions_detail: ClassVar[list[str]] = ["name_it"]

    def has_name_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may name symbols."""
        return request.user.has_perm("ea.change_unknownsymbol")

    @action(  # type: ignore[untyped-decorator]
        description="Name it",
        url_path="name",
        permissions=["name"],
        icon="label",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "What does this name mean?",
            "description": "It holds for every broker, from the next signal on, where an owner has not said otherwise.",
            "form_class": NameForm,
            "form_submit_text": "Name it",
        },
    )
    def name_it(self, request: HttpRequest, form: NameForm, object_id: int) -> HttpResponse:
        """Say what the name means to every broker."""
        row = UnknownSymbol.objects.select_related("link").get(pk=object_id)
        symbol = form.cleaned_data["symbol"]
        try:
            naming.alias_add(link_id=None, raw=row.raw, symbol=symbol)
        except Problem as problem:
            messages.error(request, problem.title)
        else:
            self.log_change(request, row, f"{row.raw} is {symbol} for every broker")
            messages.success(request, f"{row.raw} is {symbol} from now on.")
        return _list(request, "ea_unknownsymbol")

    @admin.display(description="May mean")
    def shown_candidates(self, row: UnknownSymbol) -> str:
        """Return symbols here that look like it."""
        return ", ".join(candidates_known([(row.raw, row.link.prefix, row.link.suffix)])[0])

    @admin.display(description="Came last", ordering="last_at_ms")
    def shown_last(self, row: UnknownSymbol) -> str:
        """Return when it came last."""
        return rfc3339(row.last_at_ms)


@admin.register(SymbolAlias)
class SymbolAliasAdmin(ReadOnlyAdmin):
    """What brokers' names mean; those without an installation hold for every broker."""

    list_display = ("raw", "symbol", "link")
    list_select_related = ("link",)
    search_fields = ("raw", "symbol")
    ordering = ("-id",)
    fields = ("raw", "symbol", "link", "shown_without")
    actions_detail: ClassVar[list[str]] = ["forget"]

    def has_forget_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may forget a name: those of one installation are its owner's."""
        shared = object_id is None or SymbolAlias.objects.filter(pk=object_id, link__isnull=True).exists()
        return request.user.has_perm("ea.change_unknownsymbol") and shared

    @action(  # type: ignore[untyped-decorator]
        description="Forget",
        url_path="forget",
        permissions=["forget"],
        icon="label_off",
        dialog={
            "title": "Forget what this name means?",
            "description": "Signals with it are denied again, for every broker, until it is named.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Forget",
        },
    )
    def forget(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Forget a name of every broker."""
        alias = SymbolAlias.objects.get(pk=object_id, link__isnull=True)
        self.log_change(request, alias, f"{alias.raw} is {alias.symbol} no more")
        naming.alias_forget(alias_id=alias.pk)
        messages.success(request, f"{alias.raw} means nothing any more.")
        return _list(request, "ea_symbolalias")

    @admin.display(description="Without it")
    def shown_without(self, alias: SymbolAlias) -> str:
        """Return what the name would mean by the other rules."""
        return symbol_of(link_id=0, raw=alias.raw, prefix="", suffix="") or "nothing"


def _document(order: EaOrder) -> dict[str, Any]:
    row: SignalRow = signal_of(order.pk)
    return signal_document(row)


def _table(figures: Figures) -> dict[str, Any]:
    headers = ["Strategy", "Symbol", "Signals", "Came again", *(f"{name}, ms" for name in COMPONENTS)]
    headers += [f"Price drift, {figures.price_unit}", "Payout drift, %"]
    rows = [
        [
            *(row.strategy or "none", row.symbol or "none", row.signals, row.repeated),
            *(_told(row.components[name]) for name in COMPONENTS),
            *(_told(row.price_drift), _told(row.payout_drift)),
        ]
        for row in figures.rows
    ]
    return {"headers": headers, "rows": rows}


def _told(found: Percentiles) -> str:
    if found.p50 is None:
        return ""
    return f"{found.p50:g} / {found.p95:g} / {found.p99:g}"


def _list(request: HttpRequest, page: str) -> HttpResponse:
    address = reverse(f"admin:{page}_changelist")
    # The dialog sends its form in the background: the page itself has to be told where to go.
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
