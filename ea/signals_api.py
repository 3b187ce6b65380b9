"""Signals over REST: what became of each, where its time went, names that nobody knows, and alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import StrictSerializer
from ea import attribution, naming, signals
from ea.domain import State
from ea.installations_api import BridgeView, number_of
from ea.models import Alert, SymbolAlias, UnknownSymbol
from ea.selectors import link_ids_of
from ea.symbols import candidates_known
from kernel.clock import rfc3339, wall_ms
from kernel.errors import field_invalid, not_found
from kernel.http.pages import Cursor, integer_query, known_query, page_ask, page_document
from kernel.http.schema import PAGE

STATES = [item.value for item in State]
_INSTALLATION = OpenApiParameter("installation", int, description="One installation; all of them otherwise")


class SignalLatencySerializer(serializers.Serializer[Any]):
    """Where the time of a signal went, in milliseconds; null for what it did not come to."""

    signal_ms = serializers.FloatField(allow_null=True)
    transport_ms = serializers.FloatField(allow_null=True)
    transport_uncertainty_ms = serializers.FloatField(allow_null=True, help_text="half the round trip; null over HTTP")
    log_ms = serializers.FloatField(allow_null=True)
    risk_ms = serializers.FloatField(allow_null=True)
    placement_ms = serializers.FloatField(allow_null=True)
    total_ms = serializers.FloatField(allow_null=True)


class SignalDriftSerializer(serializers.Serializer[Any]):
    """How price and payout moved; a positive price and a negative payout are to the client's disadvantage."""

    price = serializers.CharField(allow_null=True, help_text="opening price against ref_price, signed by direction")
    payout_points = serializers.IntegerField(allow_null=True, help_text="payout of the order less that at reception")


class SignalSerializer(serializers.Serializer[Any]):
    """A signal, and what became of it."""

    event_id = serializers.UUIDField()
    installation_id = serializers.IntegerField()
    kid = serializers.CharField()
    seq = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    src_ticket = serializers.CharField(allow_null=True)
    action = serializers.CharField()
    strategy = serializers.CharField(allow_blank=True)
    raw_symbol = serializers.CharField(allow_null=True)
    symbol = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(STATES)
    code = serializers.CharField(allow_null=True)
    order_id = serializers.UUIDField(allow_null=True)
    received_at = serializers.DateTimeField()
    repeats = serializers.IntegerField()
    latency = SignalLatencySerializer(allow_null=True)
    drift = SignalDriftSerializer(allow_null=True)


class SignalPageSerializer(serializers.Serializer[Any]):
    """A page of signals, the newest first."""

    data = SignalSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class TransitionSerializer(serializers.Serializer[Any]):
    """One step of a signal."""

    state = serializers.ChoiceField(STATES)
    actor = serializers.CharField()
    code = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class SignalDetailSerializer(SignalSerializer):
    """A signal with its steps, and the payload as it was sent."""

    transitions = TransitionSerializer(many=True)
    raw = serializers.CharField()
    order = serializers.CharField(allow_null=True, help_text="address of its order")


class PercentilesSerializer(serializers.Serializer[Any]):
    """Times that half, 95 and 99 of a hundred signals stay within; null where none has any."""

    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)


class ComponentsSerializer(serializers.Serializer[Any]):
    """The parts of a signal's time, and all of it."""

    signal = PercentilesSerializer()
    transport = PercentilesSerializer()
    log = PercentilesSerializer()
    risk = PercentilesSerializer()
    placement = PercentilesSerializer()
    total = PercentilesSerializer()


class DriftSerializer(serializers.Serializer[Any]):
    """Percentiles of a drift: ``points`` are steps of a price's last decimal, ``bp`` hundredths of a percent of it."""

    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)
    unit = serializers.ChoiceField(("points", "bp", "percent"))


class AttributionRowSerializer(serializers.Serializer[Any]):
    """The figures of one strategy and symbol; repeated signals are counted, and left out of the figures."""

    strategy = serializers.CharField(allow_blank=True)
    symbol = serializers.CharField(allow_blank=True)
    signals = serializers.IntegerField()
    repeated = serializers.IntegerField()
    components = ComponentsSerializer()
    price_drift = DriftSerializer()
    payout_drift = DriftSerializer()


class AttributionSerializer(serializers.Serializer[Any]):
    """Where the time of signals went, as of an instant."""

    at = serializers.DateTimeField()
    window = serializers.ChoiceField(list(attribution.WINDOWS_MS))
    rows = AttributionRowSerializer(many=True)


class UnknownSymbolSerializer(serializers.Serializer[Any]):
    """A broker's name of a symbol that no rule knows."""

    id = serializers.IntegerField()
    installation_id = serializers.IntegerField()
    raw = serializers.CharField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    times = serializers.IntegerField()
    candidates = serializers.ListField(child=serializers.CharField(), help_text="symbols here that it may mean")


