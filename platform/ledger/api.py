"""Wallets and statements over REST."""

from __future__ import annotations

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
from kernel.clock import rfc3339
from kernel.errors import Problem, field_invalid
from kernel.http import json_response
from kernel.http.idempotency import answer_once
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.rest import strict_json_loads
from kernel.http.schema import PAGE
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
        parameters=PAGE,
    )
    def get(self, request: Request, wallet_id: UUID) -> Response:
        """List entries, the newest first, complete from the account's opening."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        wallet = wallet_for(self.caller, wallet_id)
        rows = selectors.statement(
            account_id=wallet.id, before_no=ask.cursor.at if ask.cursor else None, limit=ask.limit + 1
        )
        document = page_document(
            rows,
            limit=ask.limit,
            cursor_of=lambda row: Cursor(row.no, str(row.reference)),
            show=lambda row: _entry_document(row, wallet.currency),
        )
        return Response(document)


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
