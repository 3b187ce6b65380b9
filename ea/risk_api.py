"""Risk of an own installation over REST: trading states, limits and stops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain import ledger_of
from ea import risk_services
from ea.domain import TradingState, strictness
from ea.installations_api import BridgeView
from ea.models import Link, RiskLimits, RiskStop, TradingSwitch
from ea.risk_limits import STOPS, Bounds, Limits, LimitsInvalid, limits_parsed
from ea.risk_services import REASON_LENGTH_MAX, limits_newest, stops_of
from kernel.clock import optional_rfc3339, rfc3339
from kernel.errors import field_invalid, request_invalid
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.schema import PAGE
from kernel.jobs import database_now_ms
from kernel.money import format_minor
from ledger.selectors import WalletRow, wallets_of
from quotes.api import PublicView

_STRATEGY_LENGTH_MAX = 40
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*\Z")
_STATES = [state.value for state in TradingState]


def _bounds_schema() -> dict[str, Any]:
    """Return the schema of one side of the limits, its parts written out where they stand."""
    (root,), parts = msgspec.json.schema_components((Bounds,), ref_template="{name}")

    def written_out(node: Any) -> Any:
        if isinstance(node, list):
            return [written_out(item) for item in node]
        if not isinstance(node, dict):
            # What Python calls the end of a text is another letter to readers of the schema.
            return node.replace(r"\Z", "$") if isinstance(node, str) else node
        if "$ref" in node:
            return written_out(parts[node["$ref"]])
        return {name: written_out(value) for name, value in node.items() if name != "default"}

    schema: dict[str, Any] = written_out(root)
    return schema


# A field for each limit, described by the document's own schema.
RiskBoundsSerializer: Any = type(
    "RiskBoundsSerializer",
    (serializers.Serializer,),
    {"__doc__": "One side of the limits; what is left out or null is no limit."}
    | {
        name: extend_schema_field(schema)(type(name, (serializers.Field,), {}))(required=False)
        for name, schema in _bounds_schema()["properties"].items()
    },
)


class StateSerializer(serializers.Serializer[Any]):
    """A trading state; where nobody has ever set one it is active, without reason and instant."""

    state = serializers.ChoiceField(_STATES)
    reason = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)


class StateRequestSerializer(serializers.Serializer[Any]):
    """The state to set for the installation, or for one of its strategies."""

    state = serializers.ChoiceField(_STATES)
    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)
    strategy = serializers.CharField(max_length=_STRATEGY_LENGTH_MAX, required=False, allow_blank=True)


class PlacedStateSerializer(StateSerializer):
    """The state of a place; ``name`` is a strategy's or a symbol's."""

    scope = serializers.ChoiceField(["platform", "installation", "strategy", "symbol"])
    name = serializers.CharField(allow_null=True)


class StatesSerializer(serializers.Serializer[Any]):
    """What holds an installation back now, the strictest first."""

    data = PlacedStateSerializer(many=True)  # type: ignore[assignment]


class StopSerializer(serializers.Serializer[Any]):
    """Where a stop stands on a wallet: when and why it was tripped, or reset."""

    stop = serializers.ChoiceField(list(STOPS))
    wallet_id = serializers.UUIDField()
    ledger = serializers.CharField()
    tripped = serializers.BooleanField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()
    lost = serializers.CharField(allow_null=True)
    limit = serializers.CharField(allow_null=True)


class RiskLimitsSerializer(serializers.Serializer[Any]):
    """Risk limits; version 0 is the platform's default. The members of both sides are in the guide on risk."""

    version = serializers.IntegerField()
    at = serializers.DateTimeField(allow_null=True)
    soft = RiskBoundsSerializer()
    hard = RiskBoundsSerializer()
    state_of_stops = StopSerializer(many=True)


class RiskLimitsRequestSerializer(serializers.Serializer[Any]):
    """The whole of the limits, made from a version."""

    version = serializers.IntegerField(min_value=0)
    soft = RiskBoundsSerializer(required=False)
    hard = RiskBoundsSerializer(required=False)


class StopResetSerializer(serializers.Serializer[Any]):
    """Which stop ends, and why; on one wallet or on all."""

    stop = serializers.ChoiceField(list(STOPS))
    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)
    wallet_id = serializers.UUIDField(required=False)


