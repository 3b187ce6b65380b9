"""The proxy that stands for bad networks does what it says; a fault that is none would prove nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from bench.faults.proxy import Pair, Proxy

pytestmark = pytest.mark.asyncio

LIMIT_S = 5.0


@contextlib.asynccontextmanager
async def _between() -> AsyncIterator[tuple[Proxy, Pair, list[bytes]]]:
    """Serve an echo that answers COMMIT as PostgreSQL does, behind a proxy with one client."""
    heard: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                heard.append(data)
                writer.write(b"C\0\0\0\x0bCOMMIT\0" if b"COMMIT" in data else data)
                await writer.drain()
        await _closed(writer)

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = Proxy(lambda: asyncio.open_connection("127.0.0.1", port))
        async with proxy.serving() as near:
            client = await asyncio.open_connection("127.0.0.1", near)
            yield proxy, client, heard
            await _closed(client[1])


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _asked(client: Pair, data: bytes, *, within_s: float = LIMIT_S) -> bytes:
    client[1].write(data)
    async with asyncio.timeout(within_s):
        return await client[0].read(65_536)


async def _cut(client: Pair) -> bool:
    """Whether the connection is over, however it has ended."""
    async with asyncio.timeout(LIMIT_S):
        try:
            return await client[0].read(1) == b""
        except OSError:
            return True


async def test_it_passes_bytes_both_ways() -> None:
    """Without a fault it is not noticed."""
    async with _between() as (_, client, heard):
        assert await _asked(client, b"hello") == b"hello"
        assert heard == [b"hello"]


async def test_it_delays() -> None:
    """Each piece waits, in either direction."""
    async with _between() as (proxy, client, _):
        proxy.spoiling.delay_s = 0.1
        begun_s = time.monotonic()
        await _asked(client, b"hello")
        assert time.monotonic() - begun_s >= 0.2


async def test_it_cuts_in_the_middle_of_a_reply() -> None:
    """So many bytes come, and then nothing ever."""
    async with _between() as (proxy, client, _):
        proxy.spoiling.cut_after_bytes = 3
        assert await _asked(client, b"hello") == b"hel"
        assert await _cut(client)


async def test_it_swallows_the_reply_to_a_commit_that_is_done() -> None:
    """F-09: the server has committed, the client hears nothing, and the connection is gone."""
    async with _between() as (proxy, client, heard):
        proxy.spoiling.commits_to_cut = 1
        client[1].write(b"Q\0\0\0\x0bCOMMIT\0")
        assert await _cut(client)
        assert heard == [b"Q\0\0\0\x0bCOMMIT\0"]
        assert (proxy.commits_cut, proxy.spoiling.commits_to_cut) == (1, 0)


async def test_it_drops_replies_and_keeps_the_connection() -> None:
    """The server hears everything; the client waits."""
    async with _between() as (proxy, client, heard):
        proxy.spoiling.drop_replies = True
        with pytest.raises(TimeoutError):
            await _asked(client, b"hello", within_s=0.2)
        assert heard == [b"hello"]
        proxy.spoiling.drop_replies = False
        assert await _asked(client, b"again") == b"again"


async def test_it_is_half_open_until_it_is_not() -> None:
    """F-14: nothing passes and nobody is told; what was held up comes afterwards."""
    async with _between() as (proxy, client, heard):
        proxy.spoiling.half_open = True
        with pytest.raises(TimeoutError):
            await _asked(client, b"hello", within_s=0.2)
        assert heard == []
        proxy.spoiling.half_open = False
        async with asyncio.timeout(LIMIT_S):
            assert await client[0].read(65_536) == b"hello"


async def test_it_reads_slowly() -> None:
    """F-19: replies pass at so many bytes a second."""
    async with _between() as (proxy, client, _):
        proxy.spoiling.reply_bytes_s = 1_000
        begun_s = time.monotonic()
        await _asked(client, b"x" * 300)
        assert time.monotonic() - begun_s >= 0.3


async def test_it_cuts_on_demand() -> None:
    """A pulled cable."""
    async with _between() as (proxy, client, _):
        await _asked(client, b"hello")
        proxy.cut()
        assert await _cut(client)
