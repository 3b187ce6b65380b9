"""Operators' pages about money: accounts, transfers, adjustments. Nothing in this file moves anything."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import ReadOnlyAdmin, ShownInstant
from kernel.clock import rfc3339
from kernel.money import format_minor
from ledger import selectors
from ledger.admin_requests import money
from ledger.models import Account, Adjustment, Transfer

_STATEMENT_ROWS = 50
_CHECKPOINT_ROWS = 10


class HouseFilter(admin.SimpleListFilter):
    """Accounts of users, or of the house."""

    title = "owner"
    parameter_name = "house"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("no", "users"), ("yes", "the house")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        """Keep the chosen ones."""
        return queryset if self.value() is None else queryset.filter(owner__isnull=self.value() == "yes")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts with their statements; the house's balances are sums of transfers."""

    list_display = ("shown_owner", "book", "kind", "currency", "shown_balance", "entry_no", "id")
    list_filter = (HouseFilter, "book", "kind", "currency")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__email")
    search_help_text = "Account id or e-mail"
    ordering = ("-opened_at_ms", "kind", "stripe")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("id", "shown_owner", "book", "kind", "stripe", "currency", "wallet", "shown_opened")}),
        ("Balance", {"fields": ("shown_total", "shown_kind_total", "entry_no")}),
        ("Statement", {"fields": ("statement",)}),
        ("Checkpoints", {"fields": ("checkpoints",)}),
    )

    @admin.display(description="Owner", ordering="owner__email")
    def shown_owner(self, account: Account) -> str:
        """Return the owner's e-mail, or the house."""
        return "the house" if account.owner is None else account.owner.email

    @admin.display(description="Balance", ordering="balance")
    def shown_balance(self, account: Account) -> str:
        """Return the stored balance; the house's is computed on its page."""
        return "computed" if account.balance is None else money(account.balance, account.currency)

    @admin.display(description="Balance")
    def shown_total(self, account: Account) -> str:
        """Return the balance: stored for a user's account, the sum of the transfers for the house's."""
        if account.balance is not None:
            return money(account.balance, account.currency)
        return money(selectors.house_total([account.pk]), account.currency)

    @admin.display(description="All accounts of this kind in this book and currency")
    def shown_kind_total(self, account: Account) -> str:
        """Return what the house holds in all its equal accounts together."""
        if account.balance is not None:
            return ""
        equal = Account.objects.filter(
            owner__isnull=True, book=account.book, currency=account.currency, kind=account.kind
        )
        return money(selectors.house_total(list(equal.values_list("pk", flat=True))), account.currency)

    @admin.display(description="Opened")
    def shown_opened(self, account: Account) -> str:
        """Return the instant of opening."""
        return "with the platform" if account.opened_at_ms == 0 else rfc3339(account.opened_at_ms)

    @admin.display(description="Newest entries")
    def statement(self, account: Account) -> SafeString:
        """Return the newest lines of the statement, and the way to all transfers."""
        table: str
        if account.balance is None:
            table = "The house keeps no entry numbers; its movements are in the list of transfers."
        else:
            rows = selectors.statement(account_id=account.pk, before_no=None, limit=_STATEMENT_ROWS)
            headers = ["No", "At", "What", "Amount", "Balance after", "Reference", "Note"]
            table = _table(headers, [_statement_row(row, account.currency) for row in rows])
        link = reverse("admin:ledger_transfer_changelist")
        return format_html(
            '{}<p class="pt-3"><a class="underline" href="{}?q={}">All transfers</a></p>', table, link, account.pk
        )

    @admin.display(description="Newest days that moved it")
    def checkpoints(self, account: Account) -> SafeString:
        """Return where the account stood when those days ended."""
        headers = ["Day", "Last entry", "Balance", "Hash"]
        rows = [
            [row.day, row.entry_no or "", money(row.balance, account.currency), row.hash.hex()]
            for row in selectors.checkpoints_of(account.pk, limit=_CHECKPOINT_ROWS)
        ]
        return _table(headers, rows)