class StateView(BridgeView):
    """The owner's own switch."""

    scopes = {"PUT": "trade"}

    @extend_schema(
        operation_id="ea_state",
        parameters=[OpenApiParameter("strategy", str)],
        responses=StateSerializer,
        filters=False,
    )
    def get(self, request: Request, link_id: int) -> Response:
        """Show the state that the owner has set."""
        known_query(request.query_params, "strategy")
        self.link_of(link_id)
        strategy = _strategy(request.query_params.get("strategy"))
        scope, name = ("link", str(link_id)) if strategy is None else ("strategy", f"{link_id}/{strategy}")
        newest = TradingSwitch.objects.filter(scope=scope, name=name).order_by("-id").first()
        return Response(_state_document(newest))

    @extend_schema(operation_id="ea_state_set", request=StateRequestSerializer, responses=StateSerializer)
    def put(self, request: Request, link_id: int) -> Response:
        """Set the state: ``reducing`` and ``halted`` take no new orders; what is open settles as always."""
        known_query(request.query_params)
        link = self.link_of(link_id)
        body = _object(request.data, "state", "reason", "strategy")
        if body.get("state") not in _STATES:
            raise field_invalid("state", "must be one of " + " ".join(_STATES))
        switch = risk_services.state_set(
            user_id=self.caller.user_id,
            link_id=link.pk,
            state=TradingState(body["state"]),
            reason=_reason(body),
            strategy=_strategy(body.get("strategy")),
            now_ms=database_now_ms(),
        )
        return Response(_state_document(switch))


class StatesView(BridgeView):
    """All states that hold for an installation."""

    @extend_schema(operation_id="ea_states", responses=StatesSerializer)
    def get(self, request: Request, link_id: int) -> Response:
        """List what holds the installation back now: places whose state is not active, the strictest first."""
        known_query(request.query_params)
        link = self.link_of(link_id)
        found = sorted(_switches(link.pk), key=lambda one: (-strictness(TradingState(one.state)), one.scope, one.name))
        return Response({"data": [_placed_document(switch) for switch in found]})


class RiskLimitsView(BridgeView):
    """The limits of an installation, a version at a time."""

    scopes = {"PUT": "trade"}

    @extend_schema(operation_id="ea_limits", responses=RiskLimitsSerializer)
    def get(self, request: Request, link_id: int) -> Response:
        """Show the limits that hold, and the stops that were ever tripped."""
        known_query(request.query_params)
        return Response(self._document(self.link_of(link_id)))

    @extend_schema(operation_id="ea_limits_set", request=RiskLimitsRequestSerializer, responses=RiskLimitsSerializer)
    def put(self, request: Request, link_id: int) -> Response:
        """Replace the limits as a whole; they bind from the next batch of signals on."""
        known_query(request.query_params)
        link = self.link_of(link_id)
        body = _object(request.data, "version", "soft", "hard")
        version = body.get("version")
        if type(version) is not int or version < 0:
            raise field_invalid("version", "must be the version that the change was made from, 0 for the default")
        try:
            limits = limits_parsed({side: body[side] for side in ("soft", "hard") if side in body})
        except LimitsInvalid as invalid:
            raise field_invalid(invalid.path, str(invalid)) from None
        risk_services.limits_put(
            user_id=self.caller.user_id, link_id=link.pk, version=version, limits=limits, now_ms=database_now_ms()
        )
        return Response(self._document(link))

    def _document(self, link: Link) -> dict[str, Any]:
        return limits_document(link, may_see=self.caller.may_see)


class StopResetView(BridgeView):
    """The end of a stop."""

    scopes = {"POST": "trade"}

    @extend_schema(operation_id="ea_limits_reset", request=StopResetSerializer, responses=RiskLimitsSerializer)
    def post(self, request: Request, link_id: int) -> Response:
        """Reset a stop that was tripped; what it measures begins anew."""
        known_query(request.query_params)
        link = self.link_of(link_id)
        body = _object(request.data, "stop", "reason", "wallet_id")
        if body.get("stop") not in STOPS:
            raise field_invalid("stop", "must be one of " + " ".join(STOPS))
        risk_services.stop_reset(
            user_id=self.caller.user_id,
            link_id=link.pk,
            stop=body["stop"],
            reason=_reason(body),
            wallet_id=_wallet_id(body.get("wallet_id")),
            now_ms=database_now_ms(),
        )
        return Response(limits_document(link, may_see=self.caller.may_see))


