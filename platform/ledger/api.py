"""Wallets and statements over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CallerView
from accounts.callers import Caller
from accounts.domain import ledger_of
from kernel.clock import optional_rfc3339, rfc3339
from kernel.errors import Problem, field_invalid
from kernel.http import json_response
from kernel.http.idempotency import answer_once
from kernel.http.pages import Cursor, known_query, page_ask, page_document, span_query
from kernel.http.rest import strict_json_loads
from kernel.http.schema import FROM, PAGE, TO
from kernel.money import format_minor
from ledger import errors, selectors, services


class WalletSerializer(serializers.Serializer[Any]):
    """A wallet of one ledger; money as decimal text."""

    id = serializers.UUIDField()
    ledger = serializers.ChoiceField(["real", "demo", "tournament"])
    kind = serializers.CharField()
    tournament_id = serializers.UUIDField(allow_null=True)
    currency = serializers.CharField()
    balance = serializers.CharField()
    open_stakes = serializers.CharField()
    state = serializers.CharField()


class EntrySerializer(serializers.Serializer[Any]):
    """One line of a statement; ``amount`` is signed, ``note`` is why money was moved by hand, null else."""

    no = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    detail = serializers.CharField()
    amount = serializers.CharField()
    balance_after = serializers.CharField()
    reference = serializers.UUIDField()
    note = serializers.CharField(allow_null=True)


class EntryPageSerializer(serializers.Serializer[Any]):
    """A page of a statement."""

    data = EntrySerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class KindSumSerializer(serializers.Serializer[Any]):
    """What the entries of one kind came to; ``amount`` is signed."""

    kind = serializers.CharField()
    detail = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.CharField()


class PeriodSerializer(serializers.Serializer[Any]):
    """A wallet's time: opening + sums = closing. ``from`` is null from the opening on, ``to`` is null until now."""

    currency = serializers.CharField()
    opening = serializers.CharField()
    closing = serializers.CharField()
    entries = serializers.IntegerField()
    sums = KindSumSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields, two of which are named as Python names nothing."""
        own = super().get_fields()
        return {
            "from": serializers.DateTimeField(allow_null=True),
            "to": serializers.DateTimeField(allow_null=True),
        } | own


class WalletPageSerializer(serializers.Serializer[Any]):
    """All wallets of the caller."""

    data = WalletSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


def wallet_document(row: selectors.WalletRow) -> dict[str, object]:
    """Return a wallet as the API shows it."""
    return {
        "id": row.id,
        "ledger": ledger_of(row.book),
        "kind": row.kind,
        "tournament_id": row.book.removeprefix("t:") if row.book.startswith("t:") else None,
        "currency": row.currency,
        "balance": format_minor(row.balance, row.currency),
        "open_stakes": format_minor(row.open_stakes, row.currency),
        "state": "open",
    }


def wallet_for(caller: Caller, wallet_id: UUID) -> selectors.WalletRow:
    """Return one of the caller's wallets that the caller's token may see.

    :raises Problem: ``wallet.unknown``
    """
    row = selectors.wallet_of(user_id=caller.user_id, wallet_id=wallet_id)
    if row is None or not caller.may_see(ledger_of(row.book)):
        raise errors.wallet_unknown()
    return row


class WalletListView(CallerView):
    """The caller's wallets."""

    @extend_schema(responses=WalletPageSerializer)
    def get(self, request: Request) -> Response:
        """List wallets, the oldest first."""
        known_query(request.query_params, "limit", "cursor")
        page_ask(request.query_params)
        rows = [row for row in selectors.wallets_of(self.caller.user_id) if self.caller.may_see(ledger_of(row.book))]
        return Response({"data": [wallet_document(row) for row in rows], "next_cursor": None})


