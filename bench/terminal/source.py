"""A source of prices that speaks Binance's protocol and never rests: so many ticks a second over so many symbols."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from decimal import Decimal

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.soak.upstreams import Binance, Session, Walk

STEP_S = 0.02


class FastSource:
    """Prices of some symbols, in turns, at one pace for all connections."""

    def __init__(self, sources: list[str], ticks_per_s: int, seed: int = 1) -> None:
        self._sources = sources
        self._per_step = ticks_per_s * STEP_S
        rng = random.Random(seed)
        self._walks = {source: Walk(Decimal(100 + number), 2, rng) for number, source in enumerate(sources)}
        self._dialect = Binance()
        self._sessions: set[Session] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a loopback port while the block runs, and yield the address."""
        async with serve(self._serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            playing = asyncio.create_task(self._play())
            try:
                yield f"ws://127.0.0.1:{port}/stream"
            finally:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)

    async def _serve(self, socket: ServerConnection) -> None:
        session = Session(socket)
        self._sessions.add(session)
        try:
            async for message in socket:
                await session.send(self._dialect.answers(json.loads(message), session))
        except ConnectionClosed:
            pass
        finally:
            self._sessions.discard(session)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        started_s, said = loop.time(), 0
        while True:
            await asyncio.sleep(STEP_S)
            # By the clock, so that a late step is made up for and the pace holds.
            due = int((loop.time() - started_s) / STEP_S * self._per_step)
            for number in range(said, due):
                await self._say(self._sources[number % len(self._sources)])
            said = due

    async def _say(self, source: str) -> None:
        walk = self._walks[source]
        price = walk.step()
        for session in list(self._sessions):
            with contextlib.suppress(ConnectionClosed):
                await session.send(self._dialect.frames(source, price, walk.half_spread, session.wanted))
