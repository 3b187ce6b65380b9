"""Installations over REST: what their owner registers, gives keys to, and tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import errors as account_errors
from accounts.api import CallerView, StrictSerializer
from accounts.callers import Caller
from accounts.domain import network_parsed
from accounts.factors import fresh_factor_require
from ea import errors, pairing, selectors, services
from ea.domain import LEDGERS, SCOPES, TradingState
from ea.models import Key, Link
from kernel.clock import optional_rfc3339, rfc3339, wall_ms
from kernel.errors import field_invalid, not_found
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.schema import PAGE
from ledger.domain import REAL

VALID_DAYS_MAX = 3_650
DAY_MS = 86_400_000
TRADING_STATES = [item.value for item in TradingState]
_PLAIN = r"^[^\x00-\x1f\x7f\ud800-\udfff]+\Z"


class KeySerializer(serializers.Serializer[Any]):
    """A key, without its secret."""

    kid = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    ledgers = serializers.ListField(child=serializers.ChoiceField(LEDGERS))
    networks = serializers.ListField(child=serializers.CharField())
    made_at = serializers.DateTimeField()
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    in_force = serializers.BooleanField()


class OwnStateSerializer(serializers.Serializer[Any]):
    """The owner's own switch; active since ever where ``at`` is null."""

    state = serializers.ChoiceField(TRADING_STATES)
    reason = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)


class CountsSerializer(serializers.Serializer[Any]):
    """What became of the signals of the last 24 hours; at most 50,000 are counted."""

    received = serializers.IntegerField()
    accepted = serializers.IntegerField()
    denied = serializers.IntegerField()
    rejected = serializers.IntegerField()
    expired = serializers.IntegerField()


class InstallationSerializer(serializers.Serializer[Any]):
    """A registered installation: a terminal's account, its keys, and how it is."""

    id = serializers.IntegerField()
    account = serializers.CharField()
    server = serializers.CharField()
    ledger = serializers.ChoiceField(LEDGERS)
    tournament_wallet_id = serializers.UUIDField(allow_null=True)
    prefix = serializers.CharField(allow_blank=True)
    suffix = serializers.CharField(allow_blank=True)
    made_at = serializers.DateTimeField()
    state = OwnStateSerializer()
    params_revs = serializers.DictField(child=serializers.IntegerField())
    online = serializers.BooleanField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    transport = serializers.ChoiceField(("tcp", "websocket", "http"), allow_null=True)
    keys = KeySerializer(many=True)
    signals_24h = CountsSerializer()


class InstallationPageSerializer(serializers.Serializer[Any]):
    """A page of installations, the newest first."""

    data = InstallationSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class InstallationRequestSerializer(StrictSerializer):
    """A terminal's account; ``wallet_id`` goes with the ledger ``tournament``."""

    account = serializers.RegexField(_PLAIN, max_length=40)
    server = serializers.RegexField(_PLAIN, max_length=64)
    ledger = serializers.ChoiceField(LEDGERS)
    wallet_id = serializers.UUIDField(required=False, allow_null=True, default=None)


class InstallationChangeSerializer(StrictSerializer):
    """What changes; what is not named stays."""

    ledger = serializers.ChoiceField(LEDGERS, required=False)
    wallet_id = serializers.UUIDField(required=False, allow_null=True)
    prefix = serializers.RegexField(
        r"^[^\x00-\x1f\x7f\ud800-\udfff]*\Z", max_length=8, required=False, allow_blank=True
    )
    suffix = serializers.RegexField(
        r"^[^\x00-\x1f\x7f\ud800-\udfff]*\Z", max_length=8, required=False, allow_blank=True
    )


class _RightsSerializer(StrictSerializer):
    """Where the signals of a key may trade, and where from it may be used."""

    ledgers = serializers.ListField(child=serializers.ChoiceField(LEDGERS), allow_empty=False, max_length=3)
    networks = serializers.ListField(
        child=serializers.CharField(max_length=49), required=False, default=list, max_length=50
    )

    def validate_networks(self, networks: list[str]) -> list[str]:
        """Refuse what is neither an address nor a network."""
        for text in networks:
            try:
                network_parsed(text)
            except ValueError as error:
                raise serializers.ValidationError(f"{text} is neither an address nor a CIDR network") from error
        return networks


class KeyRequestSerializer(_RightsSerializer):
    """What a new key may do; without ``valid_days`` it has no end."""

    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), allow_empty=False, max_length=2)
    valid_days = serializers.IntegerField(
        min_value=1, max_value=VALID_DAYS_MAX, required=False, allow_null=True, default=None
    )


