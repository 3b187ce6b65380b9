"""Operators' pages of the bridge: its states for everybody, and the limits of those who have set none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts.admin import ShownInstant
from accounts.models import User
from ea.domain import TradingState
from ea.models import RiskLimits, TradingSwitch
from ea.risk_services import REASON_LENGTH_MAX, bridge_state_set
from kernel.errors import Problem
from kernel.jobs import database_now_ms
from quotes.models import Symbol

_STATE_LABELS = {"active": "success", "reducing": "warning", "halted": "danger"}
# Clients' own installations and strategies are theirs to switch, and nobody else's to see.
_OF_OPERATORS = ("platform", "symbol")


class StateForm(BaseDialogForm):  # type: ignore[misc]
    """Ask which state, where, and why."""

    symbol = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget())
    state = forms.ChoiceField(
        choices=[(state.value, state.value) for state in TradingState], widget=UnfoldAdminSelectWidget()
    )
    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Everybody reads it.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the symbols of today."""
        super().__init__(*args, **kwargs)
        codes = Symbol.objects.order_by("position", "code").values_list("code", flat=True)
        field: Any = self.fields["symbol"]
        field.choices = [("", "all symbols"), *((code, code) for code in codes)]


@admin.register(TradingSwitch)
class TradingSwitchAdmin(ShownInstant):
    """States of the bridge that bind everybody alike, newest first; no page switches one client."""

    list_display = ("shown_at", "shown_place", "shown_state", "reason", "shown_person")
    list_filter = ("scope", "state")
    search_fields = ("name", "reason")
    ordering = ("-id",)
    fields = ("shown_at", "shown_place", "shown_state", "reason", "shown_person")
    actions_list: ClassVar[list[str]] = ["set_state"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TradingSwitch]:
        """Leave clients' own switches out."""
        found: QuerySet[TradingSwitch] = super().get_queryset(request)
        return found.filter(scope__in=_OF_OPERATORS)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may set states of the bridge."""
        return request.user.has_perm("ea.switch_bridge")

    @admin.display(description="Where")
    def shown_place(self, switch: TradingSwitch) -> str:
        """Return the symbol."""
        return switch.name or "all symbols"

    @display(description="State", label=_STATE_LABELS)  # type: ignore[untyped-decorator]
    def shown_state(self, switch: TradingSwitch) -> str:
        """Return the state."""
        return switch.state

    @admin.display(description="By")
    def shown_person(self, switch: TradingSwitch) -> str:
        """Return who did it."""
        return _people([switch.actor_id]).get(switch.actor_id, "a command")

    @action(  # type: ignore[untyped-decorator]
        description="Set state",
        url_path="set-state",
        permissions=["switch"],
        icon="toggle_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Set the state of the bridge?",
            "description": "Reducing and halted take no signals, of nobody. Open orders settle as if nothing had "
            "happened. It is published with its reason.",
            "form_class": StateForm,
            "form_submit_text": "Set",
        },
    )
    def set_state(self, request: HttpRequest, form: StateForm) -> HttpResponse:
        """Set the state of all symbols or of one, with the reason given."""
        symbol, state = form.cleaned_data["symbol"], TradingState(form.cleaned_data["state"])
        reason, by_id = form.cleaned_data["reason"], _person(request)
        try:
            switch = bridge_state_set(
                symbol=symbol, state=state, reason=reason, actor_id=by_id, now_ms=database_now_ms()
            )
        except Problem as problem:
            messages.error(request, problem.title)
        else:
            self.log_addition(request, switch, f"{symbol or 'All symbols'} {state.value}: {reason}")
            messages.success(request, f"The bridge is {state.value} for {symbol or 'all symbols'}.")
        page = reverse("admin:ea_tradingswitch_changelist")
        if "HX-Request" in request.headers:
            return HttpResponse(headers={"HX-Redirect": page})
        return HttpResponseRedirect(page)


@admin.register(RiskLimits)
class RiskLimitsAdmin(ShownInstant):
    """Versions of the limits of installations whose owners have set none; set by ``manage.py ea_default_limits``."""

    list_display = ("version", "shown_at", "shown_document", "shown_person")
    ordering = ("-version",)
    fields = ("version", "shown_at", "shown_document", "shown_person")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskLimits]:
        """Leave clients' own limits out."""
        found: QuerySet[RiskLimits] = super().get_queryset(request)
        return found.filter(link=None)

    @admin.display(description="Limits")
    def shown_document(self, limits: RiskLimits) -> str:
        """Return the document."""
        return json.dumps(limits.document)

    @admin.display(description="By")
    def shown_person(self, limits: RiskLimits) -> str:
        """Return who did it."""
        return _people([limits.actor_id]).get(limits.actor_id, "a command")


def _person(request: HttpRequest) -> UUID:
    found: Any = request.user.pk
    return UUID(str(found))


def _people(ids: Iterable[UUID | None]) -> dict[UUID | None, str]:
    wanted = [one for one in ids if one is not None]
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "email"))
