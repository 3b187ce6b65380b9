"""A feed over one WebSocket connection: what sources share, whatever language they speak."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from kernel.clock import rfc3339
from kernel.metrics import count
from quotes.adapters.upstream import Clock, Packet, PacketError, PacketNumbers, Wanted, malformed, printable
from quotes.backoff import Backoff
from quotes.feeds import FeedSettings

log = structlog.get_logger(__name__)

FRAME_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a connection may be silent, and when it counts as good; seconds.

    The ping goes out well before the feed would count as silent, so that a quiet market is not taken for a dead one.
    """

    open_s: float = 10.0
    send_s: float = 5.0
    ping_after_s: float = 2.0
    dead_after_s: float = 15.0
    settled_s: float = 10.0
    healthy_s: float = 60.0
    unanswered_s: float = 5.0


class SilentUpstreamError(OSError):
    """Neither a packet nor a pong came: the connection is half open or the other side is stuck."""


DISCONNECTS = (OSError, WebSocketException)


class Dialect(Protocol):
    """The language of a source. It keeps what one connection carries, and never touches the connection itself."""

    @property
    def keepalive_s(self) -> float | None:
        """How often the source wants to be asked for a sign of life, however much it sends."""
        ...

    @property
    def pace_s(self) -> float:
        """How long to wait between two requests."""
        ...

    @property
    def answered(self) -> bool:
        """Whether this connection has answered a request."""
        ...

    @property
    def due_s(self) -> float:
        """When, on the monotonic clock, there will be something to ask for that nobody wants anew."""
        ...

    @property
    def detail(self) -> str:
        """What the source refuses, in a few words."""
        ...

    def opened(self) -> None:
        """Forget the connection before this one."""
        ...

    def requests(self, wanted: Mapping[str, Wanted], now_s: float) -> list[str]:
        """Return the messages that bring the connection in line with what is wanted, and take them as sent."""
        ...

    def ping(self) -> str | None:
        """Return a message that the source answers, where it has one of its own beside WebSocket's ping."""
        ...

    def read(self, frame: bytes, *, packet: int, recv_ms: int) -> Packet:
        """Return what a frame says.

        :raises PacketError: when it cannot be read
        """
        ...


