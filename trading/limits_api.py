"""Own limits over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CallerView, LimitValueField
from accounts.callers import Caller
from accounts.errors import ledger_forbidden
from accounts.limits import BREAK_DAYS, EXCLUSION_MONTHS, LIMITS, MONEY_LIMITS, OPEN_ORDERS_MAX, SESSION_MINUTES_MAX
from kernel.clock import DB_NOW_MS_SQL
from kernel.db import row
from kernel.errors import FieldError, field_invalid, request_invalid
from kernel.http.pages import known_query
from kernel.money import AmountPrecisionError, AmountShapeError, parse_amount
from ledger.domain import REAL
from trading import limits

_MOST = {"open_orders": OPEN_ORDERS_MAX, "session": SESSION_MINUTES_MAX}
_AMOUNT = {"type": ["string", "null"], "pattern": r"^(?!0+(\.0+)?$)\d{1,15}(\.\d{1,2})?$"}


@extend_schema_field(_AMOUNT)
class _AmountField(serializers.Field[Any, Any, Any, Any]):
    """An amount as decimal text, or null for no limit."""


class LooseningSerializer(serializers.Serializer[Any]):
    """A higher value, or null for no limit, that waits to be confirmed."""

    value = LimitValueField()
    confirm_from = serializers.DateTimeField()
    confirm_until = serializers.DateTimeField()


class OwnLimitSerializer(serializers.Serializer[Any]):
    """One own limit: amounts are decimal text, orders and minutes whole numbers."""

    set = LimitValueField()
    used = LimitValueField()
    left = LimitValueField()
    pending = LooseningSerializer(allow_null=True)


class LimitsByNameSerializer(serializers.Serializer[Any]):
    """All own limits."""

    loss_day = OwnLimitSerializer()
    loss_7d = OwnLimitSerializer()
    loss_30d = OwnLimitSerializer()
    stake_day = OwnLimitSerializer()
    deposit_day = OwnLimitSerializer()
    open_orders = OwnLimitSerializer()
    session = OwnLimitSerializer()


class LimitsSerializer(serializers.Serializer[Any]):
    """Own limits, and the ends of a break and an exclusion that run."""

    data = LimitsByNameSerializer()  # type: ignore[assignment]
    break_until = serializers.DateTimeField(allow_null=True)
    excluded_until = serializers.DateTimeField(allow_null=True)


class LimitsRequestSerializer(serializers.Serializer[Any]):
    """The limits to set; null removes one, what is not named stays."""

    loss_day = _AmountField(required=False)
    loss_7d = _AmountField(required=False)
    loss_30d = _AmountField(required=False)
    stake_day = _AmountField(required=False)
    deposit_day = _AmountField(required=False)
    open_orders = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=OPEN_ORDERS_MAX)
    session = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=SESSION_MINUTES_MAX)


class BreakRequestSerializer(serializers.Serializer[Any]):
    """How long a break lasts."""

    days = serializers.IntegerField(min_value=BREAK_DAYS[0], max_value=BREAK_DAYS[1])


class ExclusionRequestSerializer(serializers.Serializer[Any]):
    """How long an exclusion lasts."""

    months = serializers.IntegerField(min_value=EXCLUSION_MONTHS[0], max_value=EXCLUSION_MONTHS[1])


class OwnLimitsView(CallerView):
    """What all views of own limits share: they tell of real money, so a token must be allowed to see it."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse tokens that are bound to other ledgers.

        :raises Problem: ``auth.ledger``
        """
        super().initial(request, *args, **kwargs)
        known_query(request.query_params)
        if not self.caller.may_see(REAL):
            raise ledger_forbidden()


class LimitsView(OwnLimitsView):
    """The caller's own limits."""

    scopes = {"PUT": "trade"}

    @extend_schema(operation_id="limits", responses=LimitsSerializer)
    def get(self, request: Request) -> Response:
        """Show each limit with what is used and left, and what waits to be confirmed."""
        return Response(limits.limits_document(user_id=self.caller.user_id, now_ms=_now_ms()))

    @extend_schema(
        operation_id="limits_set",
        request=LimitsRequestSerializer,
        responses=LimitsSerializer,
        examples=[
            OpenApiExample("Limits", {"loss_day": "100.00", "open_orders": 5, "session": None}, request_only=True)
        ],
    )
    def put(self, request: Request) -> Response:
        """Set limits: a tighter one applies at once; a looser one waits and is confirmed by sending it again."""
        user_id = self.caller.user_id
        wanted = limits_parsed(request.data, limits.currency_of(user_id))
        return Response(limits.limits_put(user_id=user_id, wanted=wanted, now_ms=_now_ms()))


