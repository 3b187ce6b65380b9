"""What a conversation needs of its transport, and how far it is."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Wire(Protocol):
    """What a transport does for a session."""

    def send(self, payload: bytes) -> None:
        """Send one payload."""

    def close(self, reason: str) -> None:
        """Send what is waiting, and end the connection."""

    def reading(self, go_on: bool) -> None:
        """Read on, or leave what comes where it is."""


class Stage(Enum):
    """How far a connection is."""

    NEW = 0
    ASKING = 1
    KNOWN = 2
    CLOSED = 3
