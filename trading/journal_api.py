"""The journal over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CallerView
from accounts.callers import Caller
from accounts.domain import LEDGERS, ledger_of
from accounts.errors import ledger_forbidden
from kernel.clock import optional_rfc3339
from kernel.errors import field_invalid, not_found
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.schema import PAGE
from trading import journal
from trading.api import OrderSerializer
from trading.events import order_document
from trading.models import NOTE_LENGTH_MAX, TAGS_MAX, JournalEntry

_LEDGER = OpenApiParameter("ledger", str, enum=LEDGERS)


class JournalEntrySerializer(serializers.Serializer[Any]):
    """What a client noted about an order; empty and never written where nothing is noted."""

    order_id = serializers.UUIDField()
    note = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    written_at = serializers.DateTimeField(allow_null=True)


class JournalRowSerializer(JournalEntrySerializer):
    """An entry with the order that it is about."""

    order = OrderSerializer()


class JournalPageSerializer(serializers.Serializer[Any]):
    """A page of the journal."""

    data = JournalRowSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class JournalTagSerializer(serializers.Serializer[Any]):
    """A tag, and how many orders bear it."""

    tag = serializers.CharField()
    count = serializers.IntegerField()


class JournalTagsSerializer(serializers.Serializer[Any]):
    """All tags, the most used first."""

    data = JournalTagSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class JournalRequestSerializer(serializers.Serializer[Any]):
    """A whole entry: what is not named is empty."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=NOTE_LENGTH_MAX)
    tags = serializers.ListField(child=serializers.CharField(), required=False, max_length=TAGS_MAX)


class OrderJournalView(CallerView):
    """What the caller noted about an order."""

    scopes = {"PUT": "trade"}

    @extend_schema(operation_id="order_journal", responses=JournalEntrySerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        """Show the entry of an order, empty where nothing is noted."""
        known_query(request.query_params)
        return self._answer(order_id)

    @extend_schema(
        operation_id="order_journal_put",
        request=JournalRequestSerializer,
        responses=JournalEntrySerializer,
        examples=[OpenApiExample("Entry", {"note": "Late entry.", "tags": ["news", "late"]}, request_only=True)],
    )
    def put(self, request: Request, order_id: UUID) -> Response:
        """Write the whole entry; an empty note without tags takes it away."""
        known_query(request.query_params)
        noted = journal.noted_parsed(request.data)
        self._require_seen(order_id)
        journal.entry_put(user_id=self.caller.user_id, order_id=order_id, noted=noted)
        return self._answer(order_id)

    def _require_seen(self, order_id: UUID) -> None:
        order = journal.order_seen(user_id=self.caller.user_id, order_id=order_id)
        if order is None or not self.caller.may_see(ledger_of(order.book)):
            raise not_found()

    def _answer(self, order_id: UUID) -> Response:
        self._require_seen(order_id)
        return Response(_entry(order_id, journal.entry_of(user_id=self.caller.user_id, order_id=order_id)))


class JournalView(CallerView):
    """The caller's journal."""

    @extend_schema(
        operation_id="journal",
        responses=JournalPageSerializer,
        parameters=[_LEDGER, OpenApiParameter("tag", str), OpenApiParameter("symbol", str), *PAGE],
    )
    def get(self, request: Request) -> Response:
        """List entries with their orders, those on the newest orders first."""
        query = request.query_params
        known_query(query, "ledger", "tag", "symbol", "limit", "cursor")
        ask, tag = page_ask(query), query.get("tag")
        rows = journal.entries_of(
            user_id=self.caller.user_id,
            ledgers=_ledgers(request, self.caller),
            tag=None if tag is None else journal.tag_named(tag),
            symbol=query.get("symbol"),
            cursor=ask.cursor,
            limit=ask.limit + 1,
        )
        document = page_document(
            rows,
            limit=ask.limit,
            cursor_of=lambda entry: Cursor(entry.accepted_at_ms, str(entry.order_id)),
            show=lambda entry: _entry(entry.order_id, entry) | {"order": order_document(entry.order)},
        )
        return Response(document)


class JournalTagsView(CallerView):
    """The caller's tags."""

    @extend_schema(operation_id="journal_tags", responses=JournalTagsSerializer, parameters=[_LEDGER])
    def get(self, request: Request) -> Response:
        """List tags with their numbers of orders, the most used first."""
        known_query(request.query_params, "ledger")
        tags = journal.tags_of(user_id=self.caller.user_id, ledgers=_ledgers(request, self.caller))
        return Response({"data": [{"tag": each.tag, "count": each.count} for each in tags], "next_cursor": None})


def _ledgers(request: Request, caller: Caller) -> list[str] | None:
    """Return the ledgers that are asked for and may be seen; None for all.

    :raises Problem: ``request.invalid``, ``auth.ledger``
    """
    ledger = request.query_params.get("ledger")
    if ledger is None:
        return None if caller.ledgers is None else sorted(caller.ledgers)
    if ledger not in LEDGERS:
        raise field_invalid("ledger", "must be real, demo or tournament")
    if not caller.may_see(ledger):
        raise ledger_forbidden()
    return [ledger]


def _entry(order_id: UUID, entry: JournalEntry | None) -> dict[str, object]:
    return {
        "order_id": order_id,
        "note": "" if entry is None else entry.note,
        "tags": [] if entry is None else entry.tags,
        "written_at": optional_rfc3339(None if entry is None else entry.written_at_ms),
    }
