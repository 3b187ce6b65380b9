"""REST: the caller's durable events."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CallerView
from accounts.domain import ledger_of
from kernel.clock import rfc3339
from kernel.http.pages import integer_query, known_query
from realtime import errors, selectors

_SEQ_MAX = 10**17


class EventSerializer(serializers.Serializer[Any]):
    """One event; ``prev_seq`` is the event before it that the caller may see."""

    seq = serializers.IntegerField()
    prev_seq = serializers.IntegerField()
    v = serializers.IntegerField()
    type = serializers.CharField()
    at = serializers.CharField()
    ledger = serializers.ChoiceField(("real", "demo", "tournament"), allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]


class EventPageSerializer(serializers.Serializer[Any]):
    """Events, ascending, and the user's newest number."""

    data = EventSerializer(many=True)  # type: ignore[assignment]
    last_seq = serializers.IntegerField()


class EventsView(CallerView):
    """The event log of the caller."""

    problems = {"GET": (410,)}

    @extend_schema(
        operation_id="events",
        parameters=[
            OpenApiParameter("after", {"type": "integer", "minimum": 0, "maximum": _SEQ_MAX}),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": selectors.EVENTS_MAX}),
        ],
        responses=EventPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return the events after a number; without one, from the oldest that is kept."""
        known_query(request.query_params, "after", "limit")
        after = integer_query(request.query_params, "after", default=0, least=0, most=_SEQ_MAX)
        limit = integer_query(
            request.query_params, "limit", default=selectors.EVENTS_MAX, least=1, most=selectors.EVENTS_MAX
        )
        caller = self.caller
        page = selectors.events_after(user_id=caller.user_id, after=after, ledgers=caller.ledgers, limit=limit)
        if after < page.floor and "after" in request.query_params:
            raise errors.cursor_expired()
        start = max(after, page.floor)
        previous = selectors.event_before(user_id=caller.user_id, after=start, ledgers=caller.ledgers)
        shown = []
        for event in page.events:
            shown.append(_document(event, previous))
            previous = event.seq
        return Response({"data": shown, "last_seq": page.last_seq})


def _document(event: selectors.StoredEvent, prev_seq: int) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "prev_seq": prev_seq,
        "v": event.version,
        "type": event.type,
        "at": rfc3339(event.at_ms),
        "ledger": ledger_of(event.book),
        "data": msgspec.Raw(event.payload.encode()),
    }
