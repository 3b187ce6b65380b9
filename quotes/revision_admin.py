"""Operators' pages of revisions: the dialog that asks for one, and the incidents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin import ShownInstant
from accounts.models import User
from kernel.clock import rfc3339, wall_ms
from kernel.errors import Problem
from quotes.feeds import FEEDS, FeedSettingsError, feed_settings
from quotes.models import Incident, Symbol
from quotes.revisions import MAY_REVISE, SCALE_MOST, RevisedTerms, revision_request, revision_terms, revision_waiting


class ReviseForm(BaseDialogForm):  # type: ignore[misc]
    """Ask for what a revision covers, beginning with what is in force."""

    form_before_template = "quotes/revision_rows.html"

    feed = forms.ChoiceField(
        choices=[(name, name) for name in sorted(FEEDS)],
        widget=UnfoldAdminSelectWidget(),
        help_text="The endpoint on record is the feed's own, or what FEED_<NAME>_URL names for this process.",
    )
    source = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget(), help_text="The symbol's name at the feed."
    )
    price_scale = forms.IntegerField(
        min_value=0, max_value=SCALE_MOST, widget=UnfoldAdminIntegerFieldWidget(), help_text="Decimals of a price."
    )
    price_source = forms.ChoiceField(choices=Symbol.PriceSource.choices, widget=UnfoldAdminSelectWidget())
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    emergency = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Refund the open orders instead of waiting for them. It takes a second person and is published, with "
        "this reason and what the orders would have won and lost.",
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        terms = revision_terms(Symbol.objects.get(pk=object_id))
        for name in ("feed", "source", "price_scale", "price_source"):
            self.fields[name].initial = getattr(terms, name)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        """Return what is in force, endpoint and all."""
        terms = revision_terms(Symbol.objects.get(pk=object_id))
        return {"rows": [("In force", terms_text(terms)), ("Endpoint", terms.endpoint or "the feed's own")]}

    def clean_feed(self) -> str:
        """Refuse a feed whose environment cannot be read; its endpoint would be a guess."""
        name: str = self.cleaned_data["feed"]
        try:
            self.endpoint = feed_settings(name).override
        except FeedSettingsError as error:
            raise forms.ValidationError(str(error)) from None
        return name

    def terms(self) -> RevisedTerms:
        """Return what was asked for, once the form is valid."""
        given = self.cleaned_data
        return RevisedTerms(given["feed"], given["source"], self.endpoint, given["price_scale"], given["price_source"])


class RevisedSymbols:
    """What revisions add to a symbol's page."""

    def has_revise_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may ask for a revision: one waits at a time."""
        waits = Symbol.objects.filter(pk=object_id, pending_revision__isnull=False).exists()
        return _has_right(request, MAY_REVISE) and not waits

    @admin.display(description="Revision that waits")
    def shown_pending(self, symbol: Symbol) -> SafeString | str:
        """Return what waits and where it is decided about."""
        waiting = revision_waiting(symbol)
        if waiting is None:
            return "none"
        terms = RevisedTerms(waiting.feed, waiting.source, waiting.endpoint, waiting.price_scale, waiting.price_source)
        what = "for a second person" if waiting.emergency else "for the open orders"
        page = reverse("admin:quotes_symbolrevision_change", args=[waiting.pk])
        return format_html(
            '<a class="underline" href="{}">Revision {}</a> waits {}: {}', page, waiting.number, what, terms_text(terms)
        )

    @action(  # type: ignore[untyped-decorator]
        description="Revise",
        url_path="revise",
        permissions=["revise"],
        icon="published_with_changes",
        dialog={
            "title": "Revise what makes the price?",
            "description": "The market takes no new orders from now on. The open ones settle by the terms in force, "
            "and the new ones follow after the last of them.",
            "form_class": ReviseForm,
            "form_submit_text": "Revise",
        },
    )
    def revise(self, request: HttpRequest, form: ReviseForm, object_id: int) -> HttpResponse:
        """Ask for a revision."""
        symbol = Symbol.objects.get(pk=object_id)
        given = form.cleaned_data
        try:
            revision = revision_request(
                code=symbol.code,
                terms=form.terms(),
                reason=given["reason"],
                by_id=person_of(request),
                emergency=given["emergency"],
                now_ms=wall_ms(),
            )
        except Problem as problem:
            messages.error(request, problem.title)
            return went_to(request, "admin:quotes_symbol_change", symbol.pk)
        self.log_change(request, symbol, f"Revision {revision.number} asked for: {given['reason']}")  # type: ignore[attr-defined]
        messages.success(request, f"Revision {revision.number} of {symbol.code} waits.")
        return went_to(request, "admin:quotes_symbolrevision_change", revision.pk)


@admin.register(Incident)
class IncidentAdmin(ShownInstant):
    """Emergency revisions and what the refunded orders would have been."""

    list_display = ("shown_at", "symbol", "shown_number", "orders", "reason")
    list_filter = ("symbol",)
    list_select_related = ("symbol", "revision")
    search_fields = ("symbol__code", "reason")
    ordering = ("-id",)
    fields = (*list_display, "shown_figures")

    @admin.display(description="Revision")
    def shown_number(self, incident: Incident) -> int:
        """Return the number of the revision."""
        return incident.revision.number

    @admin.display(description="Would have been")
    def shown_figures(self, incident: Incident) -> SafeString:
        """Return the published figures as a table."""
        rows = [
            [
                ledger["ledger"],
                standing,
                ledger[standing]["orders"],
                f"{ledger[standing]['stakes']} {ledger['currency']}",
            ]
            for ledger in incident.figures["ledgers"]
            for standing in ("won", "lost", "tied", "waiting")
        ]
        return render_to_string(
            "unfold/components/table.html",
            {"table": {"headers": ["Ledger", "By the last price", "Orders", "Stakes"], "rows": rows}},
        )


def terms_text(terms: RevisedTerms) -> str:
    """Return what a revision covers, in a line."""
    decimals = f"{terms.price_scale} decimals"
    return f"{terms.feed} {terms.source}, {decimals}, {Symbol.PriceSource(terms.price_source).label}"


def person_of(request: HttpRequest) -> UUID | None:
    """Return the id of who is logged in."""
    return request.user.pk if isinstance(request.user, User) else None


def person_text(user_id: UUID | None, at_ms: int | None) -> str:
    """Return who did something and when, where it was done."""
    if at_ms is None:
        return ""
    email = User.objects.filter(pk=user_id).values_list("email", flat=True).first() if user_id else None
    return f"{email or 'by command'}, {rfc3339(at_ms)}"


def went_to(request: HttpRequest, name: str, key: Any) -> HttpResponse:
    """Send the browser to a page, out of a dialog, too."""
    page = reverse(name, args=[key])
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)


def _has_right(request: HttpRequest, right: str) -> bool:
    return isinstance(request.user, User) and request.user.has_perm(right)
