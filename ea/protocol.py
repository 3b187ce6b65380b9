"""What clients send: one schema for TCP, WebSocket and HTTP. Pure: bytes in, values or a stable code out.

A payload is one JSON object. Every payload of a client ends in ``,"sig":"<64 hexadecimal digits>"}``: the HMAC-SHA256
of all bytes in front of that ending under the key's secret. Nothing is brought into another form before it is checked,
so that a client needs no JSON library to sign.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ea.codes import RejectCode, Rejected

VERSION = 1
EVENTS_MAX = 50
META_BYTES_MAX = 1_024
HEARTBEAT_S = 5
HEARTBEATS_MISSED_MAX = 3
_SIG_HEAD = b',"sig":"'
_SIG_BYTES = len(_SIG_HEAD) + 64 + len(b'"}')

_BLOCK_BYTES = 64
_INNER, _OUTER = bytes(octet ^ 0x36 for octet in range(256)), bytes(octet ^ 0x5C for octet in range(256))

INT64 = 2**63 - 1
# Neither control characters nor halves of surrogate pairs: PostgreSQL and logs hold what is left.
_PLAIN = r"[^\x00-\x1f\x7f\ud800-\udfff]"

EventId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
KeyId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z")]
Word40 = Annotated[str, Meta(pattern=rf"^{_PLAIN}{{1,40}}\Z")]
Word64 = Annotated[str, Meta(pattern=rf"^{_PLAIN}{{1,64}}\Z")]
Word32 = Annotated[str, Meta(pattern=rf"^{_PLAIN}{{1,32}}\Z")]
Label = Annotated[str, Meta(pattern=rf"^{_PLAIN}{{0,40}}\Z")]
Decimal = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?\Z")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Instant = Annotated[int, Meta(ge=0, le=9_999_999_999_999)]
Counter = Annotated[int, Meta(ge=0, le=INT64)]
# Its digits are compared where the signature is checked.
Sig = Annotated[str, Meta(min_length=64, max_length=64)]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A part of a client's payload."""


