"""Sources of prices on this machine: servers that speak the protocols of the feeds, and fail as the real ones do.

Each server walks its prices at random. At random moments it drops its connections, refuses new ones, goes silent with
the connection open, sends garbage, or says that its markets are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from kernel.clock import rfc3339, wall_ms

TICK_S = (0.12, 0.3)
FAULT_S = (20.0, 60.0)
HEARTBEAT_S = 1.0
_BASIS = 100_000

GARBAGE: tuple[bytes, ...] = (
    b"",
    b"\xff\xfe\x00{",
    b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUS',
    b'{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"NaN","a":"1e999"}}',
    b'{"data":{"e":"trade","s":"BTCUSDT","t":-1,"p":"-5","T":0}}',
    b"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
    b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":"x","ask":null}]}',
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","price":0,"timestamp":"never"}]}',
    b'{"msg_type":"tick","tick":{"symbol":"R_100","epoch":"soon","quote":-1}}',
    b'{"msg_type":"tick","tick":null,"error":5}',
    b'"' + b"9" * 5_000 + b'"',
)


class Walk:
    """One price on its way: small steps around a level, in units of ``10**-scale``."""

    def __init__(self, level: Decimal, scale: int, rng: random.Random) -> None:
        self.scale = scale
        self._units = int(level.scaleb(scale))
        self._level = self._units
        self._rng = rng

    def step(self) -> Decimal:
        """Return the next price; it stays near its level, far inside what counts as an outlier."""
        spread = max(2, self._level * 15 // _BASIS)
        pull = (self._level - self._units) // 50
        self._units = max(1, self._units + self._rng.randint(-spread, spread) + pull)
        return Decimal(self._units).scaleb(-self.scale)

    @property
    def half_spread(self) -> Decimal:
        """Return how far bid and ask lie from the price."""
        return Decimal(1).scaleb(-self.scale)


class Session:
    """One connection: what it asked for, and whether it is silent with the connection open."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.wanted: set[tuple[str, str]] = set()
        self.silent = False

    async def send(self, frames: Iterable[str]) -> None:
        """Send frames, unless nothing comes from this connection any more."""
        for frame in frames:
            if self.silent:
                return
            await self.socket.send(frame)


class Dialect(Protocol):
    """How a source is asked and how it says a price."""

    def greeting(self) -> list[str]:
        """Return what a new connection is told."""
        ...

    def answers(self, asked: Mapping[str, Any], session: Session) -> list[str]:
        """Take a request in and return the answers."""
        ...

    def frames(self, source: str, price: Decimal, half: Decimal, wanted: set[tuple[str, str]]) -> list[str]:
        """Return what a connection is told of a new price."""
        ...

    def heartbeat(self) -> list[str]:
        """Return what is sent each second, whatever the market does."""
        ...

    def closing(self, *, closed: bool) -> list[str]:
        """Return what declares all markets closed or open; nothing where the source has no such word."""
        ...


class Binance:
    """Combined streams, asked for by SUBSCRIBE."""

    def __init__(self) -> None:
        self._number = 0

    def greeting(self) -> list[str]:
        """Say nothing."""
        return []

    def answers(self, asked: Mapping[str, Any], session: Session) -> list[str]:
        """Subscribe or unsubscribe streams."""
        streams = {_parted(name) for name in asked.get("params", [])}
        if asked.get("method") == "SUBSCRIBE":
            session.wanted |= streams
        elif asked.get("method") == "UNSUBSCRIBE":
            session.wanted -= streams
        return [json.dumps({"result": None, "id": asked.get("id")})]

    def frames(self, source: str, price: Decimal, half: Decimal, wanted: set[tuple[str, str]]) -> list[str]:
        """Return a book ticker, a trade, or both."""
        name, now_ms = source.casefold(), wall_ms()
        self._number += 1
        found = []
        if (name, "bookTicker") in wanted:
            book = {"e": "bookTicker", "u": self._number, "s": source, "b": str(price - half), "B": "1"}
            book |= {"a": str(price + half), "A": "1", "T": now_ms, "E": now_ms}
            found.append(json.dumps({"stream": f"{name}@bookTicker", "data": book}))
        if (name, "trade") in wanted:
            trade = {"e": "trade", "E": now_ms, "s": source, "t": self._number, "p": str(price), "q": "1", "T": now_ms}
            found.append(json.dumps({"stream": f"{name}@trade", "data": trade}))
        return found

    def heartbeat(self) -> list[str]:
        """Say nothing: WebSocket pings are the sign of life."""
        return []

    def closing(self, *, closed: bool) -> list[str]:
        """Say nothing: this source has no such word."""
        return []


