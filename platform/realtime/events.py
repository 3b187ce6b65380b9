"""What an event is, and the registry of event types with their schemas."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from accounts.domain import ledger_of
from kernel.clock import rfc3339

_encoder = msgspec.json.Encoder()


class EventDraft(msgspec.Struct, frozen=True, gc=False):
    """A fact to tell one user, before it has its number.

    :param book: 'real', 'demo', 't:<tournament id>', or '' for an event without a ledger
    :param payload: the JSON document that clients get as ``data``
    """

    user_id: UUID
    book: str
    type: str
    payload: bytes
    at_ms: int
    version: int = 1

    @property
    def tail(self) -> str:
        """Return the rest of the envelope, from ``v`` on; it is the same for every reader."""
        return envelope_tail(self.version, self.type, self.at_ms, self.book, self.payload.decode())


class AccountBanned(msgspec.Struct, frozen=True):
    """An operator banned the account: tokens are suspended, open orders settle as always."""

    reason: str
    banned_at: str
    banned_until: str | None = None


_types: dict[tuple[str, int], type[Any]] = {}


def event_register(name: str, payload: type[msgspec.Struct], *, version: int = 1) -> None:
    """Make an event type known; each app does so for its own in ``AppConfig.ready``.

    :raises ValueError: when another structure has that name and version
    """
    known = _types.setdefault((name, version), payload)
    if known is not payload:
        raise ValueError(f"event {name} v{version} is already registered")


def event_schemas() -> dict[tuple[str, int], dict[str, Any]]:
    """Return the JSON schema of each registered event type."""
    return {key: msgspec.json.schema(payload) for key, payload in sorted(_types.items())}


def payload_encoded(payload: msgspec.Struct) -> bytes:
    """Encode the payload of an event."""
    return _encoder.encode(payload)


def envelope_tail(version: int, kind: str, at_ms: int, book: str, data: str) -> str:
    """Return an envelope's members from ``v`` on, closing brace included.

    :param data: JSON text
    """
    ledger = ledger_of(book)
    shown = "null" if ledger is None else f'"{ledger}"'
    # Types and ledgers are our own words: they hold nothing that JSON would have to escape.
    return f'"v":{version},"type":"{kind}","at":"{rfc3339(at_ms)}","ledger":{shown},"data":{data}}}'


def envelope(seq: int, prev_seq: int, tail: str) -> str:
    """Return the socket message of an event."""
    return f'{{"channel":"account","seq":{seq},"prev_seq":{prev_seq},{tail}'


event_register("account.banned", AccountBanned)
