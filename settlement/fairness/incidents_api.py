"""Incidents over REST: what operators stopped and revised, and where feeds left gaps, in one list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel import db
from kernel.clock import optional_rfc3339, rfc3339
from kernel.errors import field_invalid
from kernel.http.pages import Cursor, instant_query, known_query, page_ask, page_document
from kernel.http.schema import FROM, PAGE, TO
from quotes.api import PublicView

KINDS = ("revision", "halted", "close_only", "no_tick", "silent")

# What of a table belongs to the page: the numbers of the three tables are made one series, so that a cursor knows its
# place among incidents of the same millisecond.
_PART = """
    (%(symbol)s::text IS NULL OR symbol_id = (SELECT id FROM quotes_symbol WHERE code = %(symbol)s))
    AND {at} >= %(from_ms)s AND {at} < %(to_ms)s
    AND {at} <= %(before_ms)s AND ({at}, id * 3 + {series}) < (%(before_ms)s, %(before_number)s)
    ORDER BY {at} DESC, id DESC LIMIT %(limit)s"""

# An act of an operator lasts until the next one on the same symbol.
_INCIDENTS = f"""
WITH part AS (
    (SELECT 'revision' AS kind, symbol_id, at_ms AS from_ms, at_ms AS to_ms, reason, NULL::int AS limit_ms, orders,
            id * 3 AS number
     FROM quotes_incident WHERE 'revision' = ANY(%(kinds)s) AND {_PART.format(at="at_ms", series=0)})
    UNION ALL
    (SELECT state, symbol_id, at_ms, (
            SELECT min(later.at_ms) FROM quotes_halt_change AS later
            WHERE later.symbol_id = act.symbol_id AND (later.at_ms, later.id) > (act.at_ms, act.id)),
            reason, NULL, NULL, id * 3 + 1
     FROM quotes_halt_change AS act WHERE state = ANY(%(kinds)s) AND {_PART.format(at="at_ms", series=1)})
    UNION ALL
    (SELECT kind, symbol_id, from_ms, to_ms, NULL, limit_ms, NULL, id * 3 + 2
     FROM quotes_feed_gap WHERE kind = ANY(%(kinds)s) AND {_PART.format(at="from_ms", series=2)})
)
SELECT part.kind, symbol.code, part.from_ms, part.to_ms, part.reason, part.limit_ms, part.orders, part.number
FROM part JOIN quotes_symbol AS symbol ON symbol.id = part.symbol_id
ORDER BY part.from_ms DESC, part.number DESC LIMIT %(limit)s"""

_END = 2**62


class FairnessIncidentSerializer(serializers.Serializer[Any]):
    """An incident; ``ended_at`` is null while it lasts.

    ``reason``: the operator's, null for gaps of a feed. ``limit_ms``: how long a feed may be silent, or without a tick,
    before that is a gap. ``orders``: how many open orders an emergency revision refunds.
    """

    kind = serializers.ChoiceField(KINDS)
    symbol = serializers.CharField()
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    limit_ms = serializers.IntegerField(allow_null=True)
    orders = serializers.IntegerField(allow_null=True)


class FairnessIncidentPageSerializer(serializers.Serializer[Any]):
    """A page of incidents, newest first."""

    data = FairnessIncidentSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class FairnessIncidentsView(PublicView):
    """Halts, emergency revisions and feed gaps."""

    @extend_schema(
        operation_id="fairness_incidents",
        parameters=[
            OpenApiParameter("kind", str, enum=KINDS),
            OpenApiParameter("symbol", str),
            FROM,
            TO,
            *PAGE,
        ],
        responses=FairnessIncidentPageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List incidents by their beginning, newest first; those that began in [from, to)."""
        query = request.query_params
        known_query(query, "kind", "symbol", "from", "to", "limit", "cursor")
        ask = page_ask(query)
        return Response(
            page_document(
                db.rows(_INCIDENTS, _asked(query, ask.cursor) | {"limit": ask.limit + 1}),
                limit=ask.limit,
                cursor_of=lambda row: Cursor(row[2], str(row[-1])),
                show=_incident_document,
            )
        )


def _asked(query: Mapping[str, str], cursor: Cursor | None) -> dict[str, Any]:
    kind = query.get("kind")
    if kind not in (None, *KINDS):
        raise field_invalid("kind", "must be one of " + " ".join(KINDS))
    from_ms, to_ms = instant_query(query, "from"), instant_query(query, "to")
    number = int(cursor.id) if cursor is not None and cursor.id.isdigit() else 0
    return {
        "kinds": list(KINDS) if kind is None else [kind],
        "symbol": query.get("symbol"),
        "from_ms": -_END if from_ms is None else from_ms,
        "to_ms": _END if to_ms is None else to_ms,
        "before_ms": _END if cursor is None else cursor.at,
        "before_number": _END if cursor is None else min(number, _END),
    }


def _incident_document(row: tuple[Any, ...]) -> dict[str, Any]:
    kind, symbol, from_ms, to_ms, reason, limit_ms, orders, _ = row
    return {
        "kind": kind,
        "symbol": symbol,
        "began_at": rfc3339(from_ms),
        "ended_at": optional_rfc3339(to_ms),
        "reason": reason,
        "limit_ms": limit_ms,
        "orders": orders,
    }
