"""Stand-ins for Kraken and Deriv: local servers that speak the documented protocols, and misbehave when told to."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from kernel.clock import rfc3339, wall_ms

T = TypeVar("T")
Subscription = tuple[ServerConnection, str, str]


class Upstream:
    """A server on loopback. ``heartbeat_s`` of 0 means that it says nothing by itself."""

    path = "/"

    def __init__(self, *, heartbeat_s: float = 0.0) -> None:
        self.heartbeat_s = heartbeat_s
        self.connections = 0
        self.requests: list[dict[str, Any]] = []
        self.sockets: set[ServerConnection] = set()
        self.frozen: set[ServerConnection] = set()

    @asynccontextmanager
    async def serving(self, *, port: int = 0) -> AsyncIterator[str]:
        """Serve and yield the address."""
        server = serve(self._serve_one, "127.0.0.1", port, compression=None, ping_interval=None, close_timeout=0.2)
        async with server as running:
            found: int = next(iter(running.sockets)).getsockname()[1]
            try:
                yield f"ws://127.0.0.1:{found}{self.path}"
            finally:
                await self.cut()

    async def _serve_one(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.sockets.add(socket)
        beating = asyncio.create_task(self._beat(socket))
        try:
            await self.greet(socket)
            async for message in socket:
                request = json.loads(message)
                self.requests.append(request)
                await self.answer(socket, request)
        except ConnectionClosed:
            pass
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await beating
            self.sockets.discard(socket)
            self.left(socket)

    async def _beat(self, socket: ServerConnection) -> None:
        while self.heartbeat_s:
            await asyncio.sleep(self.heartbeat_s)
            if socket not in self.frozen:
                await self.heartbeat(socket)

    async def greet(self, socket: ServerConnection) -> None:
        """Say what the protocol says to a new connection."""

    async def heartbeat(self, socket: ServerConnection) -> None:
        """Say what the protocol says when nothing happens."""

    async def answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        """Answer a request."""

    def left(self, socket: ServerConnection) -> None:
        """Forget a connection that has ended."""

    async def send(self, frame: object) -> None:
        """Send a frame of a test's own to all connections: an object as JSON, text, or bytes as they are."""
        for socket in self.sockets - self.frozen:
            if isinstance(frame, bytes):
                await socket.send(frame, text=True)
            else:
                await socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def cut(self, *, mid_frame: bool = False) -> None:
        """Drop all connections without a word, or in the middle of one."""
        for socket in list(self.sockets):
            if mid_frame:
                socket.transport.write(b'\x81\x7e\x01\x00{"channel":"tick')
                await asyncio.sleep(0.05)
            socket.transport.abort()

    async def freeze(self) -> None:
        """Let all connections be half open: nothing is read, nothing is said, nothing is closed."""
        for socket in self.sockets:
            self.frozen.add(socket)
            socket.transport.pause_reading()

    async def trickle(self, text: str, *, pieces: int, pause_s: float) -> None:
        """Send one frame in pieces; nothing is answered meanwhile, since an answer would end up within it."""
        for socket in self.sockets:
            socket.transport.pause_reading()
        frame = b"\x81\x7e" + len(text).to_bytes(2, "big") + text.encode()
        step = -(-len(frame) // pieces)
        for start in range(0, len(frame), step):
            for socket in self.sockets:
                socket.transport.write(frame[start : start + step])
            await asyncio.sleep(pause_s)
        for socket in self.sockets:
            socket.transport.resume_reading()


class KrakenServer(Upstream):
    """Kraken's public channels in one of the two versions.

    :param known: symbols that exist; others are refused
    :param stamped: whether quotes of version 2 carry their time
    :param greets: whether the state of the engine is told to a new connection, as Kraken does
    """

    def __init__(
        self,
        *known: str,
        version: int = 2,
        system: str = "online",
        stamped: bool = True,
        greets: bool = True,
        path: str | None = None,
        heartbeat_s: float = 0.0,
    ) -> None:
        super().__init__(heartbeat_s=heartbeat_s)
        self.known = set(known)
        self.version = version
        self.system = system
        self.stamped = stamped
        self.greets = greets
        self.path = path if path is not None else ("/v2" if version == 2 else "/")
        self.carried: set[Subscription] = set()
        self.snapshots: dict[str, list[dict[str, Any]]] = {}
        self._trades = count(1)

    async def greet(self, socket: ServerConnection) -> None:
        """Tell the state of the trading engine."""
        if self.greets:
            await socket.send(json.dumps(self._status()))

    def _status(self) -> dict[str, Any]:
        if self.version == 1:
            return {"connectionID": 1, "event": "systemStatus", "status": self.system, "version": "1.9.0"}
        data = [{"api_version": "v2", "connection_id": 1, "system": self.system, "version": "2.0.0"}]
        return {"channel": "status", "type": "update", "data": data}

    async def heartbeat(self, socket: ServerConnection) -> None:
        """Send the heartbeat of either version."""
        await socket.send(json.dumps({"event": "heartbeat"} if self.version == 1 else {"channel": "heartbeat"}))

    async def engine(self, system: str) -> None:
        """Change the state of the trading engine."""
        self.system = system
        await self.send(self._status())

    async def answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        """Answer a subscription, symbol by symbol, or a ping."""
        for reply in self._replies_v1(socket, request) if self.version == 1 else self._replies(socket, request):
            await socket.send(json.dumps(reply))

    def _replies(self, socket: ServerConnection, request: dict[str, Any]) -> Iterable[dict[str, Any]]:
        method, number = request.get("method"), request.get("req_id")
        if method == "ping":
            yield {"method": "pong", "req_id": number}
            return
        if method not in {"subscribe", "unsubscribe"}:
            yield {"error": "Method field must be a string", "success": False, "req_id": number}
            return
        params = request["params"]
        for symbol in params["symbol"]:
            if symbol not in self.known:
                error = f"Currency pair not supported {symbol}"
                yield {"error": error, "method": method, "req_id": number, "success": False, "symbol": symbol}
                continue
            self._carry(method, (socket, params["channel"], symbol))
            result = {"channel": params["channel"], "symbol": symbol, "snapshot": params.get("snapshot", True)}
            yield {"method": method, "req_id": number, "result": result, "success": True, "time_in": rfc3339(wall_ms())}
            if symbol in self.snapshots:
                yield {"channel": params["channel"], "type": "snapshot", "data": self.snapshots[symbol]}

    def _replies_v1(self, socket: ServerConnection, request: dict[str, Any]) -> Iterable[dict[str, Any]]:
        event = request.get("event")
        if event == "ping":
            yield {"event": "pong"}
            return
        if event not in {"subscribe", "unsubscribe"}:
            yield {"event": "error", "errorMessage": "Unsupported event", "reqid": request.get("reqid")}
            return
        for pair in request["pair"]:
            about = {"event": "subscriptionStatus", "pair": pair, "reqid": request.get("reqid")}
            about["subscription"] = request["subscription"]
            if pair not in self.known:
                yield about | {"status": "error", "errorMessage": "Currency pair not supported"}
                continue
            self._carry(event, (socket, request["subscription"]["name"], pair))
            yield about | {"status": f"{event}d", "channelID": 7, "channelName": request["subscription"]["name"]}

    def _carry(self, method: str, subscription: Subscription) -> None:
        if method == "subscribe":
            self.carried.add(subscription)
        else:
            self.carried.discard(subscription)

    def left(self, socket: ServerConnection) -> None:
        """Forget what a connection carried."""
        self.carried = {one for one in self.carried if one[0] is not socket}

    def topics(self) -> set[tuple[str, str]]:
        """Return what is carried, over all connections."""
        return {(channel, symbol) for _, channel, symbol in self.carried}

    async def quote(self, symbol: str, bid: str, ask: str, *, at_ms: int | None = None) -> None:
        """Tell a new best bid and ask to those who asked for it; the digits are sent as given."""
        at_ms = wall_ms() if at_ms is None else at_ms
        if self.version == 1:
            text = json.dumps([7, [bid, ask, f"{at_ms // 1000}.{at_ms % 1000:03d}999", "1.0", "2.0"], "spread", symbol])
        else:
            stamp = f',"timestamp":"{rfc3339(at_ms)[:-1]}999Z"' if self.stamped else ""
            text = (
                f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{symbol}","bid":{bid},"bid_qty":1.5,'
                f'"ask":{ask},"ask_qty":2,"last":{bid},"volume":9.1,"change_pct":-0.1{stamp}}}]}}'
            )
        await self._tell(symbol, {"ticker", "spread"}, text)

    async def trade(self, symbol: str, *prices: str, at_ms: int | None = None) -> None:
        """Tell trades in one packet."""
        at_ms = wall_ms() if at_ms is None else at_ms
        if self.version == 1:
            rows = [[price, "0.5", f"{at_ms // 1000}.{at_ms % 1000:03d}500", "b", "l", ""] for price in prices]
            text = json.dumps([7, rows, "trade", symbol])
        else:
            rows_v2 = ",".join(
                f'{{"symbol":"{symbol}","side":"buy","price":{price},"qty":0.5,"ord_type":"limit",'
                f'"trade_id":{next(self._trades)},"timestamp":"{rfc3339(at_ms)[:-1]}500Z"}}'
                for price in prices
            )
            text = f'{{"channel":"trade","type":"update","data":[{rows_v2}]}}'
        await self._tell(symbol, {"trade"}, text)

    async def _tell(self, symbol: str, channels: set[str], text: str) -> None:
        for socket, channel, carried in list(self.carried):
            if carried == symbol and channel in channels and socket not in self.frozen:
                with suppress(ConnectionClosed):
                    await socket.send(text)


class DerivServer(Upstream):
    """Deriv's call ``ticks``: a stream for each symbol, begun by its newest tick and ended by its id.

    :param known: symbols that exist
    """

    path = "/websockets/v3?app_id=1"

    def __init__(self, *known: str) -> None:
        super().__init__()
        self.known = set(known)
        self.closed: set[str] = set()
        self.limited = 0
        self.newest: dict[str, dict[str, Any]] = {}
        self.streams: dict[str, tuple[ServerConnection, str, int]] = {}
        self._ids = count(1)

    async def answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        """Answer ``ticks``, ``forget`` and ``ping``."""
        about = {"echo_req": request, "req_id": request.get("req_id")}
        if "ping" in request:
            await socket.send(json.dumps(about | {"msg_type": "ping", "ping": "pong"}))
        elif "forget" in request:
            found = self.streams.pop(request["forget"], None)
            await socket.send(json.dumps(about | {"msg_type": "forget", "forget": int(found is not None)}))
        else:
            await self._begin(socket, request["ticks"], about)

    async def _begin(self, socket: ServerConnection, symbol: str, about: dict[str, Any]) -> None:
        if error := self._error(socket, symbol):
            await socket.send(json.dumps(about | {"msg_type": "tick", "error": error}))
            return
        stream = f"stream-{next(self._ids)}"
        self.streams[stream] = (socket, symbol, about["req_id"])
        if symbol in self.newest:
            await self._send(stream, self.newest[symbol])

    def _error(self, socket: ServerConnection, symbol: str) -> dict[str, str] | None:
        if self.limited:
            self.limited -= 1
            return {"code": "RateLimit", "message": "You have reached the rate limit for ticks."}
        if symbol not in self.known:
            return {"code": "InvalidSymbol", "message": f"Symbol {symbol} is invalid."}
        if symbol in self.closed:
            return {"code": "MarketIsClosed", "message": "This market is presently closed."}
        if any(one[:2] == (socket, symbol) for one in self.streams.values()):
            return {"code": "AlreadySubscribed", "message": f"You are already subscribed to {symbol}."}
        return None

    def left(self, socket: ServerConnection) -> None:
        """Forget the streams of a connection."""
        self.streams = {key: one for key, one in self.streams.items() if one[0] is not socket}

    def carried(self) -> set[str]:
        """Return the symbols that are streamed."""
        return {symbol for _, symbol, _ in self.streams.values()}

    async def tick(self, symbol: str, quote: float, *, epoch: int | None = None, spread: float | None = None) -> None:
        """Tell a tick to its streams, with bid and ask where a spread is given."""
        tick: dict[str, Any] = {"symbol": symbol, "epoch": int(time.time()) if epoch is None else epoch, "quote": quote}
        if spread is not None:
            tick |= {"bid": round(quote - spread, 5), "ask": round(quote + spread, 5)}
        self.newest[symbol] = tick
        for stream, (_, carried, _) in list(self.streams.items()):
            if carried == symbol:
                await self._send(stream, tick)

    async def _send(self, stream: str, tick: dict[str, Any]) -> None:
        socket, symbol, number = self.streams[stream]
        message = {
            "msg_type": "tick",
            "echo_req": {"ticks": symbol, "subscribe": 1, "req_id": number},
            "req_id": number,
            "subscription": {"id": stream},
            "tick": tick | {"id": stream, "pip_size": 2},
        }
        with suppress(ConnectionClosed):
            await socket.send(json.dumps(message))


class Served:
    """A stand-in on a thread of its own, for tests whose parser is another process."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self.address = address
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the server do something, and return what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@contextmanager
def served(upstream: Upstream) -> Iterator[Served]:
    """Serve on a thread of its own."""
    ready: list[Served] = []
    started, over = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with upstream.serving() as address:
            ready.append(Served(address, asyncio.get_running_loop()))
            started.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="upstream")
    thread.start()
    try:
        assert started.wait(10)
        yield ready[0]
    finally:
        ready[0]._loop.call_soon_threadsafe(over.set)
        thread.join(10)
