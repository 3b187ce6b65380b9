"""The market over REST: public, counted by the address of the client."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import address_of
from kernel.clock import optional_rfc3339, rfc3339
from kernel.errors import field_invalid
from kernel.http import json_response, rate_check
from kernel.http.pages import Cursor, instant_query, known_query, page_ask, page_document
from kernel.http.schema import FROM, PAGE, TO, ProblemSchema
from kernel.money import DEFAULT_CURRENCY, format_minor, format_scaled
from quotes import selectors
from quotes.domain import CANDLE_INTERVALS_S, MarketStateName
from quotes.models import PayoutChange
from quotes.selectors import SymbolLogRow, SymbolRow

TICKS_MAX = 50_000
TICKS_RANGE_MS = 3_600_000
TICKS_DEFAULT_MS = 60_000
CANDLES_MAX = 5_000
CANDLES_DEFAULT = 300
INTERVAL_DEFAULT = "1m"


class PublicTickSerializer(serializers.Serializer[Any]):
    """The newest tick of a symbol."""

    seq = serializers.IntegerField()
    at = serializers.DateTimeField()
    price = serializers.CharField()


class SymbolSerializer(serializers.Serializer[Any]):
    """A symbol's public terms and the state of its market; money and prices as decimal text."""

    code = serializers.CharField()
    name = serializers.CharField()
    asset_class = serializers.CharField()
    feed = serializers.CharField()
    feed_custom = serializers.BooleanField()
    state = serializers.ChoiceField([state.value for state in MarketStateName])
    state_reason = serializers.CharField(allow_null=True)
    next_open = serializers.DateTimeField(allow_null=True)
    session_ends = serializers.DateTimeField(allow_null=True)
    payout_percent = serializers.IntegerField()
    break_even_percent = serializers.FloatField()
    min_stake = serializers.CharField()
    max_stake = serializers.CharField()
    min_duration_s = serializers.IntegerField()
    max_duration_s = serializers.IntegerField()
    price_scale = serializers.IntegerField()
    price_source = serializers.CharField()
    max_tick_age_ms = serializers.IntegerField()
    purchase_deadline_s = serializers.IntegerField()
    exposure_cap = serializers.CharField(allow_null=True)
    entry_rule = serializers.CharField()
    settlement_rule = serializers.CharField()
    last_tick = PublicTickSerializer(allow_null=True)


class SymbolListSerializer(serializers.Serializer[Any]):
    """All symbols."""

    data = SymbolSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class TickSerializer(serializers.Serializer[Any]):
    """A tick of the log; bid and ask as the feed sent them, null for trades."""

    seq = serializers.IntegerField()
    at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    bid = serializers.CharField(allow_null=True)
    ask = serializers.CharField(allow_null=True)
    price = serializers.CharField()


class TickListSerializer(serializers.Serializer[Any]):
    """Ticks, ascending by seq."""

    data = TickSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class CandleSerializer(serializers.Serializer[Any]):
    """One interval of a symbol's ticks."""

    start = serializers.DateTimeField()
    open = serializers.CharField()
    high = serializers.CharField()
    low = serializers.CharField()
    close = serializers.CharField()
    ticks = serializers.IntegerField()
    closed = serializers.BooleanField()


class CandleListSerializer(serializers.Serializer[Any]):
    """Candles, ascending by start; intervals without a tick are left out."""

    data = CandleSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class PayoutChangeSerializer(serializers.Serializer[Any]):
    """One change of a symbol's payout, with the figures it came from."""

    at = serializers.DateTimeField()
    percent = serializers.IntegerField()
    inputs = serializers.DictField()