class BreakView(OwnLimitsView):
    """A break from trading."""

    scopes = {"POST": "trade"}

    @extend_schema(operation_id="limits_break", request=BreakRequestSerializer, responses=LimitsSerializer)
    def post(self, request: Request) -> Response:
        """Begin a break, or make it longer; it cannot be ended early."""
        days = _whole(request.data, "days", *BREAK_DAYS)
        return Response(limits.break_begin(user_id=self.caller.user_id, days=days, now_ms=_now_ms()))


class ExclusionView(OwnLimitsView):
    """Self-exclusion from trading."""

    scopes = {"POST": "trade"}

    @extend_schema(operation_id="limits_exclusion", request=ExclusionRequestSerializer, responses=LimitsSerializer)
    def post(self, request: Request) -> Response:
        """Exclude yourself, or make that longer; it cannot be ended early."""
        months = _whole(request.data, "months", *EXCLUSION_MONTHS)
        return Response(limits.exclusion_begin(user_id=self.caller.user_id, months=months, now_ms=_now_ms()))


def limits_of_caller(caller: Caller) -> Mapping[str, Any]:
    """Return what ``/me`` shows of own limits."""
    return limits.limits_left(user_id=caller.user_id, real_seen=caller.may_see(REAL), now_ms=_now_ms())


def limits_parsed(body: Any, currency: str) -> dict[str, int | None]:
    """Return the limits that a request names, in minor units, orders or minutes.

    :raises Problem: ``request.invalid`` with each field that has the wrong shape
    """
    if not isinstance(body, dict) or not body:
        raise request_invalid(detail="The body must be an object with limits by name, at least one.")
    wrong = []
    wanted: dict[str, int | None] = {}
    for name, value in body.items():
        if name not in LIMITS:
            wrong.append(FieldError(name, "unknown", "is not a limit"))
            continue
        try:
            wanted[name] = None if value is None else _value(name, value, currency)
        except ValueError as error:
            wrong.append(FieldError(name, "invalid", str(error)))
    if wrong:
        raise request_invalid(*wrong)
    return wanted


def _value(name: str, value: Any, currency: str) -> int:
    if name not in MONEY_LIMITS:
        if type(value) is not int or not 1 <= value <= _MOST[name]:
            raise ValueError(f"must be null or a whole number from 1 to {_MOST[name]}")
        return value
    try:
        amount = parse_amount(value, currency) if isinstance(value, str) else 0
    except (AmountShapeError, AmountPrecisionError):
        amount = 0
    if amount <= 0:
        raise ValueError(f"must be null or an amount of {currency} above zero, as text")
    return amount


def _whole(body: Any, name: str, least: int, most: int) -> int:
    """Return the one whole number that a body holds.

    :raises Problem: ``request.invalid``
    """
    if not isinstance(body, dict):
        raise request_invalid(detail=f"The body must be an object with {name}.")
    if unknown := [FieldError(field, "unknown", "is not a field of this request") for field in body if field != name]:
        raise request_invalid(*unknown)
    value = body.get(name)
    if type(value) is not int or not least <= value <= most:
        raise field_invalid(name, f"must be a whole number from {least} to {most}")
    return value


def _now_ms() -> int:
    """Return the database's clock, by which limits wait and windows roll."""
    found = row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])
