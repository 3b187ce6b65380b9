"""An adapter that runs against a local server, and what it yields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from quotes.adapters.upstream import Adapter, Declaration, Packet, Wanted
from quotes.domain import RawTick, Refusal
from tests.support import eventually_async


class Heard:
    """Packets that an adapter yielded, collected as they come."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.packets: list[Packet] = []
        self.task = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        async for packet in self.adapter.packets():
            self.packets.append(packet)

    @property
    def ticks(self) -> list[RawTick]:
        """All ticks in the order of their arrival."""
        return [tick for packet in self.packets for tick in packet.ticks]

    @property
    def sources(self) -> list[str]:
        """The upstream symbols of all ticks."""
        return [tick.source for tick in self.ticks]

    @property
    def refused(self) -> list[Refusal]:
        """Why packets could not be read."""
        return [refused.reason for packet in self.packets for refused in packet.refused]

    @property
    def declared(self) -> list[Declaration]:
        """What the feed said of its markets."""
        return [one for packet in self.packets for one in packet.declared]

    @property
    def pongs(self) -> int:
        """How many signs of life came without a tick."""
        return sum(1 for packet in self.packets if not packet.ticks and not packet.refused)

    async def until(self, check: Callable[[Heard], object], *, within_s: float = 10.0) -> None:
        """Wait until what was heard is enough."""

        async def enough() -> object:
            if self.task.done():
                self.task.result()
            return check(self)

        await eventually_async(enough, within_s=within_s)


@asynccontextmanager
async def heard_from(adapter: Adapter, wanted: Mapping[str, Wanted]) -> AsyncIterator[Heard]:
    """Run an adapter and collect what it yields; a defect of it fails the test."""
    await adapter.resubscribe(wanted)
    heard = Heard(adapter)
    try:
        yield heard
    finally:
        heard.task.cancel()
        with suppress(asyncio.CancelledError):
            await heard.task
