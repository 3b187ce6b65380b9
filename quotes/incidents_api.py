"""Incidents over REST: emergency revisions and what they did to open orders, for everybody to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import OuterRef, Subquery
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.clock import optional_rfc3339, rfc3339
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from quotes.api import PublicView
from quotes.models import Incident, SymbolRevision


class RevisedTermsSerializer(serializers.Serializer[Any]):
    """What a revision covers; overridden endpoints are told as a custom feed in the symbol's terms."""

    feed = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    price_scale = serializers.IntegerField()
    price_source = serializers.CharField()


class StandingSerializer(serializers.Serializer[Any]):
    """Some of the orders that an incident refunds; the stakes as decimal text."""

    orders = serializers.IntegerField()
    stakes = serializers.CharField()


class WinningSerializer(StandingSerializer):
    """Those that stood to win, with the profit they would have brought."""

    profits = serializers.CharField()


class IncidentLedgerSerializer(serializers.Serializer[Any]):
    """The refunded orders of a ledger: what they would have been by the last price before the revision.

    ``waiting``: they had no opening price yet, or there was no last price.
    """

    ledger = serializers.CharField()
    currency = serializers.CharField()
    won = WinningSerializer()
    lost = StandingSerializer()
    tied = StandingSerializer()
    waiting = StandingSerializer()


class IncidentSerializer(serializers.Serializer[Any]):
    """An emergency revision: it took effect at once, and the orders open then are refunded when they fall due."""

    symbol = serializers.CharField()
    revision = serializers.IntegerField()
    at = serializers.DateTimeField()
    effective_from = serializers.DateTimeField()
    reason = serializers.CharField()
    before = RevisedTermsSerializer()
    after = RevisedTermsSerializer()
    orders = serializers.IntegerField()
    price = serializers.CharField(allow_null=True)
    ledgers = IncidentLedgerSerializer(many=True)


class IncidentPageSerializer(serializers.Serializer[Any]):
    """A page of incidents, newest first."""

    data = IncidentSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class IncidentsView(PublicView):
    """Emergency revisions."""

    @extend_schema(
        operation_id="incidents_list",
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("cursor", str)],
        responses=IncidentPageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List the incidents, newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        return Response(
            page_document(
                _incidents(cursor=ask.cursor, limit=ask.limit + 1),
                limit=ask.limit,
                cursor_of=lambda incident: Cursor(incident.at_ms, str(incident.pk)),
                show=_incident_document,
            )
        )


def _incidents(*, cursor: Cursor | None, limit: int) -> Sequence[Incident]:
    earlier = SymbolRevision.objects.filter(
        symbol=OuterRef("symbol"), number__lt=OuterRef("revision__number"), since_ms__isnull=False
    ).order_by("-number")
    found = Incident.objects.select_related("symbol", "revision").annotate(before_id=Subquery(earlier.values("pk")[:1]))
    if cursor is not None:
        number = int(cursor.id) if cursor.id.isdigit() else 0
        found = found.filter(at_ms__lte=cursor.at).exclude(at_ms=cursor.at, id__gte=number)
    incidents = list(found.order_by("-at_ms", "-id")[:limit])
    before = SymbolRevision.objects.in_bulk([incident.before_id for incident in incidents])
    for incident in incidents:
        incident.before = before[incident.before_id]  # type: ignore[attr-defined]
    return incidents


def _incident_document(incident: Incident) -> dict[str, Any]:
    revision = incident.revision
    return {
        "symbol": incident.symbol.code,
        "revision": revision.number,
        "at": rfc3339(incident.at_ms),
        "effective_from": optional_rfc3339(revision.since_ms),
        "reason": incident.reason,
        "before": _terms_document(incident.before),  # type: ignore[attr-defined]
        "after": _terms_document(revision),
        "orders": incident.orders,
        "price": incident.figures["price"],
        "ledgers": incident.figures["ledgers"],
    }


def _terms_document(revision: SymbolRevision) -> dict[str, Any]:
    return {
        "feed": revision.feed,
        "source": revision.source,
        "price_scale": revision.price_scale,
        "price_source": revision.price_source,
    }
