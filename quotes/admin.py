"""Operators' pages about the market. Terms bind new orders; no page edits a tick, a price or a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin import ReadOnlyAdmin, ShownInstant
from kernel.clock import DB_NOW_MS_SQL, optional_rfc3339, rfc3339, wall_ms
from kernel.money import CURRENCY_SCALES, DEFAULT_CURRENCY, format_minor, format_scaled
from quotes import (
    calendar_admin,  # noqa: F401 - it registers its pages
    services,
)
from quotes.domain import ENTRY_RULES, SETTLEMENT_RULES, MarketStateName
from quotes.feeds import FeedSettingsError, default_entry_rule, feed_settings
from quotes.models import FeedStatus, HaltChange, PayoutChange, RefusalCount, RefusedSample, Symbol, SymbolHead
from quotes.payout_chart import payout_chart
from quotes.revision_admin import RevisedSymbols
from quotes.selectors import symbol_by_code
from quotes.terms import symbol_terms_set

if TYPE_CHECKING:
    _SymbolModelForm = forms.ModelForm[Symbol]
else:
    _SymbolModelForm = forms.ModelForm

_STATE_LABELS = {
    MarketStateName.OPEN.value: "success",
    MarketStateName.STALE.value: "warning",
    MarketStateName.CLOSED.value: "info",
    MarketStateName.CLOSE_ONLY.value: "warning",
    MarketStateName.HALTED.value: "danger",
}
_REVISED = ("code", "feed", "source", "price_scale", "price_source")
_CUSTOM = ("custom", "custom_declared")
_PAYOUTS = ("payout_fixed", "payout_min", "payout_max")
_STAKES = ("min_stake_minor", "max_stake_minor")
_RULES = ("entry_rule", "settlement_rule")
_DURATIONS = ("min_duration_s", "max_duration_s", "max_tick_age_ms")
_NAMES = ("name", "asset_class", "position")
_OFFERS = ("offered_real", "offered_demo")
_LIMITS = ("calendar", "purchase_deadline_s", "exposure_cap_minor")


class ReasonForm(BaseDialogForm):  # type: ignore[misc]
    """Ask an operator why."""

    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget(), help_text="Clients read it.")


class StakeField(forms.DecimalField):
    """Money as people write it, kept in minor units."""

    def __init__(self, **options: Any) -> None:
        scale = CURRENCY_SCALES[DEFAULT_CURRENCY]
        super().__init__(
            min_value=0, decimal_places=scale, max_digits=15, widget=UnfoldAdminDecimalFieldWidget, **options
        )
        self._scale = scale

    def prepare_value(self, value: Any) -> Any:
        """Show minor units as a decimal."""
        return format_minor(value, DEFAULT_CURRENCY) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        """Return minor units."""
        given = super().clean(value)
        return None if given is None else int(given.scaleb(self._scale))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare what is shown with what was sent by value."""
        return super().has_changed(self.prepare_value(initial), data)


