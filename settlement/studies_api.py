"""What the rules are worth, over REST: the studies on recorded traffic, for everybody to read."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from kernel.http.pages import known_query
from quotes.api import PublicView


class SampleLogSerializer(serializers.Serializer[Any]):
    """One symbol of a recording."""

    symbol = serializers.CharField()
    price_source = serializers.ChoiceField(["mid", "last"])
    received = serializers.IntegerField()
    admitted = serializers.IntegerField()
    price_changes = serializers.IntegerField()


class SampleSerializer(serializers.Serializer[Any]):
    """One recording."""

    file = serializers.CharField()
    market = serializers.CharField()
    recorded_on = serializers.DateField()
    seconds = serializers.CharField()
    packets = serializers.IntegerField()
    logs = SampleLogSerializer(many=True)


class AloneSerializer(serializers.Serializer[Any]):
    """The bets of a client who waits for the end of one before the next."""

    won = serializers.IntegerField()
    lost = serializers.IntegerField()
    win_percent = serializers.CharField(allow_null=True)
    interval = serializers.ListField(child=serializers.CharField(), allow_null=True)


class LeadRowSerializer(serializers.Serializer[Any]):
    """How a client fares who sees the market before the log does; shares in percent, with their 95 % interval."""

    prices = serializers.CharField()
    moment = serializers.CharField()
    duration_s = serializers.IntegerField()
    lead_ms = serializers.IntegerField()
    entry_rule = serializers.CharField()
    bets = serializers.IntegerField()
    refused = serializers.IntegerField()
    refunded = serializers.IntegerField()
    tied = serializers.IntegerField()
    won = serializers.IntegerField()
    lost = serializers.IntegerField()
    win_percent = serializers.CharField(allow_null=True)
    interval = serializers.ListField(child=serializers.CharField(), allow_null=True)
    profit_per_stake_percent = serializers.CharField(allow_null=True)
    one_at_a_time = AloneSerializer()


class LeadsSerializer(serializers.Serializer[Any]):
    """The study of entry rules."""

    leads_ms = serializers.ListField(child=serializers.IntegerField())
    payout_percent = serializers.IntegerField()
    break_even_percent = serializers.CharField()
    max_tick_age_ms = serializers.IntegerField()
    settlement_rule = serializers.CharField()
    durations_s = serializers.ListField(child=serializers.IntegerField())
    durations_without_bets_s = serializers.ListField(child=serializers.IntegerField())
    rows = LeadRowSerializer(many=True)


class OutlierRowSerializer(serializers.Serializer[Any]):
    """How often one wrong tick turns a result; shares in percent, with their 95 % interval."""

    settlement_rule = serializers.CharField()
    duration_s = serializers.IntegerField()
    before_expiry_ms = serializers.IntegerField()
    outlier_percent = serializers.CharField()
    filter = serializers.BooleanField()
    orders = serializers.IntegerField()
    changed = serializers.IntegerField()
    reversed = serializers.IntegerField()
    changed_percent = serializers.CharField()
    interval = serializers.ListField(child=serializers.CharField())


class OutliersSerializer(serializers.Serializer[Any]):
    """The study of settlement rules."""

    durations_s = serializers.ListField(child=serializers.IntegerField())
    durations_without_orders_s = serializers.ListField(child=serializers.IntegerField())
    max_tick_age_ms = serializers.IntegerField()
    rows = OutlierRowSerializer(many=True)


class StudiesSerializer(serializers.Serializer[Any]):
    """All studies, as ``docs/fairness/studies.md`` explains them."""

    version = serializers.CharField()
    sample = SampleSerializer(many=True)
    leads = LeadsSerializer()
    outliers = OutliersSerializer()


class StudiesView(PublicView):
    """The studies."""

    @extend_schema(operation_id="fairness_studies", responses=StudiesSerializer, auth=[])
    def get(self, request: Request) -> HttpResponse:
        """Show what the rules are worth on recorded traffic."""
        known_query(request.query_params)
        return HttpResponse(_document(), content_type="application/json")


@cache
def _document() -> bytes:
    return files("settlement").joinpath("data/studies.json").read_bytes()
