"""The body of an order request: its shape is judged here, its meaning in ``domain``."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from kernel.clock import parse_rfc3339
from kernel.errors import field_invalid, request_invalid
from kernel.http.rest import strict_json_loads
from trading.domain import Ticket

T = TypeVar("T")
BODY_BYTES_MAX = 16 * 1024

_Decimal = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?\Z")]


class OrderRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """POST /orders as the API guide defines it."""

    client_order_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z")]
    # What PostgreSQL cannot hold is no name of a symbol; any other unknown word is judged by admission.
    symbol: Annotated[str, msgspec.Meta(pattern=r"^[^\x00\ud800-\udfff]{1,32}\Z")]
    direction: str
    stake: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}(\.[0-9]+)?\Z", max_length=40)]
    ledger: str | msgspec.UnsetType = msgspec.UNSET
    wallet_id: UUID | msgspec.UnsetType = msgspec.UNSET
    # Any whole number has the right shape; whether a market offers it is judged by admission.
    duration_s: int | msgspec.UnsetType = msgspec.UNSET
    expires_at: str | msgspec.UnsetType = msgspec.UNSET
    min_payout_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | msgspec.UnsetType = msgspec.UNSET
    max_price_drift: _Decimal | msgspec.UnsetType = msgspec.UNSET
    expected_price: _Decimal | msgspec.UnsetType = msgspec.UNSET


_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`\Z")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")


def ticket_parsed(body: bytes) -> Ticket:
    """Return the ticket that a request body describes.

    :raises Problem: ``request.invalid`` with the field that has the wrong shape
    """
    if len(body) > BODY_BYTES_MAX:
        raise request_invalid(detail=f"The body is larger than {BODY_BYTES_MAX} bytes.")
    try:
        decoded = strict_json_loads(body)
    except ValueError as error:
        raise request_invalid(detail=f"The body is not JSON: {error}") from None
    try:
        asked = msgspec.convert(decoded, OrderRequest)
    except msgspec.ValidationError as error:
        raise _shape_problem(str(error)) from None
    return _ticket(asked)


def _shape_problem(message: str) -> Exception:
    for pattern, code in ((_UNKNOWN, "unknown"), (_MISSING, "required")):
        if found := pattern.search(message):
            return field_invalid(found["field"], message.partition(" - at ")[0], code=code)
    found = _WHERE.search(message)
    return field_invalid(found["path"] if found else "", message.partition(" - at ")[0])


def _ticket(asked: OrderRequest) -> Ticket:
    if (asked.ledger is msgspec.UNSET) == (asked.wallet_id is msgspec.UNSET):
        raise field_invalid("ledger", "give exactly one of ledger and wallet_id", code="exactly_one")
    if (asked.duration_s is msgspec.UNSET) == (asked.expires_at is msgspec.UNSET):
        raise field_invalid("duration_s", "give exactly one of duration_s and expires_at", code="exactly_one")
    if (asked.max_price_drift is msgspec.UNSET) != (asked.expected_price is msgspec.UNSET):
        raise field_invalid("max_price_drift", "give max_price_drift and expected_price together", code="together")
    if asked.ledger not in (msgspec.UNSET, "real", "demo", "tournament"):
        raise field_invalid("ledger", "must be real or demo; other wallets are named by wallet_id")
    return Ticket(
        client_order_id=asked.client_order_id,
        symbol=asked.symbol,
        direction=asked.direction,
        stake=asked.stake,
        ledger=_given(asked.ledger),
        wallet_id=_given(asked.wallet_id),
        duration_s=_given(asked.duration_s),
        expires_at_ms=_expires_at(asked.expires_at),
        min_payout_percent=_given(asked.min_payout_percent),
        max_price_drift=_given(asked.max_price_drift),
        expected_price=_given(asked.expected_price),
    )


def _given(value: T | msgspec.UnsetType) -> T | None:
    return None if isinstance(value, msgspec.UnsetType) else value


def _expires_at(text: str | msgspec.UnsetType) -> int | None:
    if isinstance(text, msgspec.UnsetType):
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise field_invalid("expires_at", "must be an RFC 3339 time with an offset") from None
