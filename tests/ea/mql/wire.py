"""What the wire says a client may send, written down a second time, and a book that notes every breach of it.

Nothing here is shared with the gateway: a client that passes has been read by two independent hands.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

EVENTS_MAX = 50
SIG_BYTES = 74
Decimal = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?\Z")]
Millis = Annotated[int, Meta(ge=1_700_000_000_000, le=9_999_999_999_999)]
Seq = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Sig = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Uuid7 = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]


class Stake(Struct, forbid_unknown_fields=True):
    """How much."""

    mode: Literal["fixed", "percent"]
    value: Decimal
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] | None = None


class Expiry(Struct, forbid_unknown_fields=True):
    """How long."""

    mode: Literal["duration"]
    s: Annotated[int, Meta(ge=5, le=86_400)]


class Target(Struct, forbid_unknown_fields=True):
    """Which ledger."""

    ledger: Literal["real", "demo", "tournament"]
    id: Annotated[str, Meta(max_length=40)] | None = None


class _Sent(Struct, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """A payload of a client."""

    v: Literal[1]
    kid: Annotated[str, Meta(min_length=1, max_length=32)]
    sid: Annotated[str, Meta(min_length=1, max_length=40)]
    sig: Sig


class Signal(_Sent, tag="signal", kw_only=True):
    """A trade event."""

    event_id: Uuid7
    seq: Seq
    source: Literal["mt5", "mt4"]
    acct: Annotated[str, Meta(min_length=1, max_length=40)]
    server: Annotated[str, Meta(min_length=1, max_length=64)]
    strategy: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    magic: int
    action: Literal["open"]
    src_ticket: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    symbol: Annotated[str, Meta(min_length=1, max_length=32)]
    direction: Literal["call", "put"]
    stake: Stake
    expiry: Expiry
    ref_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    t_evt_ms: Millis
    t_sig_ms: Millis
    valid_ms: Annotated[int, Meta(ge=200, le=60_000)]
    min_payout: Decimal | None = None
    max_drift: Decimal | None = None
    target: Target | None = None
    meta: dict[str, Any] | None = None


class Hello(_Sent, tag="hello", kw_only=True):
    """The first frame of a link."""

    build: int
    terminal: Annotated[str, Meta(max_length=80)]
    acct: Annotated[str, Meta(min_length=1, max_length=40)]
    server: Annotated[str, Meta(min_length=1, max_length=64)]
    last_seq: Count
    first_seq: Seq
    after: Seq | None = None
    nonce: Annotated[str, Meta(max_length=64)]


class Heartbeat(_Sent, tag="heartbeat", kw_only=True):
    """A sign of life."""

    seq: Count
    t_ms: Millis
    spool: Count
    link_rtt_us: Count


class ParamsAck(_Sent, tag="params_ack", kw_only=True):
    """A revision of parameters is in force."""

    strategy: Annotated[str, Meta(max_length=40)]
    rev: Seq


class Resync(_Sent, tag="resync", kw_only=True):
    """Nothing older is left."""

    from_seq: Seq


Message = Signal | Hello | Heartbeat | ParamsAck | Resync
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object whose keys differ."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


@dataclass(frozen=True)
class Event:
    """What was logged of a signal."""

    payload: bytes
    signal: Signal
    recv_ms: int

    @property
    def event_id_ms(self) -> int:
        """The time inside of its UUID."""
        return int(self.signal.event_id.replace("-", "")[:12], 16)


@dataclass
class Book:
    """What a server knows for good: it outlives restarts of the server, as a database does.

    :ivar breaches: what a client did against the rules, in words; empty with a good client
    :ivar arrivals: every signal that came, in order, however often
    """

    kid: str = "ea-1"
    secret: str = "a-secret-of-more-than-sixty-four-bytes-so-that-the-key-is-hashed-before-it-is-padded"
    acct: str = "5012345"
    server: str = "Demo-Server"
    events: dict[str, Event] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    arrivals: list[Signal] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    hellos: list[Hello] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    holes: list[tuple[int, int]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    _next: dict[str, int] = field(default_factory=dict)
    _sent: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def breach(self, text: str) -> None:
        """Note what must not happen."""
        self.breaches.append(text)

    def read(self, payload: bytes) -> Message | None:
        """Check a payload to the letter; None for one that breaks a rule."""
        try:
            text = payload.decode("utf-8")
            json.loads(text, object_pairs_hook=single_keys)
            message = _decoder.decode(payload)
        except (ValueError, msgspec.DecodeError) as error:
            self.breach(f"{error}: {payload[:300]!r}")
            return None
        body, ending = payload[:-SIG_BYTES], payload[-SIG_BYTES:]
        expected = hmac.new(self.secret.encode(), body, "sha256").hexdigest()
        if ending != b',"sig":"' + expected.encode() + b'"}':
            self.breach(f"the signature does not hold: {payload[:300]!r}")
            return None
        if message.kid != self.kid or (isinstance(message, Signal | Hello) and message.acct != self.acct):
            self.breach(f"another key or account: {payload[:300]!r}")
        return message

    def expected(self, sid: str) -> int:
        """Return the number that comes next."""
        return self._next.get(sid, 1)

    def hole(self, sid: str, first_seq: int) -> None:
        """Go on at a number, because the client has nothing older."""
        expected = self.expected(sid)
        if first_seq > expected:
            self.holes.append((expected, first_seq - 1))
            self._next[sid] = first_seq

    def take(self, signal: Signal, payload: bytes) -> dict[str, Any]:
        """Log a signal, or say that it was logged before, or refuse it."""
        with self._lock:
            return self._taken(signal, payload)

    def _taken(self, signal: Signal, payload: bytes) -> dict[str, Any]:
        self.arrivals.append(signal)
        # Whether it was logged or not: what carries an id never changes.
        if self._sent.setdefault(signal.event_id, payload) != payload:
            self.breach(f"{signal.event_id} was sent with other bytes")
            return reject("id_conflict", signal.event_id, final=True)
        if signal.event_id in self.events:
            return self._ack(signal, "duplicate")
        expected = self.expected(signal.sid)
        if signal.seq > expected:
            return reject("seq_gap", signal.event_id, final=False)
        if signal.seq < expected:
            self.breach(f"number {signal.seq} was used for two events")
            return reject("id_conflict", signal.event_id, final=True)
        self._next[signal.sid] = expected + 1
        event = Event(payload, signal, time.time_ns() // 1_000_000)
        self.events[signal.event_id] = event
        return self._ack(signal, "accepted")

    def _ack(self, signal: Signal, status: str) -> dict[str, Any]:
        order_id = f"order-{signal.event_id[-6:]}"
        now_us = time.time_ns() // 1_000
        ack = {"type": "ack", "event_id": signal.event_id, "seq": signal.seq, "status": status, "order_ids": [order_id]}
        return ack | {"t_recv_us": now_us, "t_log_us": now_us}

    def decide(self, event_id: str, state: str, **more: Any) -> dict[str, Any]:
        """Add a decision about an event to what clients are told."""
        order = {"type": "order", "no": len(self.orders) + 1, "event_id": event_id, "order_id": None, "state": state}
        self.orders.append(order | {"code": None, "price": None, "payout": None} | more)
        return self.orders[-1]


def reject(code: str, event_id: str | None, *, final: bool, retry_after_ms: int = 0) -> dict[str, Any]:
    """Return the answer to what was not logged."""
    reply = {"type": "reject", "event_id": event_id, "code": code, "detail": "", "final": final}
    return reply | {"retry_after_ms": retry_after_ms}
