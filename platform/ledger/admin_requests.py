"""Operators' page of adjustments: one asks, another one decides. ``ledger.admin`` imports it and so registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin import ReadOnlyAdmin
from kernel.clock import optional_rfc3339, rfc3339, wall_ms
from kernel.errors import Problem
from kernel.money import DEFAULT_CURRENCY, AmountPrecisionError, AmountShapeError, format_minor
from ledger import adjustments, selectors
from ledger.domain import REAL, ReasonCode, RequestState, signed_minor
from ledger.models import AdjustmentRequest

if TYPE_CHECKING:
    _RequestModelForm = forms.ModelForm[AdjustmentRequest]
else:
    _RequestModelForm = forms.ModelForm

_STATE_LABELS = {
    RequestState.PENDING.value: "warning",
    RequestState.APPROVED.value: "success",
    RequestState.REJECTED.value: "danger",
    RequestState.EXPIRED.value: "info",
    RequestState.WITHDRAWN.value: "info",
}


def money(amount: int, currency: str) -> str:
    """Return an amount of minor units with its currency."""
    return f"{format_minor(amount, currency)} {currency}"


class RequestForm(_RequestModelForm):
    """What somebody asks for: a client, an amount as people write it, and why."""

    email = forms.EmailField(
        label="Client's e-mail",
        widget=UnfoldAdminEmailInputWidget,
        help_text="The adjustment is made on this client's real wallet.",
    )
    amount = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="In the wallet's currency, such as 25.00; -25.00 takes money out.",
    )

    class Meta:
        model = AdjustmentRequest
        fields = ("reason_code", "note")
        labels: ClassVar[dict[str, str]] = {"reason_code": "Reason"}

    def clean_email(self) -> str:
        """Find the client's wallet."""
        email: str = self.cleaned_data["email"]
        self.wallet_id = selectors.wallet_by_email(email=email, book=REAL)
        if self.wallet_id is None:
            raise forms.ValidationError("No client with this e-mail has a real wallet.")
        return email

    def clean_amount(self) -> int:
        """Return minor units with their sign."""
        try:
            amount = signed_minor(self.cleaned_data["amount"].strip(), DEFAULT_CURRENCY)
        except (AmountShapeError, AmountPrecisionError):
            raise forms.ValidationError("Write an amount such as 25.00 or -25.00.") from None
        if not amount:
            raise forms.ValidationError("An adjustment of nothing is none.")
        return amount

    def wish(self) -> adjustments.Wish:
        """Return what was asked for, once the form is valid."""
        given = self.cleaned_data
        assert self.wallet_id is not None
        return adjustments.Wish(self.wallet_id, given["amount"], ReasonCode(given["reason_code"]), given["note"])


class _DecisionForm(BaseDialogForm):  # type: ignore[misc]
    """Show again what is decided about."""

    form_before_template = "ledger/adjustment_summary.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        """Return the request's lines."""
        asked = AdjustmentRequest.objects.select_related("account__owner", "requested_by").get(pk=object_id)
        return {
            "rows": [
                ("Client", asked.account.owner),
                ("Amount", money(asked.amount, asked.account.currency)),
                ("Reason", asked.reason_code),
                ("Note for the client", asked.note),
                ("Asked for by", asked.requested_by),
            ]
        }


