"""REST: views for known callers, the caller itself, and its API tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import errors, selectors, services
from accounts.authentication import CallerAuthentication, CallerRequired
from accounts.callers import Caller
from accounts.domain import LEDGERS, SCOPES, network_parsed
from accounts.models import ApiToken
from kernel.clock import optional_rfc3339, parse_rfc3339, rfc3339, wall_ms
from kernel.errors import field_invalid, not_found
from kernel.http import rate_check
from kernel.http.pages import Cursor, known_query, page_ask, page_document
from kernel.http.schema import PAGE, ProblemSchema
from kernel.money import DEFAULT_CURRENCY, AmountPrecisionError, AmountShapeError, format_minor, parse_amount

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CallerView(APIView):
    """A view for known callers, with rate limits told in its headers."""

    schema = ProblemSchema()
    authentication_classes = (CallerAuthentication,)
    permission_classes = (CallerRequired,)
    # Method -> scope; what is not named needs ``read``.
    scopes: ClassVar[Mapping[str, str]] = {}
    # Method -> group of settings.RATE_LIMITS; else ``reads`` or ``writes``.
    rate_groups: ClassVar[Mapping[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Know the caller, then count the request.

        :raises Problem: ``rate.limited``
        """
        super().initial(request, *args, **kwargs)
        method = request.method or "GET"
        group = self.rate_groups.get(method, "reads" if method in _SAFE_METHODS else "writes")
        self.headers.update(rate_check(group, self.caller.rate_key))

    @property
    def caller(self) -> Caller:
        """Return who is calling."""
        caller = self.request.auth
        assert isinstance(caller, Caller)
        return caller


class StrictSerializer(serializers.Serializer[Any]):
    """Refuse fields that nobody reads: a misspelt one must not silently mean its default."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated fields.

        :raises ValidationError: for unknown fields, too
        """
        known = super().to_internal_value(data)
        unknown = {
            name: [serializers.ErrorDetail("is not a field of this request", "unknown")]
            for name in data
            if name not in self.fields
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return known


@extend_schema_field({"type": ["string", "integer", "null"]})
class LimitValueField(serializers.Field[Any, Any, Any, Any]):
    """An amount as decimal text, or a whole number of orders or minutes; null where no limit is set."""


@extend_schema_field({"type": "string", "pattern": r"^(?!0+(\.0+)?$)\d{1,15}(\.\d{1,2})?$"})
class CapField(serializers.Field[int, str, str, int]):
    """An amount above zero as decimal text; minor units inside. All currencies have the same two decimals."""

    def to_internal_value(self, data: Any) -> int:
        """Return minor units.

        :raises ValidationError: when it is no such text
        """
        try:
            amount = parse_amount(data, DEFAULT_CURRENCY) if isinstance(data, str) else 0
        except (AmountShapeError, AmountPrecisionError):
            amount = 0
        if amount <= 0:
            raise serializers.ValidationError("must be an amount above zero as text, with at most two decimals")
        return amount


class LimitSerializer(serializers.Serializer[Any]):
    """One own limit; null where none is set."""

    set = LimitValueField()
    left = LimitValueField()


class MeSerializer(serializers.Serializer[Any]):
    """The caller's account."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    country = serializers.CharField(allow_null=True)
    level = serializers.IntegerField()
    limits = serializers.DictField(child=LimitSerializer())
    features = serializers.ListField(child=serializers.CharField())


class TokenSerializer(serializers.Serializer[Any]):
    """An API token, without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    ledgers = serializers.ListField(child=serializers.ChoiceField(LEDGERS), allow_null=True)
    ips = serializers.ListField(child=serializers.CharField())
    created_at = serializers.CharField()
    expires_at = serializers.CharField(allow_null=True)
    last_used_at = serializers.CharField(allow_null=True)
    stake_day_cap = serializers.CharField(allow_null=True)
    loss_day_cap = serializers.CharField(allow_null=True)


class TokenPageSerializer(serializers.Serializer[Any]):
    """A page of API tokens, newest first."""

    data = TokenSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class NewTokenSerializer(TokenSerializer):
    """An API token with its secret, which is shown this once."""

    token = serializers.CharField()


class TokenRequestSerializer(StrictSerializer):
    """What a new API token may do."""

    name = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), allow_empty=False)
    ledgers = serializers.ListField(
        child=serializers.ChoiceField(LEDGERS), allow_empty=False, allow_null=True, required=False, default=None
    )
    ips = serializers.ListField(child=serializers.CharField(max_length=49), required=False, default=list, max_length=50)
    expires_at = serializers.CharField(allow_null=True, required=False, default=None)
    stake_day_cap = CapField(allow_null=True, required=False, default=None)
    loss_day_cap = CapField(allow_null=True, required=False, default=None)

    def validate_ips(self, ips: list[str]) -> list[str]:
        """Refuse what is neither an address nor a network."""
        for text in ips:
            try:
                network_parsed(text)
            except ValueError as error:
                raise serializers.ValidationError(f"{text} is neither an address nor a CIDR network") from error
        return ips


