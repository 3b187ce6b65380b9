"""Signals as text and as values, for tests that need no connection."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from ea.client import event_id_new
from ea.log import Arrived
from ea.protocol import signal_decoded, signed
from tests.ea.bridge import Installation
from tests.market import db_now_ms

SECRET = b"0123456789abcdef"
SIGNAL: dict[str, Any] = {
    "type": "signal",
    "v": 1,
    "event_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "kid": "k1",
    "sid": "s1",
    "seq": 1,
    "source": "mt5",
    "acct": "50012345",
    "server": "Broker-Demo",
    "strategy": "breakout",
    "magic": 77,
    "action": "open",
    "src_ticket": "900100",
    "symbol": "EURUSD.r",
    "direction": "call",
    "stake": {"mode": "fixed", "value": "10.00", "currency": "USD"},
    "expiry": {"mode": "duration", "s": 60},
    "ref_price": "1.08512",
    "bid": "1.08511",
    "ask": "1.08513",
    "t_evt_ms": 1_700_000_000_000,
    "t_sig_ms": 1_700_000_000_020,
    "valid_ms": 5_000,
    "min_payout": "80",
    "max_drift": "0.0005",
    "target": {"ledger": "demo"},
    "meta": {"note": "any", "deep": [1, {"a": None}]},
}
HELLO: dict[str, Any] = {
    "type": "hello",
    "v": 1,
    "kid": "k1",
    "sid": "s1",
    "build": "1.0",
    "terminal": "MT5 4000",
    "acct": "50012345",
    "server": "Broker-Demo",
    "last_seq": 7,
    "first_seq": 5,
    "nonce": "n",
}


def payload(members: dict[str, Any], *, secret: bytes = SECRET) -> bytes:
    """Return a signed payload."""
    return signed(json.dumps(members, separators=(",", ":")).encode(), secret)


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a payload's members without some of them."""
    return {name: value for name, value in members.items() if name not in names}


def arrived(one: Installation, seq: int, *, sid: str = "s1", recv_us: int | None = None, **changes: Any) -> Arrived:
    """Return a signal of an installation as the gateway hands it to the log: made just now unless it says otherwise."""
    now_ms = db_now_ms()
    plain = without(SIGNAL, "src_ticket", "min_payout", "max_drift", "valid_ms", "target", "meta")
    members = plain | {
        "event_id": event_id_new(now_ms),
        "kid": one.key.kid,
        "sid": sid,
        "seq": seq,
        "symbol": "EURUSD",
        "t_evt_ms": now_ms,
        "t_sig_ms": now_ms,
    }
    raw = one.credentials.signed(members | changes)
    return Arrived(
        signal=signal_decoded(raw),
        raw=raw,
        sha256=hashlib.sha256(raw).digest(),
        link_id=one.link.pk,
        recv_us=now_ms * 1_000 if recv_us is None else recv_us,
    )


def id_of(event: Arrived) -> UUID:
    """Return the id of an event."""
    return UUID(event.signal.event_id)
