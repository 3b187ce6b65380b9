"""REST: hooks of TradingView, for the owner of an installation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import StrictSerializer
from accounts.domain import LEDGERS, network_parsed
from ea.hooks import NETWORKS_MAX, HookRow, hook_create, hook_revoke, hooks_of
from ea.installations_api import BridgeView, number_of
from ea.tradingview import HOOK_PREFIX
from kernel.clock import optional_rfc3339, rfc3339, wall_ms
from kernel.errors import Problem, not_found
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.schema import PAGE


class HookSerializer(serializers.Serializer[Any]):
    """A hook, without its address and secret."""

    id = serializers.CharField()
    name = serializers.CharField()
    ledgers = serializers.ListField(child=serializers.ChoiceField(LEDGERS))
    networks = serializers.ListField(child=serializers.CharField())
    has_secret = serializers.BooleanField()
    made_at = serializers.CharField()
    revoked_at = serializers.CharField(allow_null=True)
    in_force = serializers.BooleanField()
    last_used_at = serializers.CharField(allow_null=True)


class HookPageSerializer(serializers.Serializer[Any]):
    """A page of the hooks of an installation, revoked ones included, the newest first."""

    data = HookSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class NewHookSerializer(HookSerializer):
    """A hook with its address and its secret, which are shown this once."""

    url = serializers.CharField()
    secret = serializers.CharField(allow_null=True)


class HookRequestSerializer(StrictSerializer):
    """What a new hook may do."""

    name = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    ledgers = serializers.ListField(
        child=serializers.ChoiceField(LEDGERS), allow_empty=False, required=False, default=lambda: ["demo"]
    )
    networks = serializers.ListField(
        child=serializers.CharField(max_length=49), required=False, default=list, max_length=NETWORKS_MAX
    )
    with_secret = serializers.BooleanField(required=False, default=False)

    def validate_networks(self, networks: list[str]) -> list[str]:
        """Refuse what is neither an address nor a network."""
        for text in networks:
            try:
                network_parsed(text)
            except ValueError as error:
                raise serializers.ValidationError(f"{text} is neither an address nor a CIDR network") from error
        return networks


class HooksView(BridgeView):
    """The hooks of an installation of the caller."""

    scopes = {"POST": "tokens"}

    @extend_schema(operation_id="ea_hooks_list", responses=HookPageSerializer, parameters=PAGE)
    def get(self, request: Request, link_id: int) -> Response:
        """List the hooks, the newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        behind = None if ask.cursor is None else (ask.cursor.at, _kid(number_of(ask.cursor)))
        found = hooks_of(self.link_of(link_id).pk, limit=ask.limit + 1, behind=behind)
        return Response(page_document(found, limit=ask.limit, cursor_of=_cursor, show=_document))

    @extend_schema(operation_id="ea_hooks_create", request=HookRequestSerializer, responses={201: NewHookSerializer})
    def post(self, request: Request, link_id: int) -> Response:
        """Create a hook; its address and its secret are in this answer and nowhere else."""
        link = self.link_of(link_id)
        asked = HookRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        self.caller.require_scope("trade")
        self.no_more_than_own(terms["ledgers"])
        try:
            hook, token, secret = hook_create(link_id=link.pk, now_ms=wall_ms(), **terms)
        except ValueError as error:
            raise Problem("ea.hook.refused", status=422, title="The hook cannot be made.", detail=str(error)) from error
        (row,) = (row for row in hooks_of(link.pk) if row.kid == hook.pk)
        url = request.build_absolute_uri(f"/ea/v1/hook/{token}")
        return Response(_document(row) | {"url": url, "secret": secret}, status=201)


class HookView(BridgeView):
    """One hook of an installation of the caller."""

    scopes = {"DELETE": "tokens"}

    @extend_schema(operation_id="ea_hooks_revoke", responses={204: None})
    def delete(self, request: Request, link_id: int, hook_id: str) -> Response:
        """Revoke a hook for ever, at once; revoking it again changes nothing."""
        link = self.link_of(link_id)
        if not hook_revoke(link_id=link.pk, kid=hook_id, now_ms=wall_ms()):
            raise not_found()
        return Response(status=204)


def _cursor(row: HookRow) -> Cursor:
    """Return where a page behind a hook begins; cursors hold numbers, and the rest of a hook's id is one."""
    return Cursor(row.made_at_ms, str(int(row.kid.removeprefix(HOOK_PREFIX), 16)))


def _kid(number: int) -> str:
    return f"{HOOK_PREFIX}{number:016x}"


def _document(row: HookRow) -> dict[str, Any]:
    return {
        "id": row.kid,
        "name": row.name,
        "ledgers": row.ledgers,
        "networks": row.networks,
        "has_secret": row.has_secret,
        "made_at": rfc3339(row.made_at_ms),
        "revoked_at": optional_rfc3339(row.revoked_at_ms),
        "in_force": row.revoked_at_ms is None,
        "last_used_at": optional_rfc3339(row.last_used_at_ms),
    }