class Kraken:
    """Channels ``ticker`` and ``trade`` of version 2; numbers are JSON numbers."""

    def __init__(self) -> None:
        self._number = 0

    def greeting(self) -> list[str]:
        """Say that the system is online."""
        return [self._status("online")]

    def answers(self, asked: Mapping[str, Any], session: Session) -> list[str]:
        """Subscribe, unsubscribe or answer a ping."""
        method, now = str(asked.get("method")), rfc3339(wall_ms())
        answer: dict[str, Any] = {"method": method, "success": True, "time_in": now, "time_out": now}
        if "req_id" in asked:
            answer["req_id"] = asked["req_id"]
        if method == "ping":
            return [json.dumps(answer | {"method": "pong"})]
        params = asked.get("params", {})
        channel, found = params.get("channel"), []
        for symbol in params.get("symbol", []):
            if method == "subscribe":
                session.wanted.add((symbol, channel))
            else:
                session.wanted.discard((symbol, channel))
            found.append(json.dumps(answer | {"result": {"channel": channel, "symbol": symbol}}))
        return found

    def frames(self, source: str, price: Decimal, half: Decimal, wanted: set[tuple[str, str]]) -> list[str]:
        """Return a ticker, a trade, or both."""
        self._number += 1
        stamp, found = rfc3339(wall_ms()), []
        if (source, "ticker") in wanted:
            body = f'"symbol":"{source}","bid":{price - half},"bid_qty":1,"ask":{price + half},"ask_qty":1'
            body += f',"last":{price},"timestamp":"{stamp}"'
            found.append(f'{{"channel":"ticker","type":"update","data":[{{{body}}}]}}')
        if (source, "trade") in wanted:
            body = f'"symbol":"{source}","side":"buy","price":{price},"qty":1,"ord_type":"market"'
            body += f',"trade_id":{self._number},"timestamp":"{stamp}"'
            found.append(f'{{"channel":"trade","type":"update","data":[{{{body}}}]}}')
        return found

    def heartbeat(self) -> list[str]:
        """Return the channel of that name."""
        return ['{"channel":"heartbeat"}']

    def closing(self, *, closed: bool) -> list[str]:
        """Say that the system is in maintenance, or online again."""
        return [self._status("maintenance" if closed else "online")]

    def _status(self, system: str) -> str:
        told = {"system": system, "api_version": "v2", "connection_id": 1, "version": "2.0.0"}
        return json.dumps({"channel": "status", "type": "update", "data": [told]})


class Deriv:
    """Ticks with times in whole seconds."""

    def __init__(self) -> None:
        self._number = 0

    def greeting(self) -> list[str]:
        """Say nothing."""
        return []

    def answers(self, asked: Mapping[str, Any], session: Session) -> list[str]:
        """Subscribe, forget or answer a ping."""
        extra = {name: asked[name] for name in ("req_id",) if name in asked} | {"echo_req": dict(asked)}
        if "ping" in asked:
            return [json.dumps({"msg_type": "ping", "ping": "pong", **extra})]
        if "forget" in asked:
            source = str(asked["forget"]).removeprefix("s-")
            session.wanted.discard((source, "ticks"))
            return [json.dumps({"msg_type": "forget", "forget": 1, **extra})]
        if "ticks" in asked:
            names = asked["ticks"]
            session.wanted |= {(name, "ticks") for name in ([names] if isinstance(names, str) else names)}
        return []

    def frames(self, source: str, price: Decimal, half: Decimal, wanted: set[tuple[str, str]]) -> list[str]:
        """Return a tick."""
        if (source, "ticks") not in wanted:
            return []
        self._number += 1
        tick = f'"symbol":"{source}","epoch":{wall_ms() // 1000},"quote":{price},"bid":{price - half}'
        tick += f',"ask":{price + half},"id":"s-{source}","pip_size":2'
        head = f'"msg_type":"tick","subscription":{{"id":"s-{source}"}},"echo_req":{{"ticks":"{source}"}}'
        return [f'{{{head},"tick":{{{tick}}}}}']

    def heartbeat(self) -> list[str]:
        """Say nothing."""
        return []

    def closing(self, *, closed: bool) -> list[str]:
        """Say nothing: markets close one by one here."""
        return []