class PairingRequestSerializer(_RightsSerializer):
    """What the key that a code becomes may do."""


class KeyAnswerSerializer(serializers.Serializer[Any]):
    """A key."""

    key = KeySerializer()


class NewKeySerializer(KeyAnswerSerializer):
    """A key with its secret, which is shown this once."""

    secret = serializers.CharField()


class RotatedKeySerializer(NewKeySerializer):
    """A key's successor with its secret, and until when the old one still works."""

    old_valid_until = serializers.DateTimeField()


class PairingSerializer(serializers.Serializer[Any]):
    """A code to type into the expert's input; it is shown this once."""

    code = serializers.CharField()
    expires_at = serializers.DateTimeField()


class BridgeView(CallerView):
    """A view of the caller's bridge."""

    def link_of(self, link_id: int) -> Link:
        """Return one of the caller's installations.

        :raises Problem: ``not_found``
        """
        link = selectors.links_of(self.caller).filter(pk=link_id).first()
        if link is None:
            raise not_found()
        return link

    def key_of(self, kid: str) -> Key:
        """Return a key of one of the caller's installations.

        :raises Problem: ``not_found``
        """
        known = Key.objects.filter(pk=kid) if "\0" not in kid else Key.objects.none()
        key = known.filter(link__in=selectors.links_of(self.caller)).first()
        if key is None:
            raise not_found()
        return key

    def no_more_than_own(self, ledgers: list[str]) -> None:
        """Refuse a key that could do more than the caller that asks for it.

        :raises Problem: ``auth.ledger``, ``auth.capped``; for the real ledger ``auth.session_required`` or
            ``auth.reauthentication``
        """
        own = self.caller.ledgers
        if own is not None and not own.issuperset(ledgers):
            raise account_errors.ledger_forbidden()
        if self.caller.capped:
            raise account_errors.token_capped()
        if REAL in ledgers:
            fresh_factor_require(self.request._request, self.caller)


