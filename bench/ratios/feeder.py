"""A parser whose feed is 50 symbols at five ticks a second each, not all at once: ``python -m bench.ratios.feeder``."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from decimal import Decimal

import django

django.setup()

from quotes.adapters.upstream import Clock, Packet, PacketNumbers, Wanted  # noqa: E402
from quotes.domain import RawTick  # noqa: E402
from quotes.parser import Parser  # noqa: E402

EACH_PER_S = 5


class Steady:
    """The feed: one tick after the other, in a drawn order, at a steady pace."""

    def __init__(self, clock: Clock) -> None:
        self.connected = False
        self.detail = ""
        self._clock = clock
        self._numbers = PacketNumbers(clock)
        self._sources: list[str] = []

    async def resubscribe(self, wanted: Mapping[str, Wanted]) -> None:
        """Serve the wanted symbols from now on."""
        self._sources = sorted(wanted)

    async def packets(self) -> AsyncGenerator[Packet, None]:
        """Yield one tick at a time, stamped when it is made."""
        self.connected, loop, drawn = True, asyncio.get_running_loop(), random.Random(1)
        due_s = loop.time()
        while True:
            if self._sources:
                now_ms, number = self._clock(), self._numbers.next()
                bid = Decimal(108_500 + drawn.randrange(40)).scaleb(-5)
                tick = RawTick(drawn.choice(self._sources), number, now_ms, now_ms, bid, bid + Decimal("0.00002"))
                yield Packet(now_ms, (tick,))
            due_s += 1 / (EACH_PER_S * max(1, len(self._sources)))
            await asyncio.sleep(max(0.0, due_s - loop.time()))


if __name__ == "__main__":
    asyncio.run(Parser(feed="script", adapter=Steady).run())
