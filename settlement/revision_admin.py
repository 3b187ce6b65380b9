"""Operators' page of revisions: what waits for which orders, and the second person of an emergency."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from accounts.admin import ReadOnlyAdmin
from accounts.models import User
from kernel.clock import optional_rfc3339, wall_ms
from kernel.errors import Problem
from quotes.models import SymbolRevision
from quotes.revision_admin import person_of, person_text, terms_text, went_to
from quotes.revisions import MAY_APPROVE, MAY_REVISE, RevisedTerms, revision_cancel
from settlement.revisions import orders_open, revision_emergency_approve

_STATES = {"in force": "success", "past": "info", "waits": "warning", "withdrawn": "danger"}


class ApprovalForm(BaseDialogForm):  # type: ignore[misc]
    """Show again what is approved; it cannot have been edited since it was asked for."""

    form_before_template = "quotes/revision_rows.html"
    seen = forms.BooleanField(label="I have compared this with the prices at the source")

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        """Return the request's lines."""
        revision = SymbolRevision.objects.select_related("symbol").get(pk=object_id)
        return {
            "rows": [
                ("Symbol", revision.symbol.code),
                ("New terms", _terms_text(revision)),
                ("Endpoint", revision.endpoint or "the feed's own"),
                ("Reason", revision.reason),
                ("Asked for by", person_text(revision.requested_by_id, revision.requested_at_ms)),
                ("Open orders", orders_open(revision.symbol_id)),
            ]
        }


@admin.register(SymbolRevision)
class SymbolRevisionAdmin(ReadOnlyAdmin):
    """Revisions with who, when and why; none is ever edited or removed."""

    list_display = ("symbol", "number", "shown_state", "shown_terms", "emergency", "shown_since", "reason")
    list_filter = ("emergency", "symbol")
    list_select_related = ("symbol",)
    search_fields = ("symbol__code", "reason", "feed", "source")
    ordering = ("-id",)
    actions_detail: ClassVar[list[str]] = ["approve", "withdraw"]
    fieldsets = (
        (None, {"fields": ("symbol", "number", "shown_state", "shown_orders", "shown_since")}),
        ("What makes the price", {"fields": ("feed", "source", "endpoint", "price_scale", "price_source")}),
        (
            "Who and why",
            {"fields": ("reason", "emergency", "shown_requested", "shown_approved", "shown_cancelled")},
        ),
    )

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may approve this emergency: never an own one."""
        waits = _waiting(object_id).filter(emergency=True).exclude(requested_by_id=person_of(request))
        return _has_right(request, MAY_APPROVE) and waits.exists()

    def has_withdraw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may withdraw this revision."""
        return _has_right(request, MAY_REVISE) and _waiting(object_id).exists()

    @display(description="State", label=_STATES)  # type: ignore[untyped-decorator]
    def shown_state(self, revision: SymbolRevision) -> str:
        """Return one word or two."""
        if revision.cancelled_at_ms is not None:
            return "withdrawn"
        if revision.since_ms is None:
            return "waits"
        return "in force" if revision.symbol.revision == revision.number else "past"

    @admin.display(description="Terms")
    def shown_terms(self, revision: SymbolRevision) -> str:
        """Return what it covers."""
        return _terms_text(revision)

    @admin.display(description="Open orders")
    def shown_orders(self, revision: SymbolRevision) -> str:
        """Return how many orders it waits for, or would refund."""
        if revision.since_ms is not None or revision.cancelled_at_ms is not None:
            return ""
        count = orders_open(revision.symbol_id)
        return f"would refund up to {count}" if revision.emergency else f"waits for {count}"

    @admin.display(description="In force from", ordering="since_ms")
    def shown_since(self, revision: SymbolRevision) -> str:
        """Return the instant from which on its ticks count."""
        return optional_rfc3339(revision.since_ms) or ""

    @admin.display(description="Asked for")
    def shown_requested(self, revision: SymbolRevision) -> str:
        """Return who asked and when."""
        return person_text(revision.requested_by_id, revision.requested_at_ms)

    @admin.display(description="Approved")
    def shown_approved(self, revision: SymbolRevision) -> str:
        """Return the second person of an emergency."""
        return person_text(revision.approved_by_id, revision.since_ms) if revision.approved_by_id else ""

    @admin.display(description="Withdrawn")
    def shown_cancelled(self, revision: SymbolRevision) -> str:
        """Return who withdrew it and when."""
        return person_text(revision.cancelled_by_id, revision.cancelled_at_ms)

    @action(  # type: ignore[untyped-decorator]
        description="Approve emergency",
        url_path="approve",
        permissions=["approve"],
        icon="emergency_home",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Let this revision take effect at once?",
            "description": "The orders open now are refunded when they fall due. The incident is published with your "
            "colleague's reason and what these orders would have won and lost.",
            "form_class": ApprovalForm,
            "form_submit_text": "Approve",
        },
    )
    def approve(self, request: HttpRequest, form: ApprovalForm, object_id: int) -> HttpResponse:
        """Approve as the second person."""
        revision = SymbolRevision.objects.select_related("symbol").get(pk=object_id)
        by_id = person_of(request)
        assert by_id is not None
        try:
            incident = revision_emergency_approve(code=revision.symbol.code, number=revision.number, by_id=by_id)
        except Problem as problem:
            messages.error(request, problem.title)
            return went_to(request, "admin:quotes_symbolrevision_change", revision.pk)
        self.log_change(request, revision, "Approved")
        messages.success(request, f"Revision {revision.number} is in force; {incident.orders} orders are refunded.")
        return went_to(request, "admin:quotes_incident_change", incident.pk)

    @action(  # type: ignore[untyped-decorator]
        description="Withdraw",
        url_path="withdraw",
        permissions=["withdraw"],
        icon="undo",
        dialog={
            "title": "Withdraw this revision?",
            "description": "The market takes orders again by the terms in force. The request stays on record.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        """Take a revision back before it is in force."""
        revision = SymbolRevision.objects.select_related("symbol").get(pk=object_id)
        code = revision.symbol.code
        try:
            revision_cancel(code=code, number=revision.number, by_id=person_of(request), now_ms=wall_ms())
        except Problem as problem:
            messages.error(request, problem.title)
        else:
            self.log_change(request, revision, "Withdrawn")
            messages.success(request, f"Revision {revision.number} of {code} is withdrawn.")
        return went_to(request, "admin:quotes_symbolrevision_change", revision.pk)


def _terms_text(revision: SymbolRevision) -> str:
    return terms_text(
        RevisedTerms(revision.feed, revision.source, revision.endpoint, revision.price_scale, revision.price_source)
    )


def _waiting(object_id: Any) -> Any:
    return SymbolRevision.objects.filter(pk=object_id, since_ms__isnull=True, cancelled_at_ms__isnull=True)


def _has_right(request: HttpRequest, right: str) -> bool:
    return isinstance(request.user, User) and request.user.has_perm(right)
