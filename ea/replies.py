"""What the server says to clients, encoded once and sent as it is."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ea.codes import Rejected
from ea.protocol import VERSION


class _Told(Struct, tag_field="type", kw_only=True):
    """A payload of the server; it is not signed, the transport is trusted for it."""


class Challenge(_Told, tag="challenge", kw_only=True):
    """The server speaks first."""

    nonce: str
    v: int = VERSION


class Welcome(_Told, tag="welcome", kw_only=True):
    """The client is known; it goes on after ``last_seq_seen``."""

    session: str
    server_ms: int
    hb_s: int
    last_seq_seen: int
    params_rev: int
    limits: dict[str, int]


class Ack(_Told, tag="ack", kw_only=True):
    """The event is durable; ``duplicate`` tells again what was told first."""

    event_id: str
    seq: int
    status: Literal["accepted", "duplicate"]
    order_ids: list[str]
    t_recv_us: int
    t_log_us: int
    server_ms: int | UnsetType = UNSET


class Reject(_Told, tag="reject", kw_only=True):
    """The frame was not logged."""

    event_id: str | None
    code: str
    detail: str
    final: bool
    retry_after_ms: int
    server_ms: int | UnsetType = UNSET


class ServerHeartbeat(_Told, tag="heartbeat", kw_only=True):
    """The answer to a heartbeat, by its number, with the server's clock."""

    seq: int
    t_ms: int
    server_ms: int
    spool: int = 0
    link_rtt_us: int = 0


class ServerResync(_Told, tag="resync", kw_only=True):
    """Send again from this number on, or say that you have nothing older than another one."""

    from_seq: int


class OrderFrame(_Told, tag="order", kw_only=True):
    """What was decided about an event, numbered without a gap among all transitions of its installation.

    :param price: opening price where accepted, closing price where settled
    :param payout: what was paid, where settled
    """

    no: int
    event_id: str
    order_id: str | None
    state: Literal["denied", "rejected", "accepted", "settled"]
    code: str | None
    price: str | None = None
    payout: str | None = None
    payout_percent: int | None = None
    t_accepted_ms: int | None = None
    t_expires_ms: int | None = None
    t_settled_ms: int | None = None


class Params(_Told, tag="params", kw_only=True):
    """Parameters of a strategy: all of them, in force from the next signal on."""

    no: int
    strategy: str
    rev: int
    values: dict[str, Any]


class Command(_Told, tag="command", kw_only=True):
    """Something to do at once: ``pause``, ``resume``, ``flush`` or ``resync``."""

    no: int
    cmd: str


class Noted(_Told, tag="noted", kw_only=True):
    """Over HTTP: what a client said is taken note of, and asks for no other answer."""

    server_ms: int


encoded = msgspec.json.Encoder().encode


def reject_frame(rejected: Rejected, *, retry_after_ms: int = 0) -> Reject:
    """Return the answer to a frame that is not accepted."""
    code = rejected.code
    return Reject(
        event_id=rejected.event_id,
        code=code.value,
        detail=rejected.detail,
        final=code.final,
        retry_after_ms=0 if code.final else retry_after_ms,
    )