class Upstream:
    """One source: its prices, its connections and its bad moments.

    :param calm: it has no bad moments of its own accord
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        levels: Mapping[str, tuple[str, int]],
        rng: random.Random,
        *,
        calm: bool = False,
    ) -> None:
        self.name = name
        self.faults: Counter[str] = Counter()
        self._calm = calm
        self._dialect = dialect
        self._rng = rng
        self._walks = {source: Walk(Decimal(level), scale, rng) for source, (level, scale) in levels.items()}
        self._sessions: set[Session] = set()
        self._refusing = False
        self._closed = False

    @contextlib.asynccontextmanager
    async def serving(self, path: str) -> AsyncIterator[str]:
        """Serve on a loopback port while the block runs, and yield the address."""
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "process_request": self._refused}
        async with serve(self._serve, "127.0.0.1", 0, **options) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            lives = (self._prices, self._heartbeats, *(() if self._calm else (self._bad_moments,)))
            tasks = [asyncio.create_task(live()) for live in lives]
            try:
                yield f"ws://127.0.0.1:{port}{path}"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._abort()

    def _refused(self, connection: ServerConnection, request: Request) -> Response | None:
        self.faults[f"{self.name} connections"] += 1
        if self._refusing:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "later\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        session = Session(socket)
        self._sessions.add(session)
        try:
            await session.send(self._dialect.greeting())
            if self._closed:
                await session.send(self._dialect.closing(closed=True))
            async for message in socket:
                await session.send(self._dialect.answers(json.loads(message), session))
        except ConnectionClosed:
            pass
        finally:
            self._sessions.discard(session)

    async def _prices(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*TICK_S))
            for source, walk in self._walks.items():
                if self._rng.random() < 0.8:
                    price = walk.step()
                    for session in list(self._sessions):
                        frames = self._dialect.frames(source, price, walk.half_spread, session.wanted)
                        await self._tell(session, frames)

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for session in list(self._sessions):
                await self._tell(session, self._dialect.heartbeat())

    async def _tell(self, session: Session, frames: Iterable[str]) -> None:
        with contextlib.suppress(ConnectionClosed):
            await session.send(frames)

    async def _bad_moments(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*FAULT_S))
            act = self._rng.choice((self._drop, self.stall, self.garble, self._garble_and_drop, self._close_markets))
            await act()

    async def _drop(self) -> None:
        """Lose all connections, and take no new ones for a while."""
        self.faults[f"{self.name} drops"] += 1
        self._refusing = True
        self._abort()
        await asyncio.sleep(self._rng.uniform(0.0, 4.0))
        self._refusing = False

    async def stall(self) -> None:
        """Keep the connections and neither read nor write: only silence tells."""
        self.faults[f"{self.name} stalls"] += 1
        stalled = list(self._sessions)
        for session in stalled:
            session.silent = True
            session.socket.transport.pause_reading()
        await asyncio.sleep(self._rng.uniform(4.0, 20.0))
        for session in stalled:
            session.socket.transport.abort()

    async def garble(self) -> None:
        """Send what no source should."""
        self.faults[f"{self.name} garbled"] += 1
        for session in list(self._sessions):
            for frame in self._rng.sample(GARBAGE, 5):
                if not session.silent:
                    with contextlib.suppress(ConnectionClosed):
                        await session.socket.send(frame, text=self._rng.random() < 0.8)

    async def _garble_and_drop(self) -> None:
        await self.garble()
        await self._drop()

    async def _close_markets(self) -> None:
        """Declare the markets closed for some seconds, where the source can."""
        if not self._dialect.closing(closed=True):
            return
        self.faults[f"{self.name} closures"] += 1
        await self.declare(closed=True)
        await asyncio.sleep(self._rng.uniform(3.0, 12.0))
        await self.declare(closed=False)

    async def declare(self, *, closed: bool) -> None:
        """Say that the markets are closed or open, to all connections and to those that come."""
        self._closed = closed
        for session in list(self._sessions):
            await self._tell(session, self._dialect.closing(closed=closed))

    def _abort(self) -> None:
        for session in list(self._sessions):
            session.socket.transport.abort()


def _parted(stream: str) -> tuple[str, str]:
    name, _, kind = stream.partition("@")
    return name, kind