class _Sent(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """A payload of a client."""

    sig: Sig


class Stake(_Part, frozen=True):
    """How much: an amount of money, a share of the balance, or lots, which our own ledgers do not know."""

    mode: Literal["fixed", "percent", "lots"]
    value: Decimal
    currency: Currency | None = None


class ExpiryAfter(_Part, tag_field="mode", tag="duration", frozen=True):
    """So many seconds after the order is accepted."""

    s: Annotated[int, Meta(ge=5, le=86_400)]


class ExpiryAt(_Part, tag_field="mode", tag="at", frozen=True):
    """At an instant of the server's clock."""

    at_ms: Instant


class Target(_Part, frozen=True):
    """A ledger; a tournament is named by its wallet."""

    ledger: Literal["real", "demo", "tournament"]
    id: Word40 | None = None


class Signal(_Sent, tag="signal", kw_only=True, frozen=True):
    """One trade event. Immutable: a client that sends it again sends the same bytes."""

    v: int
    event_id: EventId
    kid: KeyId
    sid: Word40
    seq: Annotated[int, Meta(ge=1, le=INT64)]
    source: Literal["mt5", "mt4", "tradingview", "api", "manual"]
    acct: Word40
    server: Word64
    strategy: Label = ""
    magic: Annotated[int, Meta(ge=-INT64 - 1, le=INT64)] = 0
    action: Literal["open", "cancel", "close_all", "reverse"]
    src_ticket: Word32 | None = None
    symbol: Word32 | None = None
    direction: Literal["call", "put"] | None = None
    stake: Stake | None = None
    currency: Currency | None = None
    expiry: ExpiryAfter | ExpiryAt | None = None
    ref_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    t_evt_ms: Instant
    t_sig_ms: Instant
    valid_ms: Annotated[int, Meta(ge=200, le=60_000)] | None = None
    min_payout: Decimal | None = None
    max_drift: Decimal | None = None
    target: Target | Word40 | None = None
    meta: Raw | UnsetType = UNSET


class Hello(_Sent, tag="hello", kw_only=True, frozen=True):
    """The first frame of a connection; it signs the server's nonce and says where the client stands.

    :param last_seq: the newest number that this installation has given
    :param first_seq: the oldest that it still has; without it, whatever comes next
    :param after: the number of the newest ``order`` frame that it has dealt with
    """

    v: int
    kid: KeyId
    sid: Word40
    build: Annotated[str, Meta(max_length=40)] | int = ""
    terminal: Annotated[str, Meta(max_length=80)] = ""
    acct: Word40
    server: Word64
    last_seq: Counter = 0
    first_seq: Annotated[int, Meta(ge=1, le=INT64)] | None = None
    after: Counter | None = None
    nonce: Annotated[str, Meta(max_length=64)]


class Heartbeat(_Sent, tag="heartbeat", kw_only=True, frozen=True):
    """A sign of life with the client's clock, from which the server reckons its offset."""

    v: int = VERSION
    kid: KeyId | None = None
    sid: Word40 | None = None
    seq: Counter = 0
    t_ms: Instant
    spool: Counter = 0
    link_rtt_us: Counter | None = None


class ParamsAck(_Sent, tag="params_ack", kw_only=True, frozen=True):
    """The client has put a revision of its parameters in force."""

    v: int = VERSION
    kid: KeyId | None = None
    sid: Word40 | None = None
    strategy: Label
    rev: Counter


class Resync(_Sent, tag="resync", kw_only=True, frozen=True):
    """The client has nothing older than this number: what the server misses in front of it is a hole."""

    v: int = VERSION
    kid: KeyId | None = None
    sid: Word40 | None = None
    from_seq: Annotated[int, Meta(ge=1, le=INT64)]


Message = Signal | Hello | Heartbeat | ParamsAck | Resync


class _Peek(Struct):
    """What is asked of a payload that is not as it should be."""

    v: Any = VERSION
    event_id: Any = None
    seq: Any = 0


_decoder = msgspec.json.Decoder(Message)
_signal_decoder = msgspec.json.Decoder(Signal)
_peeker = msgspec.json.Decoder(_Peek)
_lister = msgspec.json.Decoder(list[Raw])


def message_decoded(payload: bytes) -> Message:
    """Return what a client sent.

    :raises Rejected: ``bad_json``, ``unsupported_version`` or ``schema``
    """
    try:
        message: Message = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _undecoded(payload, error) from None
    if message.v != VERSION:
        raise _other_version(message.v, getattr(message, "event_id", None))
    if type(message) is Signal:
        signal_checked(message)
    return message


def signal_decoded(payload: bytes) -> Signal:
    """Return a signal that comes without a connection, or out of the log.

    :raises Rejected: as :func:`message_decoded` does
    """
    try:
        signal = _signal_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _undecoded(payload, error) from None
    if signal.v != VERSION:
        raise _other_version(signal.v, signal.event_id)
    signal_checked(signal)
    return signal


def payloads_listed(body: bytes) -> tuple[list[bytes], bool]:
    """Return the payloads of a request's body, each with its own bytes, and whether it was an array of them.

    :raises Rejected: ``bad_json``, or ``schema`` for more payloads than one request may have
    """
    body = body.strip(b" \t\r\n")
    if not body.startswith(b"["):
        return [body], False
    try:
        payloads = [bytes(raw) for raw in _lister.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Rejected(RejectCode.BAD_JSON, "the body is no JSON array") from None
    if not 1 <= len(payloads) <= EVENTS_MAX:
        raise Rejected(RejectCode.SCHEMA, f"an array holds 1 to {EVENTS_MAX} events")
    return payloads, True


class Mac:
    """HMAC-SHA256 under one secret (RFC 2104): whoever checks many payloads keeps it, with its blocks digested.

    The library's own does the same with three contexts to copy in place of two, and a layer of Python above them.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        block = (secret if len(secret) <= _BLOCK_BYTES else sha256(secret).digest()).ljust(_BLOCK_BYTES, b"\0")
        self._inner, self._outer = sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))

    def hexdigest(self, octets: bytes) -> str:
        """Return the HMAC of some bytes in lower case."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(octets)
        outer.update(inner.digest())
        return outer.hexdigest()


def signature_holds(payload: bytes, mac: Mac) -> bool:
    """Whether a payload ends in the HMAC of what stands in front of it; takes the same time for every wrong one."""
    ending = payload[-_SIG_BYTES:]
    if ending[:8] != _SIG_HEAD or ending[-2:] != b'"}':
        return False
    return hmac.compare_digest(mac.hexdigest(payload[:-_SIG_BYTES]).encode(), ending[8:-2])


def signed(payload: bytes, secret: bytes) -> bytes:
    """Return a payload with its signature as the last member.

    :param payload: a JSON object with at least one member and no ``sig``
    """
    open_end = payload[:-1]
    return open_end + _SIG_HEAD + hmac.digest(secret, open_end, "sha256").hex().encode() + b'"}'


def signal_checked(signal: Signal) -> None:
    """Check what spans several members.

    :raises Rejected: ``schema``
    """
    fault = ""
    if signal.action == "open" and None in (signal.symbol, signal.direction, signal.stake, signal.expiry):
        fault = "an open needs symbol, direction, stake and expiry"
    elif signal.max_drift is not None and signal.ref_price is None:
        fault = "max_drift needs ref_price"
    elif signal.stake is not None and signal.currency not in (None, signal.stake.currency) and signal.stake.currency:
        fault = "currency stands twice, and differs"
    elif signal.meta is not UNSET and not _meta_holds(bytes(signal.meta)):
        fault = f"meta is an object of at most {META_BYTES_MAX} bytes"
    if fault:
        raise Rejected(RejectCode.SCHEMA, fault, event_id=signal.event_id, seq=signal.seq)


def _meta_holds(meta: bytes) -> bool:
    return len(meta) <= META_BYTES_MAX and meta.startswith(b"{")


def _undecoded(payload: bytes, error: Exception) -> Rejected:
    """Say why a payload could not be read, and of which event, as far as that can be told."""
    try:
        # The schema is asked before the end of the payload is reached: whether the rest is JSON is seen here.
        msgspec.json.decode(payload)
        peek = _peeker.decode(payload)
    except msgspec.ValidationError:
        return Rejected(RejectCode.SCHEMA, "the payload is no object")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Rejected(RejectCode.BAD_JSON, "the payload is no JSON in UTF-8")
    event_id = peek.event_id if isinstance(peek.event_id, str) and len(peek.event_id) <= 64 else None
    if peek.v != VERSION and type(peek.v) is int:
        return _other_version(peek.v, event_id)
    seq = peek.seq if type(peek.seq) is int and 0 < peek.seq <= INT64 else 0
    return Rejected(RejectCode.SCHEMA, str(error)[:200], event_id=event_id, seq=seq)


def _other_version(version: int, event_id: str | None) -> Rejected:
    detail = f"this server speaks version {VERSION}, not {version}"
    return Rejected(RejectCode.UNSUPPORTED_VERSION, detail, event_id=event_id)