class UnknownSymbolPageSerializer(serializers.Serializer[Any]):
    """A page of unknown names, those that came last first."""

    data = UnknownSymbolSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class AliasSerializer(serializers.Serializer[Any]):
    """What a broker's name means; without an installation, what every broker's does."""

    id = serializers.IntegerField()
    installation_id = serializers.IntegerField(allow_null=True)
    raw = serializers.CharField()
    symbol = serializers.CharField()


class AliasPageSerializer(serializers.Serializer[Any]):
    """A page of aliases, the newest first."""

    data = AliasSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class AliasRequestSerializer(StrictSerializer):
    """A name and its meaning."""

    installation_id = serializers.IntegerField(min_value=1, max_value=2**62)
    raw = serializers.RegexField(r"^[^\x00-\x1f\x7f\ud800-\udfff]+\Z", max_length=32, trim_whitespace=False)
    symbol = serializers.CharField(max_length=32)


class AlertSerializer(serializers.Serializer[Any]):
    """Something about a key or an installation that its owner should know."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    installation_id = serializers.IntegerField()
    kid = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class AlertPageSerializer(serializers.Serializer[Any]):
    """A page of alerts, the newest first."""

    data = AlertSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class _LinksView(BridgeView):
    """A view of several installations of the caller."""

    # An installation is named in the query, or in the body.
    problems = {"GET": (404,), "POST": (404,)}

    def links_asked(self) -> list[int]:
        """Return the installations that are asked for, all unless one is named.

        :raises Problem: ``not_found`` for one that is not the caller's
        """
        links = link_ids_of(self.caller)
        query = self.request.query_params
        if "installation" not in query:
            return links
        one = integer_query(query, "installation", default=0, least=1, most=2**62)
        if one not in links:
            raise not_found()
        return [one]


class SignalsView(_LinksView):
    """The caller's signals."""

    @extend_schema(
        operation_id="ea_signals",
        responses=SignalPageSerializer,
        parameters=[
            _INSTALLATION,
            OpenApiParameter("state", str, enum=STATES),
            OpenApiParameter("strategy", str),
            OpenApiParameter("symbol", str, description="ours"),
            *PAGE,
        ],
    )
    def get(self, request: Request) -> Response:
        """List signals with what became of them, the newest first."""
        query = request.query_params
        known_query(query, "installation", "state", "strategy", "symbol", "limit", "cursor")
        ask = page_ask(query)
        if (state := query.get("state")) is not None and state not in STATES:
            raise field_invalid("state", "is no state of a signal")
        found = signals.signals_of(
            links=self.links_asked(),
            state=state,
            strategy=query.get("strategy"),
            symbol=query.get("symbol"),
            before=None if ask.cursor is None else number_of(ask.cursor),
            limit=ask.limit + 1,
        )
        document = page_document(
            found,
            limit=ask.limit,
            cursor_of=lambda one: Cursor(one.recv_us, str(one.event)),
            show=signals.signal_document,
        )
        return Response(document)


class SignalView(_LinksView):
    """One signal of the caller."""

    @extend_schema(operation_id="ea_signal", responses=SignalDetailSerializer)
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show a signal with its steps and the payload as it was sent."""
        known_query(request.query_params)
        detail = signals.signal_detail(links=self.links_asked(), event_id=event_id)
        if detail is None:
            raise not_found()
        return Response(detail)


class AttributionView(_LinksView):
    """Where the time of the caller's signals went."""

    @extend_schema(
        operation_id="ea_attribution",
        responses=AttributionSerializer,
        parameters=[
            _INSTALLATION,
            OpenApiParameter("by", str, description="strategy, symbol, or both with a comma [both]"),
            OpenApiParameter("window", str, enum=list(attribution.WINDOWS_MS), description="[1h]"),
        ],
    )
    def get(self, request: Request) -> Response:
        """Show percentiles of each part, and of the drifts; counted anew once a second at most."""
        query = request.query_params
        known_query(query, "installation", "by", "window")
        window, by = query.get("window", "1h"), query.get("by", "strategy,symbol").split(",")
        if window not in attribution.WINDOWS_MS:
            raise field_invalid("window", f"is one of {', '.join(attribution.WINDOWS_MS)}")
        if set(by) - set(attribution.GROUPS) or len(set(by)) != len(by):
            raise field_invalid("by", "is strategy, symbol, or both with a comma")
        links, groups = self.links_asked(), tuple(sorted(by))
        figures = attribution.cache.figures(
            (tuple(links), groups, window), links=links, by=groups, window=window, now_ms=wall_ms()
        )
        rows = [_attribution_row(row, figures.price_unit) for row in figures.rows]
        return Response({"at": rfc3339(figures.at_ms), "window": window, "rows": rows})