class MeView(CallerView):
    """The caller's own account."""

    # What is left of own limits depends on orders, which this app does not know: the composition root names the reader.
    limits_of: Callable[[Caller], Mapping[str, Any]] | None = None

    @extend_schema(operation_id="me", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Return the account of the caller."""
        known_query(request.query_params)
        assert self.limits_of is not None
        user = selectors.user_by_id(self.caller.user_id)
        return Response(
            {
                "id": user.pk,
                "email": user.email,
                "country": user.country or None,
                "level": user.level,
                "limits": self.limits_of(self.caller),
                "features": ["api_tokens", "demo", "real"],
            }
        )


class TokensView(CallerView):
    """The caller's API tokens."""

    scopes = {"GET": "tokens", "POST": "tokens"}

    @extend_schema(
        operation_id="tokens_list",
        parameters=PAGE,
        responses=TokenPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """List the tokens that are not revoked, newest first."""
        known_query(request.query_params, "limit", "cursor")
        ask = page_ask(request.query_params)
        tokens = selectors.tokens_of(self.caller.user_id, limit=ask.limit + 1, before=_token_before(ask.cursor))
        return Response(
            page_document(
                tokens,
                limit=ask.limit,
                cursor_of=lambda token: Cursor(token.created_at_ms, str(token.pk)),
                show=_token_document,
            )
        )

    @extend_schema(operation_id="tokens_create", request=TokenRequestSerializer, responses={201: NewTokenSerializer})
    def post(self, request: Request) -> Response:
        """Create a token; its secret is in this answer and nowhere else."""
        asked = TokenRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        terms = asked.validated_data
        self._no_more_than_own(terms)
        now_ms = wall_ms()
        try:
            token, secret = services.token_create(
                user_id=self.caller.user_id,
                name=terms["name"],
                scopes=terms["scopes"],
                ledgers=terms["ledgers"],
                ips=terms["ips"],
                expires_at_ms=_instant(terms["expires_at"]),
                stake_day_cap=terms["stake_day_cap"],
                loss_day_cap=terms["loss_day_cap"],
                now_ms=now_ms,
            )
        except ValueError as error:
            raise field_invalid("expires_at", str(error)) from error
        return Response(_token_document(token) | {"token": secret}, status=201)

    def _no_more_than_own(self, terms: Mapping[str, Any]) -> None:
        """Refuse a token that could do more than the caller that asks for it."""
        for scope in terms["scopes"]:
            self.caller.require_scope(scope)
        own = self.caller.ledgers
        if own is not None and (terms["ledgers"] is None or not own.issuperset(terms["ledgers"])):
            raise errors.ledger_forbidden()
        if self.caller.capped and "trade" in terms["scopes"]:
            raise errors.token_capped()


class TokenView(CallerView):
    """One API token of the caller."""

    scopes = {"DELETE": "tokens"}

    @extend_schema(operation_id="tokens_revoke", responses={204: None})
    def delete(self, request: Request, token_id: UUID) -> Response:
        """Revoke a token for ever, at once."""
        if not services.token_revoke(user_id=self.caller.user_id, token_id=token_id, now_ms=wall_ms()):
            raise not_found()
        return Response(status=204)


def _token_document(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "ledgers": token.ledgers,
        "ips": token.ips,
        "created_at": rfc3339(token.created_at_ms),
        "expires_at": optional_rfc3339(token.expires_at_ms),
        "last_used_at": optional_rfc3339(token.last_used_at_ms),
        "stake_day_cap": _cap(token.stake_day_cap),
        "loss_day_cap": _cap(token.loss_day_cap),
    }


def _cap(amount: int | None) -> str | None:
    return None if amount is None else format_minor(amount, DEFAULT_CURRENCY)


def _token_before(cursor: Cursor | None) -> UUID | None:
    try:
        return None if cursor is None else UUID(cursor.id)
    except ValueError:
        raise field_invalid("cursor", "is not a cursor of this list") from None


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else parse_rfc3339(text)
    except ValueError:
        raise field_invalid("expires_at", "must be an RFC 3339 time with an offset") from None