class ApproveForm(_DecisionForm):
    """Bind the approval to what the dialog shows."""

    seen = forms.CharField(widget=forms.HiddenInput)
    decision_note = forms.CharField(
        label="Note for colleagues",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        found = selectors.request_hash(object_id)
        self.fields["seen"].initial = "" if found is None else found.hex()

    def clean_seen(self) -> bytes:
        """Return the payload hash that was shown."""
        try:
            return bytes.fromhex(self.cleaned_data["seen"])
        except ValueError:
            raise forms.ValidationError("Open the dialog again.") from None


class RejectForm(_DecisionForm):
    """Ask why."""

    decision_note = forms.CharField(
        label="Why",
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Colleagues read it.",
    )


@admin.register(AdjustmentRequest)
class AdjustmentRequestAdmin(ReadOnlyAdmin):
    """Requests for adjustments: what is asked for is fixed once it is asked, and a decision is final."""

    list_display = (
        *("shown_client", "shown_amount", "reason_code", "note", "shown_state", "requested_by", "shown_requested"),
        "decided_by",
    )
    list_filter = ("state", "reason_code")
    list_select_related = ("account__owner", "requested_by", "decided_by")
    search_fields = ("id", "account__owner__email", "requested_by__email", "note")
    search_help_text = "Request id, e-mail of client or colleague, or words of the note"
    ordering = ("-id",)
    actions_detail: ClassVar[list[str]] = ["approve", "reject", "withdraw"]
    fieldsets = (
        ("What is asked for", {"fields": ("shown_client", "shown_amount", "reason_code", "note", "shown_hash")}),
        ("The wallet", {"fields": ("shown_balance", "shown_balance_after")}),
        ("Request", {"fields": ("id", "requested_by", "shown_requested", "shown_expires")}),
        ("Decision", {"fields": ("shown_state", "decided_by", "shown_decided", "decision_note")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "amount", "reason_code", "note")}),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may ask for adjustments."""
        return request.user.has_perm(adjustments.MAY_REQUEST)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let everybody look who may look, ask or decide."""
        rights = ("ledger.view_adjustmentrequest", adjustments.MAY_REQUEST, adjustments.MAY_APPROVE)
        return any(request.user.has_perm(right) for right in rights)

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may decide about this request: never about an own one."""
        return (
            request.user.has_perm(adjustments.MAY_APPROVE)
            and _waiting(object_id).exclude(requested_by=request.user.pk).exists()
        )

    def has_withdraw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether this is an own request that still waits."""
        return self.has_add_permission(request) and _waiting(object_id).filter(requested_by=request.user.pk).exists()

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Ask for four things; show more of a request that exists."""
        return self.add_fieldsets if obj is None else super().get_fieldsets(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Use the form of new requests for those only."""
        if obj is None:
            return super().get_form(request, obj, change, **(kwargs | {"form": RequestForm, "fields": None}))
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: AdjustmentRequest, form: Any, change: bool) -> None:
        """Ask by the service that everybody uses."""
        asked = adjustments.adjustment_request(wish=form.wish(), requester_id=_person(request), now_ms=wall_ms())
        obj.pk = asked.pk

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Tell a refusal in words."""
        try:
            response: HttpResponse = super().add_view(request, form_url, extra_context)
        except Problem as problem:
            messages.error(request, problem.title)
            return HttpResponseRedirect(reverse("admin:ledger_adjustmentrequest_changelist"))
        return response

    @admin.display(description="Client", ordering="account__owner__email")
    def shown_client(self, asked: AdjustmentRequest) -> str:
        """Return the client's e-mail."""
        return "" if asked.account.owner is None else asked.account.owner.email

    @admin.display(description="Amount", ordering="amount")
    def shown_amount(self, asked: AdjustmentRequest) -> str:
        """Return the signed amount with its currency."""
        return money(asked.amount, asked.account.currency)

    @admin.display(description="Balance now")
    def shown_balance(self, asked: AdjustmentRequest) -> str:
        """Return the wallet's balance at this moment."""
        return money(asked.account.balance or 0, asked.account.currency)

    @admin.display(description="Balance if it were approved now")
    def shown_balance_after(self, asked: AdjustmentRequest) -> str:
        """Return what an approval would leave, while there may be one."""
        if _state(asked) != RequestState.PENDING:
            return ""
        after = (asked.account.balance or 0) + asked.amount
        return money(after, asked.account.currency) if after >= 0 else "The balance does not cover this amount."

    @display(description="State", label=_STATE_LABELS, ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, asked: AdjustmentRequest) -> str:
        """Return one word."""
        return _state(asked).value

    @admin.display(description="Asked for at", ordering="requested_at_ms")
    def shown_requested(self, asked: AdjustmentRequest) -> str:
        """Return the instant of the request."""
        return rfc3339(asked.requested_at_ms)

    @admin.display(description="Can be approved until")
    def shown_expires(self, asked: AdjustmentRequest) -> str:
        """Return the end of its life."""
        return rfc3339(asked.expires_at_ms)

    @admin.display(description="Decided at")
    def shown_decided(self, asked: AdjustmentRequest) -> str:
        """Return the instant of the decision."""
        return optional_rfc3339(asked.decided_at_ms) or ""

    @admin.display(description="SHA-256 of this")
    def shown_hash(self, asked: AdjustmentRequest) -> str:
        """Return what an approval is bound to."""
        return bytes(asked.payload_hash).hex()

    @action(  # type: ignore[untyped-decorator]
        description="Approve",
        url_path="approve",
        permissions=["approve"],
        icon="check_circle",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Approve this adjustment?",
            "description": "The money moves at once, and the client reads the note in the statement.",
            "form_class": ApproveForm,
            "form_submit_text": "Approve",
        },
    )
    def approve(self, request: HttpRequest, form: ApproveForm, object_id: UUID) -> HttpResponse:
        """Approve what the dialog showed, and move the money."""
        given = form.cleaned_data
        try:
            state = adjustments.adjustment_approve(
                request_id=object_id,
                approver_id=_person(request),
                seen_hash=given["seen"],
                decision_note=given["decision_note"],
                now_ms=wall_ms(),
            )
        except Problem as problem:
            return self._refused(request, object_id, problem)
        return self._done(
            request, object_id, "Approved", f"The balance is {money(state.wallet.balance, state.currency)} now."
        )

    @action(  # type: ignore[untyped-decorator]
        description="Reject",
        url_path="reject",
        permissions=["approve"],
        icon="cancel",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Reject this adjustment?",
            "description": "Nothing moves. The same can be asked for again.",
            "form_class": RejectForm,
            "form_submit_text": "Reject",
        },
    )
    def reject(self, request: HttpRequest, form: RejectForm, object_id: UUID) -> HttpResponse:
        """Turn the request down with the reason given."""
        note = form.cleaned_data["decision_note"]
        try:
            adjustments.adjustment_reject(
                request_id=object_id, decider_id=_person(request), decision_note=note, now_ms=wall_ms()
            )
        except Problem as problem:
            return self._refused(request, object_id, problem)
        return self._done(request, object_id, f"Rejected: {note}", "The request is rejected.")

    @action(  # type: ignore[untyped-decorator]
        description="Withdraw",
        url_path="withdraw",
        permissions=["withdraw"],
        icon="undo",
        dialog={
            "title": "Withdraw your request?",
            "description": "Nothing moves. You can ask again.",
            "form_class": _DecisionForm,
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw(self, request: HttpRequest, form: BaseDialogForm, object_id: UUID) -> HttpResponse:
        """Take an own request back."""
        try:
            adjustments.adjustment_withdraw(request_id=object_id, requester_id=_person(request), now_ms=wall_ms())
        except Problem as problem:
            return self._refused(request, object_id, problem)
        return self._done(request, object_id, "Withdrawn", "The request is withdrawn.")

    def _done(self, request: HttpRequest, object_id: UUID, record: str, told: str) -> HttpResponse:
        self.log_change(request, AdjustmentRequest.objects.get(pk=object_id), record)
        messages.success(request, told)
        return _back(request, object_id)

    def _refused(self, request: HttpRequest, object_id: UUID, problem: Problem) -> HttpResponse:
        messages.error(request, problem.title)
        return _back(request, object_id)


def _state(asked: AdjustmentRequest) -> RequestState:
    state = RequestState(asked.state)
    late = state is RequestState.PENDING and asked.expires_at_ms <= wall_ms()
    return RequestState.EXPIRED if late else state


def _waiting(object_id: Any) -> Any:
    return AdjustmentRequest.objects.filter(pk=object_id, state=RequestState.PENDING, expires_at_ms__gt=wall_ms())


def _person(request: HttpRequest) -> UUID:
    assert isinstance(request.user.pk, UUID)
    return request.user.pk


def _back(request: HttpRequest, object_id: UUID) -> HttpResponse:
    page = reverse("admin:ledger_adjustmentrequest_change", args=[object_id])
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
