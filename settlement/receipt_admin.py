"""Operators' view of an order's receipt, and of clients' disputes. Neither can change a result."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin import ReadOnlyAdmin
from kernel.clock import optional_rfc3339, rfc3339, wall_ms
from settlement.receipt_documents import ReceiptTick
from settlement.receipts import receipt_bytes, receipt_of
from trading.admin import OrderAdmin
from trading.disputes import dispute_close, dispute_open
from trading.errors import DisputeStateError
from trading.models import Dispute, Order

admin.site.unregister(Order)


class NoteForm(BaseDialogForm):  # type: ignore[misc]
    """Ask an operator for a sentence."""

    note = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget())


@admin.register(Order)
class OrderWithReceiptAdmin(OrderAdmin):
    """Orders with their receipts."""

    fieldsets: Any = (*OrderAdmin.fieldsets, ("Receipt", {"fields": ("receipt",)}))
    actions_detail: ClassVar[list[str]] = ["dispute"]

    def has_dispute_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may open disputes."""
        return request.user.has_perm("trading.add_dispute")

    def get_urls(self) -> list[URLPattern]:
        """Add the receipt's own address."""
        shown = self.admin_site.admin_view(self.receipt_download)
        address = path("<uuid:order_id>/receipt.json", shown, name="trading_order_receipt")
        return [address, *super().get_urls()]

    def receipt_download(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        """Answer the receipt as the client gets it.

        :raises PermissionDenied: when the operator may not see orders
        """
        order = get_object_or_404(Order, pk=order_id)
        if not self.has_view_permission(request, order):
            raise PermissionDenied
        name = f'attachment; filename="receipt-{order.pk}.json"'
        body = receipt_bytes(receipt_of(order))
        return HttpResponse(body, content_type="application/json", headers={"Content-Disposition": name})

    @admin.display(description="")
    def receipt(self, order: Order) -> SafeString:
        """Return what the client's receipt says, as tables."""
        shown = receipt_of(order)
        evidence = shown.evidence
        source = f"{shown.feed}: {shown.source.name} {shown.source.symbol} {shown.source.endpoint}".strip()
        facts = [
            ["Feed", source],
            ["Rules", f"{shown.rules.admission}, {shown.rules.entry}, {shown.rules.settlement}"],
            ["Revision", str(shown.terms.symbol_revision)],
            ["Session ends", shown.terms.session_closes_at or "round the clock"],
        ]
        if shown.watermark is not None:
            raised = f"{shown.watermark.watermark} by a {shown.watermark.cause}, raised at {shown.watermark.raised_at}"
            facts.append(["Watermark", raised])
        if evidence is not None and evidence.feed_closed:
            facts.append(["Closed by the feed", f"{evidence.feed_said} at {evidence.feed_said_at}"])
        opening = shown.opening
        ticks = [
            *_tick_rows(("before opening", "opening", "after opening"), (opening.before, opening.tick, opening.after)),
        ]
        if evidence is not None:
            names = ("before evidence", "evidence", "after evidence")
            ticks += _tick_rows(names, (evidence.before, evidence.tick, evidence.after))
        steps = [[step.what, step.calculation, step.result] for step in shown.arithmetic]
        moved = [[row.at, row.family, row.kind, row.amount, row.debit, row.credit] for row in shown.transfers]
        link = reverse("admin:trading_order_receipt", args=[order.pk])
        return format_html(
            '<a href="{}">Download the signed receipt</a> ({} proofs, signed when downloaded){}{}{}{}',
            link,
            shown.proofs,
            _table(["", "From"], facts),
            _table(["Tick", "Seq", "At", "Received", "Bid", "Ask", "Price"], ticks),
            _table(["Step", "Calculation", "Result"], steps),
            _table(["At", "Transfer", "Kind", "Amount", "From", "To"], moved),
        )

    @action(  # type: ignore[untyped-decorator]
        description="Open a dispute",
        url_path="dispute",
        permissions=["dispute"],
        icon="gavel",
        dialog={
            "title": "Open a dispute over this order?",
            "description": "Its ticks stay in the log until the dispute is closed. The result does not change.",
            "form_class": NoteForm,
            "form_submit_text": "Open",
        },
    )
    def dispute(self, request: HttpRequest, form: NoteForm, object_id: str) -> HttpResponse:
        """Open a dispute with the client's words."""
        order = Order.objects.get(pk=object_id)
        try:
            opened = dispute_open(
                order_id=order.pk, by_id=_operator(request), note=form.cleaned_data["note"], now_ms=wall_ms()
            )
        except DisputeStateError:
            messages.error(request, "There is an open dispute over this order already.")
            return HttpResponseRedirect(reverse("admin:trading_order_change", args=[order.pk]))
        self.log_change(request, order, f"Dispute opened: {opened.note}")
        messages.success(request, "The dispute is open.")
        return HttpResponseRedirect(reverse("admin:trading_dispute_change", args=[opened.pk]))


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """Clients' objections and what was found."""

    list_display = ("shown_opened", "order", "note", "shown_closed", "finding")
    list_select_related = ("order",)
    ordering = ("-id",)
    fields = ("order", "shown_opened", "note", "shown_closed", "finding")
    actions_detail: ClassVar[list[str]] = ["close"]

    def has_close_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may close disputes."""
        return request.user.has_perm("trading.change_dispute")

    @admin.display(description="Opened")
    def shown_opened(self, dispute: Dispute) -> str:
        """Return the instant of opening."""
        return rfc3339(dispute.opened_at_ms)

    @admin.display(description="Closed")
    def shown_closed(self, dispute: Dispute) -> str:
        """Return the instant of closing."""
        return optional_rfc3339(dispute.closed_at_ms) or "not yet"

    @action(  # type: ignore[untyped-decorator]
        description="Close",
        url_path="close",
        permissions=["close"],
        icon="task_alt",
        dialog={
            "title": "Close this dispute?",
            "description": "Say what was found. A result stands; goodwill is an adjustment by two persons.",
            "form_class": NoteForm,
            "form_submit_text": "Close",
        },
    )
    def close(self, request: HttpRequest, form: NoteForm, object_id: int) -> HttpResponse:
        """Close the dispute with the finding."""
        finding = form.cleaned_data["note"]
        try:
            closed = dispute_close(dispute_id=object_id, by_id=_operator(request), finding=finding, now_ms=wall_ms())
        except DisputeStateError:
            messages.error(request, "This dispute is closed already.")
        else:
            self.log_change(request, closed, f"Closed: {finding}")
            messages.success(request, "The dispute is closed.")
        return HttpResponseRedirect(reverse("admin:trading_dispute_change", args=[object_id]))


def _operator(request: HttpRequest) -> UUID:
    operator = request.user.pk
    assert isinstance(operator, UUID)
    return operator


def _tick_rows(names: tuple[str, ...], ticks: tuple[ReceiptTick | None, ...]) -> list[list[Any]]:
    return [
        [name, tick.seq, tick.at, tick.received_at, tick.bid or "", tick.ask or "", tick.price]
        for name, tick in zip(names, ticks, strict=True)
        if tick is not None
    ]


def _table(headers: list[str], rows: list[list[Any]]) -> SafeString:
    return render_to_string("unfold/components/table.html", {"table": {"headers": headers, "rows": rows}})
