"""A socket whose writes have to wait: bounded, newest first, cut in the end (contract.md, WebSocket /ws/quotes/)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from quotes.stream import sockets
from quotes.stream.messages import Tick, state_message, ticks_message
from quotes.stream.sockets import CLOSE_POLICY, CLOSE_TRY_LATER, REPLIES_MAX, AsgiSocket
from tests.support import eventually_async

pytestmark = pytest.mark.asyncio


class Server:
    """An ASGI server's side of a connection: it takes messages while the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.taken: list[dict[str, Any]] = []
        self.reader: asyncio.Task[Any] = asyncio.create_task(asyncio.Event().wait())
        self.socket = AsgiSocket(self.send, reader=self.reader)

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message as a server with flow control does."""
        await self.gate.wait()
        self.taken.append(message)

    @property
    def told(self) -> list[dict[str, Any]]:
        """Return the messages sent, decoded."""
        return [json.loads(message["text"]) for message in self.taken if message["type"] == "websocket.send"]

    @property
    def closed_with(self) -> int | None:
        """Return the code of the close, if there was one."""
        return next((message["code"] for message in self.taken if message["type"] == "websocket.close"), None)

    def tell(self, *ticks: Tick) -> None:
        """Offer a frame."""
        self.socket.tell_ticks(list(ticks), ticks_message(list(ticks)))

    async def end(self) -> None:
        """Let nothing outlive the test."""
        await self.socket.end()
        self.reader.cancel()
        await asyncio.gather(self.reader, return_exceptions=True)


def tick(symbol: str, seq: int) -> Tick:
    return Tick(symbol, seq, "2026-01-01T00:00:00.000Z", "1.1")


def seqs(message: dict[str, Any]) -> list[tuple[str, int]]:
    return [(told["symbol"], told["seq"]) for told in message["ticks"]]


async def test_a_write_that_need_not_wait_is_made_at_once_and_whole() -> None:
    server = Server()

    server.tell(tick("A", 1), tick("A", 2))
    server.tell(tick("A", 3))

    assert [seqs(message) for message in server.told] == [[("A", 1), ("A", 2)], [("A", 3)]]
    await server.end()


async def test_under_pressure_the_newest_tick_and_state_of_each_symbol_are_kept() -> None:
    server = Server()
    server.gate.clear()
    server.tell(tick("A", 1))
    for seq in range(2, 1_000):
        server.tell(tick("A", seq), tick("B", seq))
        server.socket.tell_state("A", "stale", state_message("A", "stale"))
    server.socket.tell_state("A", "open", state_message("A", "open"))
    server.socket.reply('{"type":"pong"}')

    server.gate.set()

    await eventually_async(lambda: _reached(server, 4), within_s=5)
    first, reply, state, last = server.told
    assert seqs(first) == [("A", 1)]
    assert reply == {"type": "pong"}
    assert state == {"type": "feed", "symbol": "A", "state": "open"}
    assert seqs(last) == [("A", 999), ("B", 999)]
    server.tell(tick("A", 1_000))
    await eventually_async(lambda: _reached(server, 5), within_s=5)
    await server.end()


async def _reached(server: Server, count: int) -> bool:
    return len(server.told) == count


async def test_what_is_kept_about_an_unwatched_symbol_is_dropped() -> None:
    server = Server()
    server.gate.clear()
    server.tell(tick("A", 1))
    server.tell(tick("A", 2), tick("B", 2))

    server.socket.forget(frozenset({"A"}))
    server.gate.set()

    await eventually_async(lambda: _reached(server, 2), within_s=5)
    assert seqs(server.told[-1]) == [("B", 2)]
    await server.end()


async def test_a_socket_that_does_not_drain_is_cut_when_even_its_close_has_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "DRAIN_S", 0.05)
    monkeypatch.setattr(sockets, "CLOSE_S", 0.05)
    server = Server()
    server.gate.clear()

    server.tell(tick("A", 1))

    await asyncio.wait([server.reader], timeout=5)
    assert server.reader.cancelled()
    assert server.socket.closing
    server.tell(tick("A", 2))
    assert server.taken == []
    await server.end()


async def test_a_socket_that_drains_too_late_is_closed_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "DRAIN_S", 0.05)
    server = Server()
    server.gate.clear()
    server.tell(tick("A", 1))

    async def is_closing() -> bool:
        return server.socket.closing

    await eventually_async(is_closing, within_s=5)
    server.gate.set()

    async def is_closed() -> bool:
        return server.closed_with == CLOSE_TRY_LATER

    await eventually_async(is_closed, within_s=5)
    await server.end()


async def test_a_client_that_asks_and_does_not_read_is_shown_the_door() -> None:
    server = Server()
    server.gate.clear()
    for _ in range(REPLIES_MAX + 2):
        server.socket.reply('{"type":"pong"}')

    assert server.socket.closing
    server.gate.set()

    async def is_closed() -> bool:
        return server.closed_with == CLOSE_POLICY

    await eventually_async(is_closed, within_s=5)
    await server.end()


async def test_a_client_that_is_gone_is_no_error() -> None:
    server = Server()

    async def gone(_message: dict[str, Any]) -> None:
        raise OSError("gone")

    socket = AsgiSocket(gone, reader=server.reader)

    socket.reply("{}")
    socket.tell_ticks([tick("A", 1)], "{}")
    await socket.end()
    await server.end()
