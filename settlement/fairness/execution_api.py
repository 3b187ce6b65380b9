"""The report on equal execution over REST: real against demo, winners against losers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.http.pages import known_query
from kernel.jobs import database_now_ms
from quotes.api import PublicView
from settlement.fairness.comparison import (
    CLIENTS_MIN,
    Figures,
    bucket_below_us,
    figures_added,
    longer_percent,
    median_compared,
    percent,
)
from settlement.fairness.days import FROM_DAY, TO_DAY, days_query
from settlement.fairness.execution import ALL, LEDGERS, LOSERS, SIDES, WINNERS, DayFigures, day_of, days_stored
from settlement.fairness.today import today_counted

_RANKS = (50, 95, 99)


class ShareSerializer(serializers.Serializer[Any]):
    """How often something happened, and in percent of how often it could have."""

    count = serializers.IntegerField()
    percent = serializers.FloatField()


class RefusalSerializer(ShareSerializer):
    """Orders that were refused with a code, in percent of all that were sent."""

    code = serializers.CharField()


class RefundSerializer(ShareSerializer):
    """Orders that were refunded for a reason, in percent of those whose end is known."""

    reason = serializers.CharField()


class LatencyBucketSerializer(serializers.Serializer[Any]):
    """Orders that took less than a time, and not less than the bucket before; null for the last one."""

    below_us = serializers.IntegerField(allow_null=True)
    orders = serializers.IntegerField()


class LatencySerializer(serializers.Serializer[Any]):
    """From a request's arrival to the order's write; below a percentile lie so many percent, in microseconds."""

    orders = serializers.IntegerField()
    p50_us = serializers.IntegerField(allow_null=True)
    p95_us = serializers.IntegerField(allow_null=True)
    p99_us = serializers.IntegerField(allow_null=True)
    buckets = LatencyBucketSerializer(many=True)


class GroupSerializer(serializers.Serializer[Any]):
    """A group of clients over the days on which it is shown; everything but counts is null where it is not.

    ``clients``: on the day with the most of them.
    """

    shown = serializers.BooleanField()
    days = serializers.IntegerField()
    clients = serializers.IntegerField()
    orders = serializers.IntegerField(allow_null=True)
    latency = LatencySerializer(allow_null=True)
    refused = serializers.IntegerField(allow_null=True)
    refusal_percent = serializers.FloatField(allow_null=True)
    refusals = RefusalSerializer(many=True, allow_null=True)
    settled = serializers.IntegerField(allow_null=True)
    refund_percent = serializers.FloatField(allow_null=True)
    refunds = RefundSerializer(many=True, allow_null=True)
    payout_percent_mean = serializers.FloatField(allow_null=True)
    tick_age_ms_mean = serializers.FloatField(allow_null=True)
    entry_wait_ms_mean = serializers.FloatField(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """The first group against the second, over the days on which both are shown; differences are first less second.

    ``longer_percent``: how often an order of the first took longer, over all pairs; 50 where neither did.
    """

    days = serializers.IntegerField()
    days_slower = serializers.IntegerField()
    days_faster = serializers.IntegerField()
    longer_percent = serializers.FloatField(allow_null=True)
    p50_us = serializers.IntegerField(allow_null=True)
    p95_us = serializers.IntegerField(allow_null=True)
    p99_us = serializers.IntegerField(allow_null=True)
    refusal_percent = serializers.FloatField(allow_null=True)
    refund_percent = serializers.FloatField(allow_null=True)
    payout_percent_mean = serializers.FloatField(allow_null=True)


class LedgerExecutionSerializer(serializers.Serializer[Any]):
    """One ledger: all its clients, those who won, those who did not, and the two compared."""

    all = GroupSerializer()
    winners = GroupSerializer()
    losers = GroupSerializer()
    winners_against_losers = ComparisonSerializer(allow_null=True)


class ExecutionSerializer(serializers.Serializer[Any]):
    """Equal execution over some days. ``today``: whether the day that is not over is in it."""

    first_day = serializers.DateField()
    last_day = serializers.DateField()
    days = serializers.IntegerField()
    today = serializers.ChoiceField(["included", "left_out", "not_asked"])
    clients_min = serializers.IntegerField()
    real = LedgerExecutionSerializer()
    demo = LedgerExecutionSerializer()
    real_against_demo = ComparisonSerializer(allow_null=True)


class ExecutionView(PublicView):
    """Equal execution."""

    @extend_schema(
        operation_id="fairness_execution", parameters=[FROM_DAY, TO_DAY], responses=ExecutionSerializer, auth=[]
    )
    def get(self, request: Request) -> Response:
        """Compare how orders were executed: latency, refusals, refunds, payouts; the last 30 days unless asked."""
        known_query(request.query_params, "from", "to")
        today = day_of(database_now_ms())
        first, last = days_query(request.query_params, today=today)
        found = dict(days_stored(first, last))
        asked_today = first <= today <= last
        counted = today_counted(today) if asked_today else None
        if counted is not None:
            found[today] = counted
        return Response(
            {
                "first_day": first.isoformat(),
                "last_day": last.isoformat(),
                "days": len(found),
                "today": "not_asked" if not asked_today else "left_out" if counted is None else "included",
                "clients_min": CLIENTS_MIN,
            }
            | execution_document(found)
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """A group on the days on which it may be shown, and how many clients it had at most on any day asked for."""

    days: Mapping[date, Figures]
    clients: int

    @property
    def total(self) -> Figures:
        return figures_added(self.days.values())


def execution_document(days: Mapping[date, DayFigures]) -> dict[str, Any]:
    """Return what may be told of some days: no figure that belongs to fewer than five clients."""
    groups = {(ledger, side): _group(days, ledger, side) for ledger in LEDGERS for side in SIDES}
    ledgers: dict[str, Any] = {
        ledger: {side: _group_document(groups[ledger, side]) for side in SIDES}
        | {"winners_against_losers": _comparison_document(groups[ledger, WINNERS], groups[ledger, LOSERS])}
        for ledger in LEDGERS
    }
    return ledgers | {"real_against_demo": _comparison_document(*(groups[ledger, ALL] for ledger in LEDGERS))}


def _group(days: Mapping[date, DayFigures], ledger: str, side: str) -> _Group:
    # One of the two parts and the whole would tell the other part.
    needed = (ALL,) if side == ALL else (WINNERS, LOSERS)
    shown = {
        day: figures[ledger, side]
        for day, figures in days.items()
        if all(figures[ledger, part].clients >= CLIENTS_MIN for part in needed)
    }
    return _Group(shown, max((figures[ledger, side].clients for figures in days.values()), default=0))


def _group_document(group: _Group) -> dict[str, Any]:
    head: dict[str, Any] = {"shown": bool(group.days), "days": len(group.days), "clients": group.clients}
    if not group.days:
        return dict.fromkeys(map(str, GroupSerializer().fields)) | head
    total = group.total
    return head | {
        "orders": total.orders,
        "latency": _latency_document(total),
        "refused": total.refused,
        "refusal_percent": _rounded(total.refusal_percent),
        "refusals": _shares("code", total.refusals.items(), total.orders + total.refused),
        "settled": total.settled,
        "refund_percent": _rounded(total.refund_percent),
        "refunds": _shares("reason", total.refunds.items(), total.settled),
        "payout_percent_mean": _rounded(total.payout_percent),
        "tick_age_ms_mean": _mean(total.last_age_ms, total.last_entries),
        "entry_wait_ms_mean": _mean(total.next_wait_ms, total.next_entries),
    }


def _latency_document(figures: Figures) -> dict[str, Any]:
    return {
        "orders": figures.timed,
        **{f"p{rank}_us": figures.latency_us(rank) for rank in _RANKS},
        "buckets": [
            {"below_us": bucket_below_us(bucket), "orders": orders}
            for bucket, orders in enumerate(figures.latencies)
            if orders
        ],
    }


def _comparison_document(first: _Group, second: _Group) -> dict[str, Any] | None:
    both = sorted(first.days.keys() & second.days.keys())
    if not both:
        return None
    left, right = (figures_added(group.days[day] for day in both) for group in (first, second))
    timed = [day for day in both if first.days[day].timed and second.days[day].timed]
    slower = [median_compared(first.days[day].latencies, second.days[day].latencies) for day in timed]
    return {
        "days": len(both),
        "days_slower": slower.count(1),
        "days_faster": slower.count(-1),
        "longer_percent": _rounded(longer_percent(left.latencies, right.latencies)),
        **{f"p{rank}_us": _difference(left.latency_us(rank), right.latency_us(rank)) for rank in _RANKS},
        "refusal_percent": _rounded_difference(left.refusal_percent, right.refusal_percent),
        "refund_percent": _rounded_difference(left.refund_percent, right.refund_percent),
        "payout_percent_mean": _rounded_difference(left.payout_percent, right.payout_percent),
    }


def _shares(name: str, counts: Iterable[tuple[str, int]], whole: int) -> list[dict[str, Any]]:
    """Return the shares of a whole, the largest first."""
    ordered = sorted(counts, key=lambda share: (-share[1], share[0]))
    return [{name: word, "count": number, "percent": _rounded(percent(number, whole))} for word, number in ordered]


def _mean(total: int, number: int) -> float | None:
    return _rounded(Fraction(total, number)) if number else None


def _rounded(value: Fraction | None) -> float | None:
    return None if value is None else float(round(value, 2))


def _rounded_difference(left: Fraction | None, right: Fraction | None) -> float | None:
    return None if left is None or right is None else _rounded(left - right)


def _difference(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left - right