class UnknownSymbolsView(_LinksView):
    """Names of symbols that no rule knows."""

    @extend_schema(
        operation_id="ea_symbols_unknown", responses=UnknownSymbolPageSerializer, parameters=[_INSTALLATION, *PAGE]
    )
    def get(self, request: Request) -> Response:
        """List names that no rule knows, with what they may mean; those that came last first."""
        known_query(request.query_params, "installation", "limit", "cursor")
        ask = page_ask(request.query_params)
        found = naming.unknown_of(links=self.links_asked(), before=_place(ask.cursor), limit=ask.limit + 1)
        known = candidates_known([(row.raw, row.link.prefix, row.link.suffix) for row in found])
        document = page_document(
            list(zip(found, known, strict=True)),
            limit=ask.limit,
            cursor_of=lambda pair: Cursor(pair[0].last_at_ms, str(pair[0].pk)),
            show=lambda pair: _unknown(*pair),
        )
        return Response(document)


class AliasesView(_LinksView):
    """What the names of brokers mean."""

    scopes = {"POST": "trade"}

    @extend_schema(operation_id="ea_aliases", responses=AliasPageSerializer, parameters=[_INSTALLATION, *PAGE])
    def get(self, request: Request) -> Response:
        """List aliases, those of every broker included, the newest first."""
        known_query(request.query_params, "installation", "limit", "cursor")
        ask = page_ask(request.query_params)
        before = None if ask.cursor is None else number_of(ask.cursor)
        found = naming.aliases_of(links=self.links_asked(), before=before, limit=ask.limit + 1)
        document = page_document(found, limit=ask.limit, cursor_of=lambda alias: Cursor(0, str(alias.pk)), show=_alias)
        return Response(document)

    @extend_schema(
        operation_id="ea_alias_add",
        request=AliasRequestSerializer,
        responses={201: AliasSerializer},
        examples=[
            OpenApiExample("Gold", {"installation_id": 1, "raw": "GOLD.m", "symbol": "XAUUSD"}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        """Say what a name of an installation's broker means, from the next signal on."""
        asked = AliasRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        link = self.link_of(terms["installation_id"])
        alias = naming.alias_add(link_id=link.pk, raw=terms["raw"], symbol=terms["symbol"])
        return Response(_alias(alias), status=201)


class AliasView(_LinksView):
    """One alias of the caller."""

    scopes = {"DELETE": "trade"}

    @extend_schema(operation_id="ea_alias_remove", responses={204: None})
    def delete(self, request: Request, alias_id: int) -> Response:
        """Forget what a name means."""
        if not naming.alias_remove(links=link_ids_of(self.caller), alias_id=alias_id):
            raise not_found()
        return Response(status=204)


class AlertsView(_LinksView):
    """What the caller should know of its keys and installations."""

    @extend_schema(operation_id="ea_alerts", responses=AlertPageSerializer, parameters=[_INSTALLATION, *PAGE])
    def get(self, request: Request) -> Response:
        """List alerts, the newest first."""
        known_query(request.query_params, "installation", "limit", "cursor")
        ask = page_ask(request.query_params)
        rows = Alert.objects.filter(link__in=self.links_asked()).order_by("-pk")
        if ask.cursor is not None:
            rows = rows.filter(pk__lt=ask.cursor.uuid)
        found = list(rows[: ask.limit + 1])
        document = page_document(
            found, limit=ask.limit, cursor_of=lambda alert: Cursor(alert.at_ms, str(alert.pk)), show=_alert
        )
        return Response(document)


def _attribution_row(row: attribution.Row, price_unit: str) -> dict[str, Any]:
    components = {
        name: {f"{share}_ms": value for share, value in asdict(found).items()} for name, found in row.components.items()
    }
    return {
        "strategy": row.strategy,
        "symbol": row.symbol,
        "signals": row.signals,
        "repeated": row.repeated,
        "components": components,
        "price_drift": asdict(row.price_drift) | {"unit": price_unit},
        "payout_drift": asdict(row.payout_drift) | {"unit": "percent"},
    }


def _unknown(row: UnknownSymbol, candidates: Sequence[str]) -> dict[str, Any]:
    return {
        "id": row.pk,
        "installation_id": row.link_id,
        "raw": row.raw,
        "first_at": rfc3339(row.first_at_ms),
        "last_at": rfc3339(row.last_at_ms),
        "times": row.times,
        "candidates": candidates,
    }


def _alias(alias: SymbolAlias) -> dict[str, Any]:
    return {"id": alias.pk, "installation_id": alias.link_id, "raw": alias.raw, "symbol": alias.symbol}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "installation_id": alert.link_id,
        "kid": alert.kid,
        "address": alert.address,
        "detail": alert.detail,
        "at": rfc3339(alert.at_ms),
    }


def _place(cursor: Cursor | None) -> tuple[int, int] | None:
    return None if cursor is None else (cursor.at, number_of(cursor))