class WalletRefillView(CallerView):
    """The demo wallet's refill."""

    scopes = {"POST": "trade"}

    @extend_schema(
        request={"application/json": {"type": "object", "additionalProperties": False}},
        responses=WalletSerializer,
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)],
    )
    def post(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Set the demo wallet back to its opening balance."""
        if self.caller.banned:
            raise Problem("account.banned", status=403, title="This account is banned.")
        django_request = request._request

        def perform() -> HttpResponse:
            _require_empty_object(django_request.body)
            wallet_for(self.caller, wallet_id)
            services.demo_refill(user_id=self.caller.user_id, wallet_id=wallet_id)
            return json_response(wallet_document(wallet_for(self.caller, wallet_id)))

        return answer_once(django_request, user_id=self.caller.user_id, perform=perform)


class WalletEntriesView(CallerView):
    """A wallet's statement."""

    @extend_schema(
        responses=EntryPageSerializer,
        parameters=[OpenApiParameter("reference", UUID, description="The entries of one order alone"), FROM, TO, *PAGE],
    )
    def get(self, request: Request, wallet_id: UUID) -> Response:
        """List entries, the newest first, complete from the account's opening."""
        query = request.query_params
        known_query(query, "reference", "from", "to", "limit", "cursor")
        ask = page_ask(query)
        wallet = wallet_for(self.caller, wallet_id)
        if "reference" in query:
            return self._of_reference(query, wallet)
        least, before = _numbers(query, wallet)
        rows = selectors.statement(
            account_id=wallet.id,
            before_no=min(before, ask.cursor.at) if ask.cursor else before,
            least_no=least,
            limit=ask.limit + 1,
        )
        document = page_document(
            rows,
            limit=ask.limit,
            cursor_of=lambda row: Cursor(row.no, str(row.reference)),
            show=lambda row: _entry_document(row, wallet.currency),
        )
        return Response(document)

    def _of_reference(self, query: Mapping[str, str], wallet: selectors.WalletRow) -> Response:
        """Return the few entries of one fact.

        :raises Problem: ``request.invalid``
        """
        if alone := [name for name in ("from", "to", "cursor") if name in query]:
            raise field_invalid(alone[0], "is not a parameter beside reference")
        try:
            reference = UUID(query["reference"])
        except ValueError:
            raise field_invalid("reference", "must be a UUID") from None
        rows = selectors.entries_of_reference(account_id=wallet.id, reference=reference)
        return Response({"data": [_entry_document(row, wallet.currency) for row in rows], "next_cursor": None})


class WalletPeriodView(CallerView):
    """Where a wallet stood before and after a time."""

    rate_groups = {"GET": "statistics"}

    @extend_schema(operation_id="wallets_period", responses=PeriodSerializer, parameters=[FROM, TO])
    def get(self, request: Request, wallet_id: UUID) -> Response:
        """Show opening and closing balance of a time, and the sums of the entries in it: opening + sums = closing."""
        query = request.query_params
        known_query(query, "from", "to")
        wallet = wallet_for(self.caller, wallet_id)
        from_ms, to_ms = span_query(query)
        found = selectors.period_of(account_id=wallet.id, from_ms=from_ms, to_ms=to_ms)

        def money(amount: int) -> str:
            return format_minor(amount, wallet.currency)

        sums = [
            {"kind": each.family, "detail": each.kind, "count": each.count, "amount": money(each.amount)}
            for each in found.sums
        ]
        return Response(
            {
                "from": optional_rfc3339(from_ms),
                "to": optional_rfc3339(to_ms),
                "currency": wallet.currency,
                "opening": money(found.opening),
                "closing": money(found.closing),
                "entries": sum(each.count for each in found.sums),
                "sums": sums,
            }
        )


def _numbers(query: Mapping[str, str], wallet: selectors.WalletRow) -> tuple[int, int]:
    from_ms, to_ms = span_query(query)
    return selectors.numbers_between(account_id=wallet.id, from_ms=from_ms, to_ms=to_ms)


def _entry_document(row: selectors.StatementRow, currency: str) -> dict[str, object]:
    return {
        "no": row.no,
        "at": rfc3339(row.at_ms),
        "kind": row.family,
        "detail": row.kind,
        "amount": format_minor(row.amount, currency),
        "balance_after": format_minor(row.balance_after, currency),
        "reference": row.reference,
        "note": row.note,
    }


def _require_empty_object(body: bytes) -> None:
    try:
        given = strict_json_loads(body or b"{}")
    except ValueError:
        raise field_invalid("", "is not JSON") from None
    if given != {} or not isinstance(given, dict):
        raise field_invalid("", "must be an empty object", code="unknown")
