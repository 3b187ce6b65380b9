"""Statistics of the caller's own orders over REST."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction
from django.db.utils import DataError
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CallerView
from accounts.errors import ledger_forbidden
from kernel.clock import rfc3339, wall_ms
from kernel.errors import field_invalid
from kernel.http.pages import known_query, span_query
from kernel.http.schema import FROM, TO
from kernel.money import CURRENCY_SCALES, DEFAULT_CURRENCY, format_minor
from ledger.domain import DEMO, REAL
from ledger.selectors import wallets_of
from trading import journal
from trading.figures import DURATION_BOUNDS_S, FEW, Tally, Verdict, break_even, ratio, rounded, verdict, wilson
from trading.statistics import GROUPS_MAX, ORDERS_MAX, Asked, Statistics, statistics_of

DAY_MS = 86_400_000
SPAN_DAYS_MAX = 366
SPAN_DAYS_DEFAULT = 30
# A share of an order's money is told with two places more than money has.
_FINER = 2
_KINDS = ("hour", "weekday", "symbol", "duration", "direction", "tag")
_DURATIONS = [*(str(bound) for bound in DURATION_BOUNDS_S), "more"]
# Kinds whose keys have an order of their own; the others begin with the most orders.
_ORDERS_OF_KEYS = {
    "hour": [str(hour) for hour in range(24)],
    "weekday": [str(day) for day in range(1, 8)],
    "duration": _DURATIONS,
    "direction": ["up", "down"],
}


class OrderFiguresSerializer(serializers.Serializer[Any]):
    """Figures of settled orders; ``win_percent`` and ``interval`` are of ``decided`` = won + lost."""

    orders = serializers.IntegerField()
    decided = serializers.IntegerField()
    won = serializers.IntegerField()
    lost = serializers.IntegerField()
    tied = serializers.IntegerField()
    refunded = serializers.IntegerField()
    win_percent = serializers.CharField(allow_null=True)
    interval = serializers.ListField(
        child=serializers.CharField(), min_length=2, max_length=2, allow_null=True, help_text="Wilson, 95 %"
    )
    break_even_percent = serializers.CharField(allow_null=True)
    verdict = serializers.ChoiceField([one.value for one in Verdict])
    turnover = serializers.CharField()
    profit = serializers.CharField()
    expectancy = serializers.CharField(allow_null=True, help_text="profit for each decided order")
    return_percent = serializers.CharField(allow_null=True, help_text="profit in percent of turnover")


class FiguresGroupSerializer(OrderFiguresSerializer):
    """Figures of the orders that have something in common."""

    key = serializers.CharField()


class FiguresGroupsSerializer(serializers.Serializer[Any]):
    """The same orders by what they have in common."""

    hour = FiguresGroupSerializer(many=True)
    weekday = FiguresGroupSerializer(many=True)
    symbol = FiguresGroupSerializer(many=True)
    duration = FiguresGroupSerializer(many=True)
    direction = FiguresGroupSerializer(many=True)
    tag = FiguresGroupSerializer(many=True)


class StatisticsSerializer(serializers.Serializer[Any]):
    """Statistics of a time."""

    ledger = serializers.CharField()
    currency = serializers.CharField()
    zone = serializers.CharField()
    few = serializers.IntegerField(help_text="of fewer decided orders nothing is concluded")
    truncated = serializers.BooleanField(help_text="whether older orders of this time were left out")
    all = OrderFiguresSerializer()
    longest_losing_run = serializers.IntegerField()
    groups = FiguresGroupsSerializer()

    def get_fields(self) -> dict[str, Any]:
        """Return the fields, two of which are named as Python names nothing."""
        own = super().get_fields()
        return {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()} | own


class StatisticsView(CallerView):
    """Statistics of the caller's settled orders."""

    rate_groups = {"GET": "statistics"}

    @extend_schema(
        operation_id="statistics",
        responses=StatisticsSerializer,
        parameters=[
            OpenApiParameter("ledger", str, enum=[REAL, DEMO], required=True),
            OpenApiParameter("symbol", str),
            OpenApiParameter("tag", str),
            OpenApiParameter("zone", str, description="IANA name of the time zone of hours and weekdays, else UTC"),
            FROM,
            TO,
        ],
    )
    def get(self, request: Request) -> Response:
        """Count the settled orders accepted in at most 366 days, the last 30 unless asked otherwise."""
        asked = self._asked(request)
        # One more than is shown would cost a second count: what reaches the bound may have been cut.
        found = _counted(asked)
        currency = next((row.currency for row in wallets_of(asked.user_id) if row.book == asked.book), DEFAULT_CURRENCY)
        return Response(_document(asked, found, currency))

    def _asked(self, request: Request) -> Asked:
        query = request.query_params
        known_query(query, "ledger", "symbol", "tag", "zone", "from", "to")
        ledger = query.get("ledger")
        if ledger not in (REAL, DEMO):
            raise field_invalid("ledger", "must be real or demo")
        if not self.caller.may_see(ledger):
            raise ledger_forbidden()
        zone, tag = query.get("zone", "UTC"), query.get("tag")
        if zone not in _zones():
            raise field_invalid("zone", "must be the IANA name of a time zone, such as Europe/Madrid")
        from_ms, to_ms = _span(*span_query(query))
        return Asked(
            user_id=self.caller.user_id,
            book=ledger,
            from_ms=from_ms,
            to_ms=to_ms,
            zone=zone,
            symbol=query.get("symbol"),
            tag=None if tag is None else journal.tag_named(tag),
        )