class PayoutChangePageSerializer(serializers.Serializer[Any]):
    """A page of payout changes, newest first."""

    data = PayoutChangeSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class PublicView(APIView):
    """A view for everybody, counted by address."""

    schema = ProblemSchema()
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the request.

        :raises Problem: ``rate.limited``
        """
        super().initial(request, *args, **kwargs)
        self.headers.update(rate_check("reads", f"address:{address_of(request._request)}"))


class SymbolsView(PublicView):
    """All symbols."""

    @extend_schema(operation_id="symbols_list", responses=SymbolListSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """List the symbols with their terms, their state and their newest tick."""
        known_query(request.query_params)
        return Response({"data": [_symbol_document(row) for row in selectors.symbols()], "next_cursor": None})


class SymbolView(PublicView):
    """One symbol."""

    @extend_schema(operation_id="symbols_retrieve", responses=SymbolSerializer, auth=[])
    def get(self, request: Request, code: str) -> Response:
        """Show a symbol."""
        known_query(request.query_params)
        return Response(_symbol_document(selectors.symbol_by_code(code)))


class TicksView(PublicView):
    """The admitted ticks of a symbol: what orders open and settle by."""

    @extend_schema(
        operation_id="symbols_ticks", parameters=[FROM, TO], responses=TickListSerializer, filters=False, auth=[]
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        """List ticks by time; the last minute unless asked otherwise, at most an hour and 50,000 ticks."""
        query = request.query_params
        known_query(query, "from", "to")
        log = selectors.symbol_log(code)
        from_ms, to_ms = _range(query, log, default_ms=TICKS_DEFAULT_MS, most_ms=TICKS_RANGE_MS)
        if to_ms - from_ms > TICKS_RANGE_MS:
            raise field_invalid("from", "must be at most one hour before to")
        rows = selectors.ticks_between(symbol_id=log.symbol_id, from_ms=from_ms, to_ms=to_ms, limit=TICKS_MAX + 1)
        if len(rows) > TICKS_MAX:
            raise field_invalid("from", f"asks for more than {TICKS_MAX} ticks; ask for a shorter time")
        return json_response({"data": _tick_documents(rows, log), "next_cursor": None})


class CandlesView(PublicView):
    """Candles of a symbol, made of the same ticks that settle orders."""

    @extend_schema(
        operation_id="symbols_candles",
        parameters=[OpenApiParameter("interval", str, enum=list(CANDLE_INTERVALS_S)), FROM, TO],
        responses=CandleListSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        """List candles by start; the last 300 intervals unless asked otherwise, at most 5,000."""
        query = request.query_params
        known_query(query, "interval", "from", "to")
        interval_s = CANDLE_INTERVALS_S.get(query.get("interval", INTERVAL_DEFAULT))
        if interval_s is None:
            raise field_invalid("interval", "must be one of " + " ".join(CANDLE_INTERVALS_S))
        interval_ms = interval_s * 1_000
        log = selectors.symbol_log(code)
        from_ms, to_ms = _range(query, log, default_ms=CANDLES_DEFAULT * interval_ms, most_ms=CANDLES_MAX * interval_ms)
        if to_ms - from_ms > CANDLES_MAX * interval_ms:
            raise field_invalid("from", f"must be at most {CANDLES_MAX} intervals before to")
        rows = selectors.candles_between(symbol_id=log.symbol_id, interval_s=interval_s, from_ms=from_ms, to_ms=to_ms)
        return json_response({"data": _candle_documents(rows, log, interval_ms), "next_cursor": None})


class PayoutsView(PublicView):
    """The history of a symbol's payout."""

    @extend_schema(
        operation_id="symbols_payouts",
        parameters=PAGE,
        responses=PayoutChangePageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request, code: str) -> Response:
        """List the changes of the payout with their inputs, newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        rows = selectors.payout_changes(code=code, cursor=ask.cursor, limit=ask.limit + 1)
        return Response(
            page_document(
                rows,
                limit=ask.limit,
                cursor_of=lambda change: Cursor(change.at_ms, str(change.pk)),
                show=_payout_document,
            )
        )


def _range(query: Any, log: SymbolLogRow, *, default_ms: int, most_ms: int) -> tuple[int, int]:
    """Return the asked range.

    Without ``to`` it ends at the newest tick, or ``most_ms`` after ``from`` where that is earlier; without ``from`` it
    is the default before its end.
    """
    from_ms, to_ms = instant_query(query, "from"), instant_query(query, "to")
    if to_ms is None:
        to_ms = log.end_ms if from_ms is None else min(max(log.end_ms, from_ms), from_ms + most_ms)
    if from_ms is None:
        from_ms = to_ms - default_ms
    if from_ms > to_ms:
        raise field_invalid("from", "must not be after to")
    return from_ms, to_ms


def _symbol_document(row: SymbolRow) -> dict[str, Any]:
    market = row.market
    return {
        "code": market.code,
        "name": row.name,
        "asset_class": row.asset_class,
        "feed": row.feed,
        "feed_custom": row.feed_custom,
        "state": market.state.state.value,
        "state_reason": market.state.reason or None,
        "next_open": optional_rfc3339(market.state.next_open_ms),
        "session_ends": optional_rfc3339(row.session_ends_ms),
        "payout_percent": row.payout_percent,
        "break_even_percent": break_even_percent(row.payout_percent),
        "min_stake": format_minor(row.min_stake_minor, DEFAULT_CURRENCY),
        "max_stake": format_minor(row.max_stake_minor, DEFAULT_CURRENCY),
        "min_duration_s": row.min_duration_s,
        "max_duration_s": row.max_duration_s,
        "price_scale": market.price_scale,
        "price_source": row.price_source,
        "max_tick_age_ms": row.max_tick_age_ms,
        "purchase_deadline_s": row.purchase_deadline_s,
        "exposure_cap": None
        if row.exposure_cap_minor is None
        else format_minor(row.exposure_cap_minor, DEFAULT_CURRENCY),
        "entry_rule": row.entry_rule,
        "settlement_rule": row.settlement_rule,
        "last_tick": _last_tick(row),
    }


def break_even_percent(payout_percent: int) -> float:
    """Return the share of wins, in percent with one decimal, at which a trader neither gains nor loses."""
    tenths, rest = divmod(100_000, 100 + payout_percent)
    return (tenths + (2 * rest >= 100 + payout_percent)) / 10


def _last_tick(row: SymbolRow) -> dict[str, Any] | None:
    market = row.market
    if market.tick_at_ms is None or market.tick_price is None:
        return None
    price = format_scaled(market.tick_price, market.price_scale)
    return {"seq": market.seq, "at": rfc3339(market.tick_at_ms), "price": price}


def _tick_documents(rows: list[tuple[Any, ...]], log: SymbolLogRow) -> list[dict[str, Any]]:
    return [
        {
            "seq": seq,
            "at": rfc3339(at_ms),
            "received_at": rfc3339(received_at_ms),
            "bid": bid,
            "ask": ask,
            "price": format_scaled(price, log.scales.get(revision, log.price_scale)),
        }
        for seq, at_ms, received_at_ms, bid, ask, price, revision in rows
    ]


def _candle_documents(rows: list[tuple[Any, ...]], log: SymbolLogRow, interval_ms: int) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []
    for start_ms, opened, high, low, close, ticks, revision in rows:
        scale = log.scales.get(revision, log.price_scale)
        candle = {
            "start": rfc3339(start_ms),
            "open": format_scaled(opened, scale),
            "high": format_scaled(high, scale),
            "low": format_scaled(low, scale),
            "close": format_scaled(close, scale),
            "ticks": ticks,
            "closed": log.is_closed(start_ms + interval_ms),
        }
        if documents and documents[-1]["start"] == candle["start"]:
            candle = _candles_joined(documents.pop(), candle)
        documents.append(candle)
    return documents


def _candles_joined(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Join the two parts of an interval in which a revision took effect."""
    return later | {
        "open": earlier["open"],
        "high": max(earlier["high"], later["high"], key=Decimal),
        "low": min(earlier["low"], later["low"], key=Decimal),
        "ticks": earlier["ticks"] + later["ticks"],
    }


def _payout_document(change: PayoutChange) -> dict[str, Any]:
    return {"at": rfc3339(change.at_ms), "percent": change.percent, "inputs": change.inputs}
