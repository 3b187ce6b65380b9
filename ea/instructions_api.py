"""What owners tell their experts, over REST: parameters of strategies, and commands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import StrictSerializer
from ea import instructions, selectors
from ea.domain import COMMANDS
from ea.installations_api import BridgeView
from ea.models import Link
from kernel.clock import optional_rfc3339, wall_ms
from kernel.errors import not_found
from kernel.http.pages import known_query

# Stands in addresses for signals without a strategy.
NO_STRATEGY = "-"


@extend_schema_field({"type": ["string", "number", "boolean"]})
class _ValueField(serializers.Field[Any, Any, Any, Any]):
    """A text, a number or a boolean."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the value as it is.

        :raises ValidationError: for anything else
        """
        whole = type(data) is int and abs(data) < 2**53
        if isinstance(data, bool | str) or whole or (isinstance(data, float) and math.isfinite(data)):
            return data
        raise serializers.ValidationError("must be a text, a number or a boolean")


class ParamsSerializer(serializers.Serializer[Any]):
    """The parameters of a strategy; revision 0 where none were ever set."""

    rev = serializers.IntegerField()
    values = serializers.DictField(child=_ValueField())
    at = serializers.DateTimeField(allow_null=True)
    acked_rev = serializers.IntegerField(allow_null=True, help_text="the newest that an expert has put in force")
    acked_at = serializers.DateTimeField(allow_null=True)


class ParamsRequestSerializer(StrictSerializer):
    """All values: what is not named is not set any more."""

    values = serializers.DictField(child=_ValueField())


class CommandRequestSerializer(StrictSerializer):
    """What the expert is told."""

    cmd = serializers.ChoiceField(COMMANDS)


class CommandSerializer(serializers.Serializer[Any]):
    """The number under which the expert is told; one that is away for more than a minute does not hear of it."""

    no = serializers.IntegerField()


class ParamsView(BridgeView):
    """The parameters of a strategy."""

    scopes = {"PUT": "trade"}

    @extend_schema(operation_id="ea_params", responses=ParamsSerializer)
    def get(self, request: Request, link_id: int, strategy: str) -> Response:
        """Show the parameters of a strategy; ``-`` stands for signals without one."""
        known_query(request.query_params)
        return Response(_params(self.link_of(link_id), strategy_named(strategy)))

    @extend_schema(
        operation_id="ea_params_put",
        request=ParamsRequestSerializer,
        responses=ParamsSerializer,
        examples=[OpenApiExample("Values", {"values": {"stake": "2.50", "expiry_s": 120}}, request_only=True)],
    )
    def put(self, request: Request, link_id: int, strategy: str) -> Response:
        """Set all values as the next revision; experts put it in force between two signals and say so."""
        asked = ParamsRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        link, name = self.link_of(link_id), strategy_named(strategy)
        instructions.params_put(
            link_id=link.pk,
            strategy=name,
            values=asked.validated_data["values"],
            actor_id=self.caller.user_id,
            now_ms=wall_ms(),
        )
        return Response(_params(link, name))


class CommandsView(BridgeView):
    """What an expert is told to do."""

    scopes = {"POST": "trade"}

    @extend_schema(operation_id="ea_command", request=CommandRequestSerializer, responses={202: CommandSerializer})
    def post(self, request: Request, link_id: int) -> Response:
        """Tell the experts of an installation to pause, resume, flush their spools or send them again."""
        asked = CommandRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        link = self.link_of(link_id)
        no = instructions.command_tell(
            link_id=link.pk, cmd=asked.validated_data["cmd"], actor_id=self.caller.user_id, now_ms=wall_ms()
        )
        return Response({"no": no}, status=202)


def strategy_named(text: str) -> str:
    """Return the strategy that an address names.

    :raises Problem: ``not_found`` for what no signal can name
    """
    if len(text) > 40 or not text.isprintable():
        raise not_found()
    return "" if text == NO_STRATEGY else text


def _params(link: Link, strategy: str) -> Mapping[str, Any]:
    params = selectors.params_of(link_id=link.pk, strategy=strategy)
    return {
        "rev": params.rev,
        "values": params.values,
        "at": optional_rfc3339(params.at_ms),
        "acked_rev": params.acked_rev,
        "acked_at": optional_rfc3339(params.acked_at_ms),
    }
