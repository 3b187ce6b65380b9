"""Operators' pages about orders: to look at, never to touch."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.admin import ReadOnlyAdmin
from accounts.domain import LEDGERS, ledger_of
from accounts.models import User
from kernel.clock import optional_rfc3339, rfc3339, wall_ms
from kernel.money import format_minor, optional_scaled
from quotes.models import Symbol
from trading.models import Order, OrderOpen

_STATE_LABELS = {"open": "info", "won": "success", "lost": "danger", "tied": "warning", "refunded": "warning"}


class LedgerFilter(admin.SimpleListFilter):
    """Orders of one ledger."""

    title = "ledger"
    parameter_name = "ledger"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the ledgers."""
        return [(ledger, ledger) for ledger in LEDGERS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen one's orders."""
        chosen = self.value()
        if chosen is None:
            return queryset
        return queryset.filter(book__startswith="t:") if chosen == "tournament" else queryset.filter(book=chosen)


class SymbolFilter(admin.SimpleListFilter):
    """Orders on one symbol."""

    title = "symbol"
    parameter_name = "symbol"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the symbols."""
        return [(str(pk), code) for pk, code in Symbol.objects.values_list("pk", "code")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen one's orders."""
        chosen = self.value() or ""
        return queryset.filter(symbol_id=int(chosen)) if chosen.isdigit() else queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with their terms, opening, evidence and settlement."""

    list_display = (
        *("shown_accepted", "shown_email", "shown_ledger", "symbol", "direction", "shown_stake"),
        *("payout_percent", "shown_state", "shown_profit", "shown_expires"),
    )
    list_filter = ("state", LedgerFilter, SymbolFilter)
    list_filter_submit = True
    search_fields = ("id", "client_order_id")
    search_help_text = "Order id, client's order id, or e-mail"
    show_full_result_count = False
    # Ids follow the time of acceptance, and their index is there.
    ordering = ("-id",)
    fieldsets: Any = (
        (None, {"fields": ("id", "shown_state", "shown_email", "shown_ledger", "wallet_id", "client_order_id")}),
        (
            "Terms, frozen at acceptance",
            {
                "fields": (
                    *("shown_accepted", "symbol", "direction", "shown_stake", "payout_percent", "shown_expires"),
                    *("entry_rule", "settlement_rule", "max_tick_age_ms", "revision", "price_scale", "source"),
                )
            },
        ),
        ("Opening", {"fields": ("shown_entered", "open_seq", "shown_open_at", "shown_open_price")}),
        ("Evidence", {"fields": ("close_seq", "shown_close_at", "shown_close_price")}),
        (
            "Settlement",
            {"fields": ("shown_settled", "shown_returned", "shown_profit", "reason", "shown_balance", "transfers")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Bring the client's e-mail along."""
        found: QuerySet[Order] = super().get_queryset(request)
        return found.annotate(email=Subquery(User.objects.filter(pk=OuterRef("user_id")).values("email")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Find by whole ids, which indices hold, and by parts of an e-mail."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            users = User.objects.filter(email__icontains=term.lower()).values("pk")[:100]
            return queryset.filter(user_id__in=list(users.values_list("pk", flat=True))), False
        wanted = Q(client_order_id=term)
        try:
            ident = UUID(term)
        except ValueError:
            return queryset.filter(wanted), False
        return queryset.filter(wanted | Q(pk=ident) | Q(user_id=ident) | Q(wallet_id=ident)), False

    @display(description="State", label=_STATE_LABELS)  # type: ignore[untyped-decorator]
    def shown_state(self, order: Order) -> str:
        """Return the state."""
        return order.state

    @admin.display(description="Client")
    def shown_email(self, order: Any) -> str:
        """Return the client's e-mail."""
        return order.email or str(order.user_id)

    @admin.display(description="Ledger")
    def shown_ledger(self, order: Order) -> str:
        """Return the ledger as clients see it."""
        return ledger_of(order.book) or order.book

    @admin.display(description="Stake", ordering="stake")
    def shown_stake(self, order: Order) -> str:
        """Return the stake with its currency."""
        return _money(order.stake, order)

    @admin.display(description="Profit")
    def shown_profit(self, order: Order) -> str:
        """Return what the client gained or lost."""
        return "" if order.payout is None else _money(order.payout - order.stake, order)

    @admin.display(description="Credited")
    def shown_returned(self, order: Order) -> str:
        """Return what was credited, stake included."""
        return "" if order.payout is None else _money(order.payout, order)

    @admin.display(description="Balance after")
    def shown_balance(self, order: Order) -> str:
        """Return the wallet's balance after the newest step."""
        return _money(order.balance_after, order)

    @admin.display(description="Accepted", ordering="id")
    def shown_accepted(self, order: Order) -> str:
        """Return the instant of acceptance."""
        return rfc3339(order.accepted_at_ms)

    @admin.display(description="Expires")
    def shown_expires(self, order: Order) -> str:
        """Return the instant of expiry."""
        return rfc3339(order.expires_at_ms)

    @admin.display(description="Entered")
    def shown_entered(self, order: Order) -> str:
        """Return the instant of entry."""
        return optional_rfc3339(order.entered_at_ms) or "not yet"

    @admin.display(description="Opening tick at")
    def shown_open_at(self, order: Order) -> str:
        """Return the time of the opening tick."""
        return optional_rfc3339(order.open_at_ms) or ""

    @admin.display(description="Opening price")
    def shown_open_price(self, order: Order) -> str:
        """Return the opening price."""
        return optional_scaled(order.open_price, order.price_scale) or ""

    @admin.display(description="Evidence tick at")
    def shown_close_at(self, order: Order) -> str:
        """Return the time of the evidence tick."""
        return optional_rfc3339(order.close_at_ms) or ""

    @admin.display(description="Closing price")
    def shown_close_price(self, order: Order) -> str:
        """Return the closing price."""
        return optional_scaled(order.close_price, order.price_scale) or ""

    @admin.display(description="Settled")
    def shown_settled(self, order: Order) -> str:
        """Return the instant of settlement."""
        return optional_rfc3339(order.settled_at_ms) or "not yet"

    @admin.display(description="Transfers")
    def transfers(self, order: Order) -> SafeString:
        """Return the way to the order's movements of money."""
        return format_html(
            '<a class="underline" href="{}?q={}">of this order</a>',
            reverse("admin:ledger_transfer_changelist"),
            order.pk,
        )


@admin.register(OrderOpen)
class OrderOpenAdmin(ReadOnlyAdmin):
    """What is open and when it is due."""

    list_display = ("order_id", "shown_symbol", "shown_direction", "shown_stake", "shown_expires", "shown_due")
    list_filter = (SymbolFilter,)
    list_select_related = ("order",)
    ordering = ("expires_at_ms", "order_id")
    fields = ("shown_order", "shown_symbol", "wallet_id", "shown_stake", "shown_expires", "shown_due")

    @admin.display(description="Order")
    def shown_order(self, row: OrderOpen) -> SafeString:
        """Return the way to the order."""
        link = reverse("admin:trading_order_change", args=[row.pk])
        return format_html('<a class="underline" href="{}">{}</a>', link, row.pk)

    @admin.display(description="Symbol")
    def shown_symbol(self, row: OrderOpen) -> str:
        """Return the symbol's code."""
        return row.order.symbol

    @admin.display(description="Direction")
    def shown_direction(self, row: OrderOpen) -> str:
        """Return where the client says the price goes."""
        return row.order.direction

    @admin.display(description="Stake")
    def shown_stake(self, row: OrderOpen) -> str:
        """Return the stake with its currency."""
        return _money(row.order.stake, row.order)

    @admin.display(description="Expires", ordering="expires_at_ms")
    def shown_expires(self, row: OrderOpen) -> str:
        """Return the instant of expiry."""
        return rfc3339(row.expires_at_ms)

    @admin.display(description="Due")
    def shown_due(self, row: OrderOpen) -> str:
        """Return how far away expiry is, or how long ago it was."""
        left_ms = row.expires_at_ms - wall_ms()
        return f"in {left_ms / 1000:.1f} s" if left_ms >= 0 else f"since {-left_ms / 1000:.1f} s"


def _money(amount: int, order: Order) -> str:
    return f"{format_minor(amount, order.currency)} {order.currency}"