class BridgeStateSerializer(serializers.Serializer[Any]):
    """An operator's act on the bridge; ``symbol`` is null where it held for all, ``ended_at`` while it lasts."""

    symbol = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(_STATES)
    reason = serializers.CharField()
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class BridgeStatePageSerializer(serializers.Serializer[Any]):
    """A page of acts, newest first."""

    data = BridgeStateSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class BridgeIncidentsView(PublicView):
    """What operators stopped on the bridge, for everybody to read."""

    @extend_schema(
        operation_id="fairness_bridge", parameters=[*PAGE], responses=BridgeStatePageSerializer, filters=False, auth=[]
    )
    def get(self, request: Request) -> Response:
        """List the states that operators have set for the bridge or for a symbol on it, newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        found = TradingSwitch.objects.filter(scope__in=["platform", "symbol"])
        if ask.cursor is not None:
            found = found.filter(id__lt=int(ask.cursor.id) if ask.cursor.id.isdigit() else 0)
        rows = [(switch, _ended_ms(switch)) for switch in found.order_by("-id")[: ask.limit + 1]]
        return Response(
            page_document(
                rows, limit=ask.limit, cursor_of=lambda row: Cursor(row[0].at_ms, str(row[0].pk)), show=_bridge_document
            )
        )


def limits_document(link: Link, *, may_see: Any) -> dict[str, Any]:
    """Return the limits of an installation with its stops on the wallets that may be seen."""
    newest: RiskLimits | None = limits_newest(link.pk)
    limits = msgspec.to_builtins(Limits()) if newest is None else newest.document
    own = newest is not None and newest.link_id is not None
    wallets = {wallet.id: wallet for wallet in wallets_of(link.user_id)}
    return {
        "version": newest.version if newest is not None and own else 0,
        "at": optional_rfc3339(newest.at_ms if newest is not None and own else None),
        "soft": limits.get("soft", {}),
        "hard": limits.get("hard", {}),
        "state_of_stops": [
            _stop_document(stop, wallets[stop.wallet_id])
            for stop in stops_of(link.pk)
            if may_see(ledger_of(wallets[stop.wallet_id].book))
        ],
    }


def _stop_document(stop: RiskStop, wallet: WalletRow) -> dict[str, Any]:
    return {
        "stop": stop.stop,
        "wallet_id": str(stop.wallet_id),
        "ledger": ledger_of(wallet.book),
        "tripped": stop.act == "tripped",
        "reason": stop.reason,
        "at": rfc3339(stop.at_ms),
        "lost": None if stop.lost is None else format_minor(stop.lost, wallet.currency),
        "limit": None if stop.limit is None else format_minor(stop.limit, wallet.currency),
    }


def _switches(link_id: int) -> list[TradingSwitch]:
    """Return the newest switch of each place that an installation is in, where it holds something back."""
    own = TradingSwitch.objects.filter(scope="link", name=str(link_id)) | TradingSwitch.objects.filter(
        scope="strategy", name__startswith=f"{link_id}/"
    )
    shared = TradingSwitch.objects.filter(scope__in=["platform", "symbol"])
    newest = (own | shared).order_by("scope", "name", "-id").distinct("scope", "name")
    return [switch for switch in newest if switch.state != TradingState.ACTIVE]


def _ended_ms(switch: TradingSwitch) -> int | None:
    later = TradingSwitch.objects.filter(scope=switch.scope, name=switch.name, id__gt=switch.pk).order_by("id")
    return later.values_list("at_ms", flat=True).first()


def _bridge_document(row: tuple[TradingSwitch, int | None]) -> dict[str, Any]:
    switch, ended_ms = row
    return {
        "symbol": switch.name or None,
        "state": switch.state,
        "reason": switch.reason,
        "began_at": rfc3339(switch.at_ms),
        "ended_at": optional_rfc3339(ended_ms),
    }


def _state_document(switch: TradingSwitch | None) -> dict[str, Any]:
    if switch is None:
        return {"state": TradingState.ACTIVE.value, "reason": None, "at": None}
    return {"state": switch.state, "reason": switch.reason, "at": rfc3339(switch.at_ms)}


def _placed_document(switch: TradingSwitch) -> dict[str, Any]:
    scope = "installation" if switch.scope == "link" else switch.scope
    name = {"strategy": switch.name.partition("/")[2], "symbol": switch.name}.get(scope)
    return {"scope": scope, "name": name} | _state_document(switch)


def _object(body: Any, *names: str) -> Mapping[str, Any]:
    """Return the body of a request.

    :raises Problem: ``request.invalid`` when it is none, or has other members
    """
    if not isinstance(body, dict):
        raise request_invalid(detail="The body must be an object with " + ", ".join(names) + ".")
    for name in body:
        if name not in names:
            raise field_invalid(str(name), "is not a field of this request", code="unknown")
    return body


def _reason(body: Mapping[str, Any]) -> str:
    reason = body.get("reason")
    if not _is_plain(reason, most=REASON_LENGTH_MAX) or not str(reason).strip():
        raise field_invalid("reason", f"must say why, in at most {REASON_LENGTH_MAX} characters")
    return str(reason).strip()


def _strategy(name: Any) -> str | None:
    if name is not None and not _is_plain(name, most=_STRATEGY_LENGTH_MAX):
        raise field_invalid("strategy", f"must be the name of a strategy, of at most {_STRATEGY_LENGTH_MAX} characters")
    return name  # type: ignore[no-any-return]


def _is_plain(text: Any, *, most: int) -> bool:
    """Whether it is text that PostgreSQL and logs can hold, on one line."""
    return isinstance(text, str) and len(text) <= most and _PLAIN.match(text) is not None


def _wallet_id(text: Any) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except (ValueError, TypeError, AttributeError):
        raise field_invalid("wallet_id", "must be the id of a wallet") from None
