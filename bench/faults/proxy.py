"""A TCP proxy that spoils what it passes: delays, cuts, half-open connections, slow readers, lost replies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

CHUNK_BYTES = 65_536
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Pair]]


@dataclass(slots=True)
class Spoiling:
    """What is done to bytes from now on, on all connections.

    :param refusing: take no connection
    :param delay_s: before each piece is passed on, in either direction
    :param cut_after_bytes: of replies on one connection, then it is cut; None never cuts
    :param commits_to_cut: so many times the reply to a COMMIT is swallowed, and the connection is cut when it is known
        that the server has committed
    :param drop_replies: swallow what the server says and keep the connection
    :param half_open: pass nothing in either direction and keep the connection
    :param reply_bytes_s: how fast replies are passed; 0 is as fast as they come
    """

    refusing: bool = False
    delay_s: float = 0.0
    cut_after_bytes: int | None = None
    commits_to_cut: int = 0
    drop_replies: bool = False
    half_open: bool = False
    reply_bytes_s: int = 0


class Proxy:
    """Passes bytes between clients of a loopback port and a server; ``spoiling`` may be changed at any time."""

    def __init__(self, connect: Connect) -> None:
        self.spoiling = Spoiling()
        self.commits_cut = 0
        self.port = 0
        self._connect = connect
        self._links: set[_Link] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Serve while the block runs, and yield the port."""
        self._loop = asyncio.get_running_loop()
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self.port
            finally:
                self._cut()
                while self._links:
                    await asyncio.sleep(0.001)

    @property
    def links(self) -> int:
        """How many connections are passed on now."""
        return len(self._links)

    @property
    def replied(self) -> int:
        """How many bytes of replies the connection that has had most of them was passed."""
        return max((link.replied for link in tuple(self._links)), default=0)

    def cut(self) -> None:
        """Cut all connections; any thread may ask for it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.spoiling.refusing:
                raise ConnectionRefusedError
            server = await self._connect()
        except OSError:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return
        link = _Link(self, (reader, writer), server)
        self._links.add(link)
        try:
            await link.pass_on()
        finally:
            self._links.discard(link)


class _Link:
    """One client's connection and its counterpart at the server."""

    def __init__(self, proxy: Proxy, client: Pair, server: Pair) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._commit_asked = False
        self.replied = 0

    def cut(self) -> None:
        """Abort both sides, as a pulled cable does."""
        for _, writer in (self._client, self._server):
            writer.transport.abort()

    async def pass_on(self) -> None:
        """Pass bytes until one side ends."""
        ways = [asyncio.create_task(self._requests()), asyncio.create_task(self._replies())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.cut()
            for _, writer in (self._client, self._server):
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _requests(self) -> None:
        while data := await self._read(self._client):
            spoiling = self._proxy.spoiling
            if spoiling.commits_to_cut and b"COMMIT" in data:
                spoiling.commits_to_cut -= 1
                self._commit_asked = True
            await self._write(self._server, data)

    async def _replies(self) -> None:
        while data := await self._read(self._server):
            spoiling = self._proxy.spoiling
            if self._commit_asked:
                # The server's word for a commit that is done. Nobody but us ever hears it.
                if b"COMMIT\0" in data:
                    self._proxy.commits_cut += 1
                    return
                continue
            if spoiling.drop_replies:
                continue
            if spoiling.reply_bytes_s:
                await asyncio.sleep(len(data) / spoiling.reply_bytes_s)
            left = None if spoiling.cut_after_bytes is None else max(0, spoiling.cut_after_bytes - self.replied)
            self.replied += len(data)
            await self._write(self._client, data[:left])
            if left is not None and len(data) >= left:
                return

    async def _read(self, side: Pair) -> bytes:
        try:
            data = await side[0].read(CHUNK_BYTES)
        except OSError:
            return b""
        while self._proxy.spoiling.half_open:
            await asyncio.sleep(0.02)
        if self._proxy.spoiling.delay_s:
            await asyncio.sleep(self._proxy.spoiling.delay_s)
        return data

    async def _write(self, side: Pair, data: bytes) -> None:
        side[1].write(data)
        with contextlib.suppress(OSError):
            await side[1].drain()