class WebSocketFeed:
    """A source over one connection. An upstream fault costs at most the connection, and never the parser."""

    def __init__(
        self, *, settings: FeedSettings, clock: Clock, dialect: Dialect, timings: Timings | None = None
    ) -> None:
        self.connected = False
        self._state = "not connected yet"
        self._settings = settings
        self._clock = clock
        self._dialect = dialect
        self._timings = timings or Timings()
        self._numbers = PacketNumbers(clock)
        self._backoff = Backoff(least_s=0.5, most_s=30.0)
        self._wanted: Mapping[str, Wanted] = {}
        self._wanting = asyncio.Event()
        self._changed = asyncio.Event()
        self._asks = True
        self._fed = False
        self._gaps = Gaps(settings.feed.name)

    @property
    def detail(self) -> str:
        """The state of the connection, its gaps, and what the source refuses."""
        return "; ".join(part for part in (self._state, self._gaps.detail, self._dialect.detail) if part)

    async def resubscribe(self, wanted: Mapping[str, Wanted]) -> None:
        """Ask for what is new and leave what is not wanted any more, on the connection that is there."""
        self._wanted = dict(wanted)
        if self._wanted:
            self._wanting.set()
        self._changed.set()

    async def packets(self) -> AsyncGenerator[Packet, None]:
        """Yield packets and signs of life, connecting again for ever."""
        self._gaps.forget()
        while True:
            await self._wanting.wait()
            started_s = time.monotonic()
            try:
                async with self._connection() as socket, self._asking(socket):
                    while True:
                        packet = await self._packet(socket)
                        self._gaps.heard(packet.recv_ms)
                        yield packet
            except DISCONNECTS as error:
                if oversized(error):
                    yield self._unreadable("", f"a frame of more than {FRAME_MAX_BYTES} bytes")
                self._closed(error)
            finally:
                self.connected = False
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

    @contextlib.asynccontextmanager
    async def _asking(self, socket: ClientConnection) -> AsyncGenerator[None, None]:
        """Keep what the connection carries in line with what is wanted, beside receiving."""
        self._dialect.opened()
        self.connected, self._state, self._fed = True, "connected", False
        log.info("feed_connected", feed=self._settings.feed.name, endpoint=self._settings.endpoint)
        asking = asyncio.create_task(self._ask_on(socket), name=f"ask-{self._settings.feed.name}")
        asking.add_done_callback(lambda task: _ended(task, socket))
        try:
            yield
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, *DISCONNECTS):
                await asking

    async def _ask_on(self, socket: ClientConnection) -> None:
        if not self._asks:
            return
        keepalive_s = self._dialect.keepalive_s
        ping_s = time.monotonic() + (keepalive_s or 0)
        while True:
            self._changed.clear()
            for text in self._dialect.requests(self._wanted, time.monotonic()):
                await self._send(socket, text)
                await asyncio.sleep(self._dialect.pace_s)
            if keepalive_s is not None and time.monotonic() >= ping_s:
                ping_s = time.monotonic() + keepalive_s
                if ping := self._dialect.ping():
                    await self._send(socket, ping)
            until_s = self._dialect.due_s if keepalive_s is None else min(ping_s, self._dialect.due_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(max(0.0, until_s - time.monotonic()), 3_600)):
                    await self._changed.wait()

    async def _send(self, socket: ClientConnection, text: str) -> None:
        try:
            async with asyncio.timeout(self._timings.send_s):
                await socket.send(text)
        except TimeoutError as error:
            raise SilentUpstreamError("the other side does not read") from error

    def _closed(self, error: Exception) -> None:
        self._state = printable(f"{type(error).__name__}: {error}", 100)
        self._gaps.lost()
        log.warning("feed_disconnected", feed=self._settings.feed.name, error=self._state)

    def _delay_s(self, lived_s: float) -> float:
        if self._settings.override and not self._dialect.answered:
            # A server that only replays a recording may end a connection on which it is asked for anything.
            self._asks = self._fed or lived_s > self._timings.unanswered_s if self._asks else not self._fed
        if lived_s >= self._timings.healthy_s:
            self._backoff.reset()
        return self._backoff.next_s(grow=not (self._fed and lived_s >= self._timings.settled_s))

    async def _packet(self, socket: ClientConnection) -> Packet:
        frame = await self._next(socket)
        recv_ms = self._clock()
        if frame is None:
            return Packet(recv_ms)
        due_s = self._dialect.due_s
        try:
            packet = self._dialect.read(frame, packet=self._numbers.next(), recv_ms=recv_ms)
        except PacketError as error:
            return self._unreadable(error.source, frame[:120].decode("utf-8", "replace"))
        if self._dialect.due_s < due_s:
            self._changed.set()
        if packet.ticks:
            self._fed = True
        return self._stamped(packet)

    def _stamped(self, packet: Packet) -> Packet:
        """Return a packet whose times are of the clock that was chosen for this feed."""
        if not self._settings.receive_time:
            return packet
        return replace(
            packet,
            ticks=tuple(replace(tick, src_ms=packet.recv_ms) for tick in packet.ticks),
            declared=tuple(replace(one, source_ms=None) for one in packet.declared),
            timed=False,
        )

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
                if self._asks and (text := self._dialect.ping()):
                    await socket.send(text)
                pong = asyncio.ensure_future(await socket.ping())
                await asyncio.wait({frame, pong}, return_when=asyncio.FIRST_COMPLETED)
            return frame.result() if frame.done() else None
        except TimeoutError as error:
            raise SilentUpstreamError(f"silent for {self._timings.dead_after_s} s") from error
        finally:
            frame.cancel()
            with contextlib.suppress(asyncio.CancelledError, *DISCONNECTS):
                await frame


class Gaps:
    """The times in which a lost connection could not be heard; ticks are never invented for them."""

    def __init__(self, feed: str) -> None:
        self.detail = ""
        self._feed = feed
        self._number = 0
        self._heard_ms: int | None = None
        self._lost_ms: int | None = None

    def forget(self) -> None:
        """Start anew: somebody else may have listened in between."""
        self._heard_ms = self._lost_ms = None

    def heard(self, recv_ms: int) -> None:
        """Take in a sign of life; the first one after a loss ends the gap."""
        self._heard_ms = recv_ms
        if self._lost_ms is None:
            return
        lost, heard = rfc3339(self._lost_ms), rfc3339(recv_ms)
        self._lost_ms, self._number = None, self._number + 1
        self.detail = f"{self._number} gaps, the last {lost} to {heard}"
        log.warning("feed_gap", feed=self._feed, lost_at=lost, heard_at=heard)
        count("feed_gaps", feed=self._feed)

    def lost(self) -> None:
        """Note that the connection is gone: the gap begins at its last sign of life."""
        if self._lost_ms is None:
            self._lost_ms = self._heard_ms


def _ended(asking: asyncio.Task[None], socket: ClientConnection) -> None:
    """Drop a connection that cannot be asked any more, so that receiving ends, too."""
    if not asking.cancelled() and asking.exception() is not None:
        socket.transport.abort()


def oversized(error: Exception) -> bool:
    """Whether a connection was ended by us because of a frame that is too big."""
    return (
        isinstance(error, ConnectionClosed) and error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