class SymbolForm(_SymbolModelForm):
    """Terms of a symbol; the payout of the moment follows the fixed one and stays within its bounds."""

    min_stake_minor = StakeField(label="Smallest stake", help_text="in the wallet's currency")
    max_stake_minor = StakeField(label="Largest stake", help_text="in the wallet's currency")
    exposure_cap_minor = StakeField(
        label="Exposure cap",
        required=False,
        help_text="most open stakes of the real ledger in one direction; empty: no cap",
    )

    entry_rule = forms.ChoiceField(
        required=False,
        choices=[("", "as the feed and the shortest duration ask for"), *((rule, rule) for rule in ENTRY_RULES)],
        widget=UnfoldAdminSelectWidget,
        help_text="Accepted orders keep the rule they were accepted under.",
    )
    settlement_rule = forms.ChoiceField(
        required=False, choices=[(rule, rule) for rule in SETTLEMENT_RULES], widget=UnfoldAdminSelectWidget
    )

    class Meta:
        labels = {
            "payout_fixed": "Payout, percent",
            "payout_min": "Lowest payout, percent",
            "payout_max": "Highest payout, percent",
            "min_duration_s": "Shortest duration, seconds",
            "max_duration_s": "Longest duration, seconds",
            "max_tick_age_ms": "Greatest age of a price, milliseconds",
            "calendar": "Trading hours",
            "purchase_deadline_s": "Purchase deadline, seconds",
            "offered_real": "Offered on the real ledger",
            "offered_demo": "Offered on the demo ledger",
            "custom": "Custom feed",
            "custom_declared": "Custom feed declared to clients",
        }
        help_texts = {
            "custom_declared": "Terms and receipts say it. Outside development the real ledger refuses a custom feed "
            "that is not declared.",
            "payout_fixed": "The payout of new orders follows it; the change is public.",
            "feed": "such as simulator, binance, script",
            "asset_class": "such as forex, crypto, metal",
            "max_tick_age_ms": "An older price takes no orders, and settles none.",
        }

    def clean(self) -> dict[str, Any] | None:
        """Derive the payout of the moment before the model's own rules are checked."""
        given = super().clean() or {}
        if "feed" in given:
            try:
                feed_settings(given["feed"])
            except FeedSettingsError as error:
                self.add_error("feed", str(error))
        if not given.get("entry_rule"):
            default = default_entry_rule(given.get("feed") or "", given.get("min_duration_s") or 0)
            given["entry_rule"] = self.instance.entry_rule if self.instance.pk else default
        given["settlement_rule"] = given.get("settlement_rule") or self.instance.settlement_rule
        fixed, least, most = (given.get(name) for name in _PAYOUTS)
        if self.instance.pk and fixed is not None and least is not None and most is not None:
            moved = "payout_fixed" in self.changed_data
            self.instance.payout_percent = fixed if moved else min(max(self.instance.payout_percent, least), most)
        return given

    def _get_validation_exclusions(self) -> set[str]:
        """Check the payout's bounds though its field is not in the form: the table would refuse them later."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"payout_percent"}


@admin.register(Symbol)
class SymbolAdmin(RevisedSymbols, ModelAdmin):  # type: ignore[misc]
    """Symbols: terms of new orders, halts; what makes the price is fixed at creation."""

    form = SymbolForm
    list_display = ("code", "name", "shown_state", "shown_payout", "shown_price", "shown_age", "feed", "asset_class")
    list_filter = ("operator_state", "asset_class", "feed", "offered_real", "offered_demo")
    list_select_related = ("head",)
    list_per_page = 50
    list_fullwidth = True
    search_fields = ("code", "name", "source")
    ordering = ("position", "code")
    actions = None
    actions_detail: ClassVar[list[str]] = ["halt", "close_only", "resume", "revise"]
    fieldsets = (
        (None, {"fields": ("code", "name", "asset_class", "position")}),
        ("Market now", {"fields": ("shown_state", "state_reason", "shown_price", "shown_age", "payout_percent")}),
        ("Payout in the last 24 hours", {"fields": ("shown_payouts",)}),
        ("Terms of new orders", {"fields": (*_PAYOUTS, *_STAKES, *_DURATIONS, *_LIMITS, *_OFFERS)}),
        ("Rules of new orders", {"fields": _RULES}),
        (
            "What makes the price",
            {
                "fields": ("feed", "source", "price_scale", "price_source", "revision", "shown_pending", *_CUSTOM),
                "description": "It is changed by a revision, which waits for the open orders.",
            },
        ),
    )
    add_fieldsets = (
        (None, {"fields": ("code", "name", "asset_class", "position")}),
        (
            "What makes the price",
            {"fields": ("feed", "source", "price_scale", "price_source", "custom_declared")},
        ),
        ("Terms of new orders", {"fields": ("payout_fixed", *_STAKES, *_DURATIONS, *_LIMITS)}),
        ("Rules of new orders", {"fields": _RULES}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Symbol]:
        """Bring the database's clock along, which states and ages are told by."""
        found: QuerySet[Symbol] = super().get_queryset(request)
        return found.select_related("head").annotate(now_ms=RawSQL(DB_NOW_MS_SQL, []))  # noqa: S611 - a constant of ours

    def get_readonly_fields(self, request: HttpRequest, obj: Symbol | None = None) -> tuple[str, ...]:
        """Fix what makes the price once the symbol exists."""
        if obj is None:
            return ()
        shown = ("shown_state", "state_reason", "shown_price", "shown_age", "payout_percent", "shown_payouts")
        return (*shown, *_REVISED, "revision", "shown_pending", "custom")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse removing: ticks and orders hang on a symbol."""
        return False

    def has_halt_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may halt and resume: who may change symbols may."""
        return request.user.has_perm("quotes.change_symbol")

    def save_model(self, request: HttpRequest, obj: Symbol, form: Any, change: bool) -> None:
        """Add a symbol, or save edited terms, by the services that everybody uses."""
        if change:
            fields = [name for name in form.changed_data if name not in _REVISED]
            symbol_terms_set(obj, fields=fields)
            return
        given = form.cleaned_data
        added = services.symbol_add(
            services.NewSymbol(
                payout=given["payout_fixed"],
                endpoint=feed_settings(given["feed"]).override,
                custom_declared=given["custom_declared"],
                calendar=given["calendar"].name if given["calendar"] else "",
                purchase_deadline_s=given["purchase_deadline_s"],
                exposure_cap_minor=given["exposure_cap_minor"],
                **{name: given[name] for name in (*_REVISED, *_NAMES, *_STAKES, *_DURATIONS, *_RULES)},
            )
        )
        obj.pk = added.pk

    @display(description="State", label=_STATE_LABELS)  # type: ignore[untyped-decorator]
    def shown_state(self, symbol: Symbol) -> str:
        """Return the market's state now."""
        return symbol_by_code(symbol.code).market.state.state.value

    @admin.display(description="Payout", ordering="payout_percent")
    def shown_payout(self, symbol: Symbol) -> str:
        """Return the payout of new orders."""
        return f"{symbol.payout_percent} %"

    @admin.display(description="Payout")
    def shown_payouts(self, symbol: Symbol) -> SafeString:
        """Return the payout of the last day as a chart."""
        return payout_chart(symbol, now_ms=_now_of(symbol))

    @admin.display(description="Last price")
    def shown_price(self, symbol: Symbol) -> str:
        """Return the newest admitted price."""
        price = symbol.head.tick_price
        return "none yet" if price is None else format_scaled(price, symbol.price_scale)

    @admin.display(description="Age of the price")
    def shown_age(self, symbol: Symbol) -> str:
        """Return how old the newest admitted tick is."""
        at_ms = symbol.head.tick_at_ms
        return "" if at_ms is None else f"{(_now_of(symbol) - at_ms) / 1000:.1f} s"

    @action(  # type: ignore[untyped-decorator]
        description="Halt",
        url_path="halt",
        permissions=["halt"],
        icon="pause_circle",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Halt this market?",
            "description": "No new orders are taken; open orders settle as if nothing had happened.",
            "form_class": ReasonForm,
            "form_submit_text": "Halt",
        },
    )
    def halt(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        """Halt the market with the reason given."""
        return self._stop(request, object_id, form.cleaned_data["reason"], close_only=False)

    @action(  # type: ignore[untyped-decorator]
        description="Close only",
        url_path="close-only",
        permissions=["halt"],
        icon="do_not_disturb_on",
        dialog={
            "title": "Take no new orders on this market?",
            "description": "Open orders settle as if nothing had happened.",
            "form_class": ReasonForm,
            "form_submit_text": "Close only",
        },
    )
    def close_only(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        """Let the market run out with the reason given."""
        return self._stop(request, object_id, form.cleaned_data["reason"], close_only=True)

    @action(  # type: ignore[untyped-decorator]
        description="Resume",
        url_path="resume",
        permissions=["halt"],
        icon="play_circle",
        dialog={
            "title": "Resume this market?",
            "description": "New orders are taken as soon as its prices are fresh. Say why; the reason is kept in "
            "the history of this page.",
            "form_class": ReasonForm,
            "form_submit_text": "Resume",
        },
    )
    def resume(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        """Let the market take orders again."""
        symbol = services.symbol_resume(code=self._code(object_id))
        self.log_change(request, symbol, f"Resumed: {form.cleaned_data['reason']}")
        messages.success(request, f"{symbol.code} takes orders again.")
        return _back(request, symbol)

    def _stop(self, request: HttpRequest, object_id: int, reason: str, *, close_only: bool) -> HttpResponse:
        symbol = services.symbol_halt(code=self._code(object_id), reason=reason, close_only=close_only)
        self.log_change(request, symbol, f"{symbol.get_operator_state_display()}: {reason}")
        messages.success(request, f"{symbol.code} takes no new orders.")
        return _back(request, symbol)

    @staticmethod
    def _code(object_id: int) -> str:
        return Symbol.objects.values_list("code", flat=True).get(pk=object_id)


@admin.register(FeedStatus)
class FeedStatusAdmin(ReadOnlyAdmin):
    """Parsers and their upstream connections, with what they refused."""

    list_display = ("feed", "shown_connected", "detail", "shown_packet", "clock_offset_ms", "shown_heartbeat", "pid")
    ordering = ("feed",)
    fields = (
        *("feed", "endpoint", "connected", "detail", "shown_packet", "clock_offset_ms", "shown_heartbeat", "pid"),
        "shown_refusals",
    )

    @display(description="Upstream", label={"connected": "success", "away": "danger"})  # type: ignore[untyped-decorator]
    def shown_connected(self, feed: FeedStatus) -> str:
        """Return one word."""
        return "connected" if feed.connected else "away"

    @admin.display(description="Last packet", ordering="last_packet_ms")
    def shown_packet(self, feed: FeedStatus) -> str:
        """Return the age of the last packet from upstream."""
        return _ago(feed.last_packet_ms)

    @admin.display(description="Parser's heartbeat", ordering="process_heartbeat_ms")
    def shown_heartbeat(self, feed: FeedStatus) -> str:
        """Return the age of the parser's own heartbeat."""
        return _ago(feed.process_heartbeat_ms)

    @admin.display(description="Refused ticks")
    def shown_refusals(self, feed: FeedStatus) -> SafeString:
        """Return the counts of refused ticks by symbol and reason."""
        found = RefusalCount.objects.filter(feed=feed.feed).order_by("-last_at_ms")[:200]
        rows = [[row.source, row.reason, row.count, rfc3339(row.last_at_ms)] for row in found]
        return _table(["Symbol at the feed", "Reason", "Count", "Last"], rows)


@admin.register(SymbolHead)
class SymbolHeadAdmin(ReadOnlyAdmin):
    """Where each symbol's log stands."""

    list_display = ("symbol", "seq", "shown_price", "shown_tick", "shown_watermark", "shown_heartbeat")
    list_select_related = ("symbol",)
    search_fields = ("symbol__code",)
    ordering = ("symbol__position", "symbol__code")
    fields = (*list_display, "shown_candidate")

    @admin.display(description="Price")
    def shown_price(self, head: SymbolHead) -> str:
        """Return the newest admitted price."""
        return "" if head.tick_price is None else format_scaled(head.tick_price, head.symbol.price_scale)

    @admin.display(description="Newest tick", ordering="tick_at_ms")
    def shown_tick(self, head: SymbolHead) -> str:
        """Return the time of the newest admitted tick."""
        return optional_rfc3339(head.tick_at_ms) or "none"

    @admin.display(description="Watermark", ordering="watermark_ms")
    def shown_watermark(self, head: SymbolHead) -> str:
        """Return the instant behind which nothing changes."""
        return rfc3339(head.watermark_ms)

    @admin.display(description="Upstream traffic", ordering="heartbeat_ms")
    def shown_heartbeat(self, head: SymbolHead) -> str:
        """Return the age of the upstream's last sign of life."""
        return _ago(head.heartbeat_ms)

    @admin.display(description="Outlier that waits for a second packet")
    def shown_candidate(self, head: SymbolHead) -> str:
        """Return the candidate of the outlier rule."""
        if head.candidate_price is None:
            return "none"
        price = format_scaled(head.candidate_price, head.symbol.price_scale)
        return f"{price} at {optional_rfc3339(head.candidate_recv_ms)}"


@admin.register(RefusedSample)
class RefusedSampleAdmin(ReadOnlyAdmin):
    """Samples of refused ticks; the counts of all of them are on each feed's page."""

    list_display = ("shown_received", "feed", "source", "reason", "shown_source_time", "detail")
    list_filter = ("feed", "reason")
    search_fields = ("source",)
    ordering = ("-id",)

    @admin.display(description="Received", ordering="recv_ms")
    def shown_received(self, sample: RefusedSample) -> str:
        """Return when the tick was received."""
        return rfc3339(sample.recv_ms)

    @admin.display(description="Source time", ordering="src_ms")
    def shown_source_time(self, sample: RefusedSample) -> str:
        """Return the time that the source gave."""
        return optional_rfc3339(sample.src_ms) or ""


@admin.register(PayoutChange)
class PayoutChangeAdmin(ShownInstant):
    """Changes of payouts with the figures they came from."""

    list_display = ("shown_at", "symbol", "percent", "inputs")
    list_filter = ("symbol",)
    list_select_related = ("symbol",)
    search_fields = ("symbol__code",)
    ordering = ("-id",)


@admin.register(HaltChange)
class HaltChangeAdmin(ShownInstant):
    """Acts of operators on markets."""

    list_display = ("shown_at", "symbol", "state", "reason")
    list_filter = ("state", "symbol")
    list_select_related = ("symbol",)
    search_fields = ("symbol__code", "reason")
    ordering = ("-id",)


def _now_of(symbol: Symbol) -> int:
    return int(getattr(symbol, "now_ms", 0)) or wall_ms()


def _ago(at_ms: int | None) -> str:
    return "never" if at_ms is None else f"{max(0, wall_ms() - at_ms) / 1000:.1f} s ago"


def _table(headers: list[str], rows: list[list[Any]]) -> SafeString:
    return render_to_string("unfold/components/table.html", {"table": {"headers": headers, "rows": rows}})


def _back(request: HttpRequest, symbol: Symbol) -> HttpResponse:
    page = reverse("admin:quotes_symbol_change", args=[symbol.pk])
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
