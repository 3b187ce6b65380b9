"""Identifiers that sort by the time of their making."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562): identity only; nothing reads its time back."""
    return UUID(int=uuid_utils.uuid7().int)