@admin.register(Transfer)
class TransferAdmin(ShownInstant):
    """Movements of money, for ever."""

    list_display = ("shown_at", "family", "kind", "shown_amount", "book", "shown_from", "shown_to", "reference")
    list_filter = ("family", "book", "currency")
    list_select_related = ("debit_account__owner", "credit_account__owner")
    search_fields = ("id",)
    search_help_text = "Id of a transfer, an account, or an order"
    ordering = ("-id",)
    show_full_result_count = False
    fields = (
        *("id", "shown_at", "family", "kind", "shown_amount", "book", "shown_from", "shown_to", "reference"),
        *("entry_id", "debit_no", "shown_debit_after", "credit_no", "shown_credit_after"),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transfer], search_term: str
    ) -> tuple[QuerySet[Transfer], bool]:
        """Find by whole ids."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            ident = UUID(term)
        except ValueError:
            return queryset.none(), False
        sides = Q(debit_account_id=ident) | Q(credit_account_id=ident)
        return queryset.filter(Q(pk=ident) | Q(reference=ident) | Q(entry_id=ident) | sides), False

    @admin.display(description="Amount", ordering="amount")
    def shown_amount(self, transfer: Transfer) -> str:
        """Return the amount with its currency."""
        return money(transfer.amount, transfer.currency)

    @admin.display(description="From")
    def shown_from(self, transfer: Transfer) -> str:
        """Return the account that the amount left."""
        return _place(transfer.debit_account)

    @admin.display(description="To")
    def shown_to(self, transfer: Transfer) -> str:
        """Return the account that the amount reached."""
        return _place(transfer.credit_account)

    @admin.display(description="Balance left behind")
    def shown_debit_after(self, transfer: Transfer) -> str:
        """Return the balance after it on the debited side."""
        return "" if transfer.debit_after is None else money(transfer.debit_after, transfer.currency)

    @admin.display(description="Balance reached")
    def shown_credit_after(self, transfer: Transfer) -> str:
        """Return the balance after it on the credited side."""
        return "" if transfer.credit_after is None else money(transfer.credit_after, transfer.currency)


@admin.register(Adjustment)
class AdjustmentAdmin(ShownInstant):
    """Money moved by hand, with the reason."""

    list_display = ("shown_at", "shown_owner", "shown_amount", "reason", "origin", "shown_asked", "shown_approved")
    list_filter = ("origin",)
    list_select_related = ("account__owner", "request__requested_by", "request__decided_by")
    search_fields = ("account__owner__email", "reason")
    ordering = ("-id",)
    fields = (
        *("id", "shown_at", "shown_owner", "account", "shown_amount", "reason", "origin", "request"),
        *("shown_asked", "shown_approved"),
    )

    @admin.display(description="Client")
    def shown_owner(self, adjustment: Adjustment) -> str:
        """Return the client's e-mail."""
        owner = adjustment.account.owner
        return "" if owner is None else owner.email

    @admin.display(description="Asked for by")
    def shown_asked(self, adjustment: Adjustment) -> str:
        """Return who asked for it."""
        return "" if adjustment.request is None else adjustment.request.requested_by.email

    @admin.display(description="Approved by")
    def shown_approved(self, adjustment: Adjustment) -> str:
        """Return the second person."""
        approver = None if adjustment.request is None else adjustment.request.decided_by
        return "" if approver is None else approver.email

    @admin.display(description="Amount")
    def shown_amount(self, adjustment: Adjustment) -> str:
        """Return the signed amount with its currency."""
        return money(adjustment.amount, adjustment.account.currency)


def _statement_row(row: selectors.StatementRow, currency: str) -> list[Any]:
    amount, after = format_minor(row.amount, currency), format_minor(row.balance_after, currency)
    return [row.no, rfc3339(row.at_ms), f"{row.family} {row.kind}", amount, after, row.reference, row.note or ""]


def _place(account: Account) -> str:
    owner = "the house" if account.owner is None else account.owner.email
    return f"{owner}: {account.kind}"


def _table(headers: list[str], rows: list[list[Any]]) -> SafeString:
    return render_to_string("unfold/components/table.html", {"table": {"headers": headers, "rows": rows}})