class InstallationsView(BridgeView):
    """The caller's installations."""

    scopes = {"POST": "tokens"}
    # The wallet of a tournament that the body names.
    problems = {"POST": (404,)}

    @extend_schema(operation_id="ea_installations", responses=InstallationPageSerializer, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """List installations with their keys, the newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        links = selectors.links_of(self.caller).order_by("-pk")
        if ask.cursor is not None:
            links = links.filter(pk__lt=number_of(ask.cursor))
        found = list(links[: ask.limit + 1])
        shown = selectors.installations_shown(found, now_ms=wall_ms())
        return Response(
            page_document(
                found,
                limit=ask.limit,
                cursor_of=lambda link: Cursor(link.made_at_ms, str(link.pk)),
                show=lambda link: _installation(shown[link.pk]),
            )
        )

    @extend_schema(
        operation_id="ea_installation_add",
        request=InstallationRequestSerializer,
        responses={200: InstallationSerializer, 201: InstallationSerializer},
        examples=[
            OpenApiExample(
                "Demo", {"account": "50012345", "server": "Broker-Demo", "ledger": "demo"}, request_only=True
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Register an installation; one that is registered with the same ledger is answered as it is."""
        asked = InstallationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        _own_ledger(self.caller, terms["ledger"])
        link, made = services.link_register(user_id=self.caller.user_id, now_ms=wall_ms(), **terms)
        # What a token may not see it is not told of, whoever registered it.
        return Response(_document(self.link_of(link.pk)), status=201 if made else 200)


class InstallationView(BridgeView):
    """One installation of the caller."""

    scopes = {"PATCH": "tokens"}

    @extend_schema(
        operation_id="ea_installation_change", request=InstallationChangeSerializer, responses=InstallationSerializer
    )
    def patch(self, request: Request, link_id: int) -> Response:
        """Say where its orders go, or what its broker puts around the names of symbols."""
        asked = InstallationChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        link = self.link_of(link_id)
        if "ledger" in terms:
            _own_ledger(self.caller, terms["ledger"])
        elif "wallet_id" in terms:
            raise field_invalid("wallet_id", "goes with a ledger")
        services.link_change(link_id=link.pk, terms=terms)
        return Response(_document(self.link_of(link_id)))


class KeysView(BridgeView):
    """The keys of an installation."""

    scopes = {"POST": "tokens"}

    @extend_schema(operation_id="ea_key_add", request=KeyRequestSerializer, responses={201: NewKeySerializer})
    def post(self, request: Request, link_id: int) -> Response:
        """Make a key; its secret is in this answer and nowhere else."""
        asked = KeyRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        link = self.link_of(link_id)
        self.no_more_than_own(terms["ledgers"])
        now_ms, days = wall_ms(), terms["valid_days"]
        with _refusals():
            key, secret = services.key_create(
                link_id=link.pk,
                now_ms=now_ms,
                scopes=terms["scopes"],
                ledgers=terms["ledgers"],
                networks=terms["networks"],
                valid_until_ms=None if days is None else now_ms + days * DAY_MS,
            )
        return Response({"key": key_document(key, now_ms), "secret": secret}, status=201)


class KeyRotateView(BridgeView):
    """The successor of a key."""

    scopes = {"POST": "tokens"}

    @extend_schema(operation_id="ea_key_rotate", request=None, responses={201: RotatedKeySerializer})
    def post(self, request: Request, kid: str) -> Response:
        """Make a key with the same rights; the old one works two days more."""
        old = self.key_of(kid)
        self.no_more_than_own(old.ledgers)
        now_ms = wall_ms()
        with _refusals():
            key, secret = services.key_rotate(kid=kid, now_ms=now_ms)
        old.refresh_from_db()
        assert old.valid_until_ms is not None
        document = {"key": key_document(key, now_ms), "secret": secret, "old_valid_until": rfc3339(old.valid_until_ms)}
        return Response(document, status=201)


class KeyRevokeView(BridgeView):
    """The end of a key."""

    scopes = {"POST": "tokens"}

    @extend_schema(operation_id="ea_key_revoke", request=None, responses=KeyAnswerSerializer)
    def post(self, request: Request, kid: str) -> Response:
        """Revoke a key for ever; its connections are closed within a second. A repeat changes nothing."""
        key = self.key_of(kid)
        now_ms = wall_ms()
        services.key_revoke(kid=kid, now_ms=now_ms)
        key.refresh_from_db()
        return Response({"key": key_document(key, now_ms)})


class PairingView(BridgeView):
    """A code that becomes a key."""

    scopes = {"POST": "tokens"}

    @extend_schema(
        operation_id="ea_pairing_begin", request=PairingRequestSerializer, responses={201: PairingSerializer}
    )
    def post(self, request: Request, link_id: int) -> Response:
        """Give a code for ten minutes and one use; an earlier one is ended."""
        asked = PairingRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        link = self.link_of(link_id)
        self.no_more_than_own(terms["ledgers"])
        given = pairing.pairing_begin(
            link_id=link.pk, ledgers=terms["ledgers"], networks=terms["networks"], now_ms=wall_ms()
        )
        return Response({"code": given.code, "expires_at": rfc3339(given.expires_at_ms)}, status=201)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the state of keys does not allow into refusals."""
    try:
        yield
    except services.KeysFullError as error:
        raise errors.keys_full(services.LIVE_KEYS_MAX) from error
    except services.KeyEndedError as error:
        raise errors.key_ended() from error


def key_document(key: Key, now_ms: int) -> dict[str, Any]:
    """Return a key as it is shown, without its secret."""
    return {
        "kid": key.kid,
        "scopes": key.scopes,
        "ledgers": key.ledgers,
        "networks": key.networks,
        "made_at": rfc3339(key.made_at_ms),
        "valid_from": rfc3339(key.valid_from_ms),
        "valid_until": optional_rfc3339(key.valid_until_ms),
        "revoked_at": optional_rfc3339(key.revoked_at_ms),
        "in_force": selectors.key_in_force(key, now_ms),
    }


def _document(link: Link) -> dict[str, Any]:
    return _installation(selectors.installations_shown([link], now_ms=wall_ms())[link.pk])


def _installation(shown: selectors.InstallationShown) -> dict[str, Any]:
    link = shown.link
    return {
        "id": link.pk,
        "account": link.account,
        "server": link.server,
        "ledger": link.ledger,
        "tournament_wallet_id": link.wallet_id,
        "prefix": link.prefix,
        "suffix": link.suffix,
        "made_at": rfc3339(link.made_at_ms),
        "state": {"state": shown.state, "reason": shown.reason, "at": optional_rfc3339(shown.state_at_ms)},
        "params_revs": shown.params_revs,
        "online": shown.online,
        "last_seen_at": optional_rfc3339(shown.seen_at_ms),
        "transport": shown.transport,
        "keys": [key_document(key, shown.now_ms) for key in shown.keys],
        "signals_24h": shown.signals,
    }


def _own_ledger(caller: Caller, ledger: str) -> None:
    if not caller.may_see(ledger):
        raise account_errors.ledger_forbidden()


def number_of(cursor: Cursor) -> int:
    if not cursor.id.isdigit():
        raise field_invalid("cursor", "is not a cursor of this list")
    return int(cursor.id)