def _span(from_ms: int | None, to_ms: int | None) -> tuple[int, int]:
    to_ms = wall_ms() if to_ms is None else to_ms
    from_ms = max(0, to_ms - SPAN_DAYS_DEFAULT * DAY_MS) if from_ms is None else from_ms
    if from_ms >= to_ms:
        raise field_invalid("from", "must be before to")
    if to_ms - from_ms > SPAN_DAYS_MAX * DAY_MS:
        raise field_invalid("from", f"must be at most {SPAN_DAYS_MAX} days before to")
    return from_ms, to_ms


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _counted(asked: Asked) -> Statistics:
    try:
        with transaction.atomic():
            return statistics_of(asked)
    except DataError:
        # The database has a list of zones of its own.
        raise field_invalid("zone", "is a time zone that the database does not know") from None


def _document(asked: Asked, found: Statistics, currency: str) -> dict[str, object]:
    groups = {kind: _group(kind, found.groups.get(kind, {}), currency) for kind in _KINDS}
    return {
        "from": rfc3339(asked.from_ms),
        "to": rfc3339(asked.to_ms),
        "ledger": asked.book,
        "currency": currency,
        "zone": asked.zone,
        "few": FEW,
        "truncated": found.all.orders >= ORDERS_MAX,
        "all": figures(found.all, currency),
        "longest_losing_run": found.longest_losing_run,
        "groups": groups,
    }


def _group(kind: str, tallies: dict[str, Tally], currency: str) -> list[dict[str, object]]:
    known = _ORDERS_OF_KEYS.get(kind)
    keys = sorted(tallies, key=known.index) if known else sorted(tallies, key=lambda key: (-tallies[key].orders, key))
    return [{"key": key} | figures(tallies[key], currency) for key in keys[:GROUPS_MAX]]


def figures(tally: Tally, currency: str) -> dict[str, object]:
    """Return a tally as clients see it: amounts and shares as decimal text."""
    needed, interval = break_even(tally), wilson(tally.won, tally.decided)
    scale = CURRENCY_SCALES[currency]
    expectancy = ratio(tally.profit, tally.decided * 10**scale, scale + _FINER)
    return {
        "orders": tally.orders,
        "decided": tally.decided,
        "won": tally.won,
        "lost": tally.lost,
        "tied": tally.tied,
        "refunded": tally.refunded,
        "win_percent": _text(ratio(100 * tally.won, tally.decided, 1)),
        "interval": None if interval is None else [f"{bound:.1f}" for bound in interval],
        "break_even_percent": None if needed is None else _text(rounded(needed, 1)),
        "verdict": verdict(tally).value,
        "turnover": format_minor(tally.stakes, currency),
        "profit": format_minor(tally.profit, currency),
        "expectancy": _text(expectancy),
        "return_percent": _text(ratio(100 * tally.profit, tally.stakes, 2)),
    }


def _text(value: Decimal | None) -> str | None:
    # A negative zero is a zero.
    return None if value is None else f"{value + 0:f}"
