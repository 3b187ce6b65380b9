"""Identifiers that sort by the time of their making."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def uuid7_hex() -> str:
    """Return a UUIDv7 as 32 hexadecimal digits, for statements that take many."""
    digits: str = uuid_utils.uuid7().hex
    return digits


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562): identity only; nothing reads its time back."""
    return UUID(int=uuid_utils.uuid7().int)
