"""What a conversation needs of its transport, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Protocol


class Wire(Protocol):
    """What a transport does for a session; its name is what its owner is shown."""

    name: str

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


class Timer:
    """Something that is done after a while, unless it is called off."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        """Whether it is still to be done."""
        return self._handle is not None

    def start(self, seconds: float, act: Callable[..., object], *arguments: object) -> None:
        """Do something after a while, instead of what was to be done before."""
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, act, *arguments)

    def stop(self) -> None:
        """Call it off."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
