"""Orders over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CallerView
from accounts.callers import Caller, caller_of
from accounts.domain import ledger_of
from kernel.errors import Problem, field_invalid, not_found
from kernel.http import json_response, problem_response, rate_check
from kernel.http.pages import Cursor, instant_query, known_query, page_ask, page_document
from kernel.http.schema import FROM, PAGE, TO
from trading import selectors, services
from trading.domain import Ticket
from trading.errors import ledger_forbidden
from trading.events import order_document
from trading.refusals import refusal_count
from trading.ticket import ticket_parsed

_LEDGERS = ("real", "demo", "tournament")
_RESULTS = ("won", "lost", "tied", "refunded")
_DIRECTIONS = ("up", "down")


class OrderTickSerializer(serializers.Serializer[Any]):
    """One tick of the log that an order refers to."""

    seq = serializers.IntegerField()
    at = serializers.DateTimeField()
    price = serializers.CharField()


class OrderSerializer(serializers.Serializer[Any]):
    """An order; money and prices as decimal text."""

    id = serializers.UUIDField()
    client_order_id = serializers.CharField()
    ledger = serializers.ChoiceField(_LEDGERS)
    wallet_id = serializers.UUIDField()
    symbol = serializers.CharField()
    direction = serializers.ChoiceField(["up", "down"])
    stake = serializers.CharField()
    payout_percent = serializers.IntegerField()
    entry_rule = serializers.CharField()
    settlement_rule = serializers.CharField()
    state = serializers.ChoiceField(["open", "won", "lost", "tied", "refunded"])
    accepted_at = serializers.DateTimeField()
    entered_at = serializers.DateTimeField(allow_null=True)
    open_price = serializers.CharField(allow_null=True)
    open_tick = OrderTickSerializer(allow_null=True)
    expires_at = serializers.DateTimeField()
    close_price = serializers.CharField(allow_null=True)
    close_tick = OrderTickSerializer(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    payout = serializers.CharField(allow_null=True)
    profit = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    balance_after = serializers.CharField()


class OrderPageSerializer(serializers.Serializer[Any]):
    """A page of orders."""

    data = OrderSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class OrderRequestSerializer(serializers.Serializer[Any]):
    """What an order asks for."""

    client_order_id = serializers.RegexField(r"^[A-Za-z0-9._:-]{1,64}$")
    symbol = serializers.CharField()
    direction = serializers.ChoiceField(["up", "down"])
    stake = serializers.RegexField(r"^\d{1,15}(\.\d+)?$")
    ledger = serializers.ChoiceField(["real", "demo"], required=False)
    wallet_id = serializers.UUIDField(required=False)
    duration_s = serializers.IntegerField(required=False, min_value=1)
    expires_at = serializers.DateTimeField(required=False)
    min_payout_percent = serializers.IntegerField(required=False, min_value=0, max_value=100)
    max_price_drift = serializers.CharField(required=False)
    expected_price = serializers.CharField(required=False)


def order_place_view(request: HttpRequest) -> HttpResponse:
    """Place an order: the hot route, without REST framework's machinery.

    Middleware has run, so the request has its id and, for a browser, its session.
    """
    headers: dict[str, str] = {}
    caller: Caller | None = None
    ticket: Ticket | None = None
    try:
        caller = caller_of(request, scope="trade")
        headers = rate_check("orders", caller.rate_key)
        if request.content_type != "application/json":
            raise Problem("media_type.unsupported", status=415, title="Send the body as application/json.")
        ticket = ticket_parsed(request.body)
        placed = services.order_place(caller=caller, ticket=ticket, arrived_ns=getattr(request, "arrived_ns", None))
    except Problem as problem:
        # What a known caller is refused before there is a ticket; all later refusals are counted by the service.
        if caller is not None and ticket is None:
            refusal_count(caller, None, problem.code)
        refused = problem_response(problem, request)
        for name, value in headers.items():
            refused[name] = value
        return refused
    return json_response(placed.order, status=200 if placed.repeated else 201, headers=headers)


class OrderListView(CallerView):
    """The caller's orders."""

    problems = {"POST": (404,)}

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Send POST down the hot route and everything else through REST framework."""
        framework_view = super().as_view(**initkwargs)

        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return order_place_view(request)
            return framework_view(request, *args, **kwargs)

        view.cls = cls  # type: ignore[attr-defined]
        view.initkwargs = initkwargs  # type: ignore[attr-defined]
        return csrf_exempt(view)

    @extend_schema(
        operation_id="orders_list",
        responses=OrderPageSerializer,
        parameters=[
            OpenApiParameter("state", str, enum=["open", "settled"]),
            OpenApiParameter("result", str, enum=_RESULTS),
            OpenApiParameter("direction", str, enum=_DIRECTIONS),
            OpenApiParameter("ledger", str, enum=_LEDGERS),
            OpenApiParameter("symbol", str),
            OpenApiParameter("client_order_id", str),
            FROM,
            TO,
            *PAGE,
        ],
    )
    def get(self, request: Request) -> Response:
        """List orders, newest first; ``from`` and ``to`` filter by the time of acceptance."""
        caller = self.caller
        query = request.query_params
        known_query(
            query,
            *("state", "result", "direction", "ledger", "symbol", "client_order_id", "from", "to", "limit", "cursor"),
        )
        ask = page_ask(query)
        rows = selectors.orders_of(
            user_id=caller.user_id, wanted=_filter(request, caller), cursor=ask.cursor, limit=ask.limit + 1
        )
        document = page_document(
            rows,
            limit=ask.limit,
            cursor_of=lambda order: Cursor(order.accepted_at_ms, str(order.id)),
            show=order_document,
        )
        return Response(document)

    @extend_schema(
        operation_id="orders_place",
        request=OrderRequestSerializer,
        responses={201: OrderSerializer, 200: OrderSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Place an order; a repeat of its client_order_id with the same terms answers 200."""
        return order_place_view(request._request)


class OrderDetailView(CallerView):
    """One order of the caller."""

    @extend_schema(operation_id="orders_retrieve", responses=OrderSerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        """Show an order."""
        caller = self.caller
        known_query(request.query_params)
        order = selectors.order_of(user_id=caller.user_id, order_id=order_id)
        if order is None or not caller.may_see(ledger_of(order.book)):
            raise not_found()
        return Response(order_document(order))


def _filter(request: Request, caller: Caller) -> selectors.OrderFilter:
    query = request.query_params
    state, ledger = query.get("state"), query.get("ledger")
    if state not in (None, "open", "settled"):
        raise field_invalid("state", "must be open or settled")
    if ledger not in (None, *_LEDGERS):
        raise field_invalid("ledger", "must be real, demo or tournament")
    if query.get("result") not in (None, *_RESULTS):
        raise field_invalid("result", "must be won, lost, tied or refunded")
    if query.get("direction") not in (None, *_DIRECTIONS):
        raise field_invalid("direction", "must be up or down")
    if ledger is not None and not caller.may_see(ledger):
        raise ledger_forbidden()
    return selectors.OrderFilter(
        ledgers=[ledger] if ledger else caller.ledgers,
        settled=None if state is None else state == "settled",
        state=query.get("result"),
        direction=query.get("direction"),
        symbol=query.get("symbol"),
        client_order_id=query.get("client_order_id"),
        from_ms=instant_query(query, "from"),
        to_ms=instant_query(query, "to"),
    )
