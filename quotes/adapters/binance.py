"""Binance's market streams, spot and futures: one connection, streams asked for by SUBSCRIBE or in the address."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from quotes.adapters.binance_packets import PacketError, is_answer, packet_tick
from quotes.adapters.upstream import Clock, Packet, PacketNumbers, Wanted, malformed
from quotes.backoff import Backoff
from quotes.feeds import FeedSettings

log = structlog.get_logger(__name__)

FRAME_MAX_BYTES = 2**20
STREAMS_PER_REQUEST = 100


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a connection may be silent, and when it counts as good; seconds.

    The ping goes out well before the feed would count as silent, so that a quiet market is not taken for a dead one.
    """

    open_s: float = 10.0
    ping_after_s: float = 2.0
    dead_after_s: float = 15.0
    settled_s: float = 10.0
    healthy_s: float = 60.0
    unanswered_s: float = 5.0


class SilentUpstreamError(OSError):
    """Neither a packet nor a pong came: the connection is half open or the other side is stuck."""


_DISCONNECTS = (OSError, WebSocketException)


class Binance:
    """The feed ``binance``. An upstream fault costs at most the connection, and never the parser."""

    def __init__(self, *, settings: FeedSettings, clock: Clock, timings: Timings | None = None) -> None:
        self.connected = False
        self.detail = "not connected yet"
        self._settings = settings
        self._clock = clock
        self._timings = timings or Timings()
        self._numbers = PacketNumbers(clock)
        self._backoff = Backoff(least_s=0.5, most_s=30.0)
        self._wanted: Mapping[str, Wanted] = {}
        self._wanting = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._streams: frozenset[str] = frozenset()
        self._requests = 0
        self._asks = True
        self._answered = False
        self._fed = False

    async def resubscribe(self, wanted: Mapping[str, Wanted]) -> None:
        """Ask for what is new and leave what is not wanted any more, on the connection that is there."""
        self._wanted = dict(wanted)
        if self._wanted:
            self._wanting.set()
        if self._socket is not None:
            with contextlib.suppress(*_DISCONNECTS):
                await self._request(self._socket)

    async def packets(self) -> AsyncGenerator[Packet, None]:
        """Yield packets and signs of life, connecting again for ever."""
        while True:
            await self._wanting.wait()
            started_s = time.monotonic()
            try:
                async with self._connection() as socket:
                    self._opened(socket)
                    await self._request(socket)
                    while True:
                        yield await self._packet(socket)
            except _DISCONNECTS as error:
                if oversized(error):
                    yield self._unreadable("", f"a frame of more than {FRAME_MAX_BYTES} bytes")
                self._closed(error)
            finally:
                self.connected, self._socket = False, None
            await asyncio.sleep(self._delay_s(time.monotonic() - started_s))

    def _connection(self) -> connect:
        loopback = _is_loopback(urlsplit(self._settings.endpoint).hostname or "")
        return connect(
            self._settings.endpoint,
            open_timeout=self._timings.open_s,
            close_timeout=1.0,
            ping_interval=None,
            max_size=FRAME_MAX_BYTES,
            compression=None,
            proxy=None if loopback else True,
        )

    def _opened(self, socket: ClientConnection) -> None:
        self._socket, self._streams = socket, streams_in(self._settings.endpoint)
        self.connected, self.detail = True, "connected"
        self._answered = self._fed = False
        log.info("feed_connected", feed=self._settings.feed.name, endpoint=self._settings.endpoint)

    def _closed(self, error: Exception) -> None:
        self.detail = f"{type(error).__name__}: {error}"[:200]
        log.warning("feed_disconnected", feed=self._settings.feed.name, error=self.detail)

    def _delay_s(self, lived_s: float) -> float:
        if self._settings.override and not self._answered:
            # A server that only replays a recording may end a connection on which it is asked for anything.
            self._asks = self._fed or lived_s > self._timings.unanswered_s if self._asks else not self._fed
        if lived_s >= self._timings.healthy_s:
            self._backoff.reset()
        return self._backoff.next_s(grow=not (self._fed and lived_s >= self._timings.settled_s))

    async def _request(self, socket: ClientConnection) -> None:
        """Bring the streams that the connection carries in line with those that are wanted."""
        if not self._asks:
            return
        wanted = frozenset(_streams_of(self._wanted))
        included = streams_in(self._settings.endpoint)
        for method, streams in (
            ("SUBSCRIBE", wanted - self._streams),
            ("UNSUBSCRIBE", self._streams - wanted - included),
        ):
            ordered = sorted(streams)
            for start in range(0, len(ordered), STREAMS_PER_REQUEST):
                self._requests += 1
                params = ordered[start : start + STREAMS_PER_REQUEST]
                request = {"method": method, "params": params, "id": self._requests}
                await socket.send(msgspec.json.encode(request).decode())
        self._streams = wanted | included

    async def _packet(self, socket: ClientConnection) -> Packet:
        frame = await self._next(socket)
        recv_ms = self._clock()
        if frame is None:
            return Packet(recv_ms)
        try:
            tick = packet_tick(frame, packet=self._numbers.next(), recv_ms=recv_ms)
        except PacketError as error:
            return self._unreadable(error.source, frame[:120].decode("utf-8", "replace"))
        if tick is None:
            self._answered = self._answered or is_answer(frame)
            return Packet(recv_ms)
        self._fed = True
        return Packet(recv_ms, (replace(tick, src_ms=recv_ms) if self._settings.receive_time else tick,))

    def _unreadable(self, source: str, sample: str) -> Packet:
        recv_ms = self._clock()
        refused = malformed(source=source, packet=self._numbers.next(), recv_ms=recv_ms, sample=sample)
        return Packet(recv_ms, refused=(refused,))

    async def _next(self, socket: ClientConnection) -> bytes | None:
        """Return the next frame, or None for a pong.

        :raises SilentUpstreamError: when neither came in time
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timings.ping_after_s):
                return await socket.recv(decode=False)
        return await self._next_or_pong(socket, self._timings.dead_after_s - self._timings.ping_after_s)

    async def _next_or_pong(self, socket: ClientConnection, patience_s: float) -> bytes | None:
        frame = asyncio.ensure_future(socket.recv(decode=False))
        try:
            async with asyncio.timeout(patience_s):
                pong = asyncio.ensure_future(await socket.ping())
                await asyncio.wait({frame, pong}, return_when=asyncio.FIRST_COMPLETED)
            return frame.result() if frame.done() else None
        except TimeoutError as error:
            raise SilentUpstreamError(f"silent for {self._timings.dead_after_s} s") from error
        finally:
            frame.cancel()
            with contextlib.suppress(asyncio.CancelledError, *_DISCONNECTS):
                await frame


def oversized(error: Exception) -> bool:
    """Whether a connection was ended by us because of a frame that is too big."""
    return (
        isinstance(error, ConnectionClosed) and error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
    )


def streams_in(endpoint: str) -> frozenset[str]:
    """Return the streams that an address asks for by itself: ``?streams=a/b`` or ``/ws/a``."""
    parts = urlsplit(endpoint)
    named = [name for text in parse_qs(parts.query).get("streams", []) for name in text.split("/")]
    if "/ws/" in parts.path:
        named.extend(parts.path.partition("/ws/")[2].split("/"))
    return frozenset(_stream(*name.split("@", 1)) for name in named if "@" in name)


def _streams_of(wanted: Mapping[str, Wanted]) -> Iterable[str]:
    for source, want in wanted.items():
        if want.quotes:
            yield _stream(source, "bookTicker")
        if want.trades:
            yield _stream(source, "trade")
            yield _stream(source, "aggTrade")


def _stream(source: str, kind: str) -> str:
    return f"{source.casefold()}@{kind}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
