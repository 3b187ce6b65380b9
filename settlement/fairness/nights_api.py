"""Nightly re-settlements and invariants over REST."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.clock import optional_rfc3339, rfc3339
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.schema import PAGE
from quotes.api import PublicView
from settlement.models import Counts, InvariantNight, ResettledDay, Resettlement

_EPOCH = date(1970, 1, 1)


class CountsSerializer(serializers.Serializer[Any]):
    """What a re-settlement found: orders recomputed, with another result, and without their ticks."""

    checked = serializers.IntegerField()
    differences = serializers.IntegerField()
    unavailable = serializers.IntegerField()


class ResettlementSerializer(CountsSerializer):
    """One re-settlement of all orders settled in [from, to); ``from`` is null when there were none."""

    at = serializers.DateTimeField()
    to = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of Python."""
        return super().get_fields() | {"from": serializers.DateTimeField(allow_null=True)}


class ResettlementPageSerializer(serializers.Serializer[Any]):
    """A page of re-settlements."""

    data = ResettlementSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class ResettledDaySerializer(CountsSerializer):
    """What the newest re-settlement, ``at``, found for the orders settled on a UTC day."""

    day = serializers.DateField()
    at = serializers.DateTimeField()


class ResettledDayPageSerializer(serializers.Serializer[Any]):
    """A page of days."""

    data = ResettledDaySerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class InvariantSerializer(serializers.Serializer[Any]):
    """An invariant and how many rows break it."""

    name = serializers.CharField()
    violations = serializers.IntegerField()


class InvariantNightSerializer(serializers.Serializer[Any]):
    """One check of all invariants."""

    at = serializers.DateTimeField()
    checked = serializers.IntegerField()
    violated = serializers.IntegerField()
    invariants = InvariantSerializer(many=True)


class InvariantNightPageSerializer(serializers.Serializer[Any]):
    """A page of nightly checks."""

    data = InvariantNightSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class ResettlementsView(PublicView):
    """Nightly re-settlements."""

    @extend_schema(
        operation_id="fairness_resettlements",
        parameters=PAGE,
        responses=ResettlementPageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List the nightly re-settlements, newest first."""
        return Response(_nights(request, Resettlement, resettlement_document))


class ResettledDaysView(PublicView):
    """What the newest re-settlement found by day."""

    @extend_schema(
        operation_id="fairness_resettled_days",
        parameters=PAGE,
        responses=ResettledDayPageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List the days on which orders were settled with what was last found for them, newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        days = ResettledDay.objects.order_by("-day")
        if ask.cursor is not None:
            days = days.filter(day__lt=_day_of(ask.cursor))
        return Response(
            page_document(
                list(days[: ask.limit + 1]),
                limit=ask.limit,
                cursor_of=lambda row: Cursor((row.day - _EPOCH).days, "0"),
                show=lambda row: {"day": row.day.isoformat(), "at": rfc3339(row.at_ms)} | _counts(row),
            )
        )


class InvariantsView(PublicView):
    """Nightly checks of the invariants."""

    @extend_schema(
        operation_id="fairness_invariants",
        parameters=PAGE,
        responses=InvariantNightPageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List the nightly checks of all invariants, newest first."""
        return Response(_nights(request, InvariantNight, invariants_document))


def resettlement_document(run: Resettlement) -> dict[str, Any]:
    """Return what is told of a re-settlement."""
    return {"at": rfc3339(run.at_ms), "from": optional_rfc3339(run.from_ms), "to": rfc3339(run.to_ms)} | _counts(run)


def invariants_document(night: InvariantNight) -> dict[str, Any]:
    """Return what is told of a check of the invariants."""
    found = sorted(night.violations.items())
    return {
        "at": rfc3339(night.at_ms),
        "checked": len(found),
        "violated": sum(1 for _, violations in found if violations),
        "invariants": [{"name": name, "violations": violations} for name, violations in found],
    }


def _counts(row: Counts) -> dict[str, int]:
    return {"checked": row.checked, "differences": row.differences, "unavailable": row.unavailable}


def _nights(request: Request, model: Any, show: Any) -> dict[str, object]:
    known_query(request.query_params, "limit", "cursor")
    ask = page_ask(request.query_params)
    rows = model.objects.order_by("-at_ms", "-id")
    if ask.cursor is not None:
        number = int(ask.cursor.id) if ask.cursor.id.isdigit() else 0
        rows = rows.filter(at_ms__lte=ask.cursor.at).exclude(at_ms=ask.cursor.at, id__gte=number)
    return page_document(
        list(rows[: ask.limit + 1]), limit=ask.limit, cursor_of=lambda row: Cursor(row.at_ms, str(row.pk)), show=show
    )


def _day_of(cursor: Cursor) -> date:
    # A day beyond the calendar's ends is the cursor of another list: it is taken for the end that is nearer.
    return _EPOCH + timedelta(days=max(-700_000, min(cursor.at, 2_900_000)))
