"""When a hub tells what it was told: the parser has gathered already (contract.md, WebSocket /ws/quotes/)."""

from __future__ import annotations

import asyncio
import json

import pytest

from quotes.feed_runner import WINDOW_S
from quotes.stream import hub as hubs
from quotes.stream.hub import Hub
from quotes.stream.messages import Tick
from quotes.stream.sockets import Socket

pytestmark = pytest.mark.asyncio

AT = "2026-01-01T00:00:00.000Z"


class Client(Socket):
    """A socket that is read at once; a write to it can be made to take its time."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[list[str]] = []
        self.write_s = 0.0
        self.told_s = 0.0

    def finish(self, code: int) -> None:
        """Never asked for here."""
        raise AssertionError(code)

    def _write(self, text: str) -> None:
        self.frames.append([tick["symbol"] for tick in json.loads(text)["ticks"]])
        clock = asyncio.get_running_loop().time
        until_s = clock() + self.write_s
        while (now_s := clock()) < until_s:
            pass
        self.told_s = now_s


async def _turns() -> None:
    """Let the loop call what is due."""
    for _ in range(3):
        await asyncio.sleep(0)


async def _silence_over(hub: Hub) -> None:
    await asyncio.sleep(max(0.0, hub._silent_until_s - asyncio.get_running_loop().time()))


def _watching(*symbols: str) -> tuple[Hub, Client]:
    hub, client = Hub(), Client()
    hub.watch(client, set(symbols))
    return hub, client


def _take(hub: Hub, symbol: str, seq: int = 1) -> None:
    hub.take([Tick(symbol, seq, AT, "1.1")])


async def test_the_messages_of_one_parser_are_not_gathered_once_more() -> None:
    """A window of the parser is told when it comes: the hub's silence is over long before."""
    hub, client = _watching("A")

    _take(hub, "A", 1)
    await _turns()
    assert hub._silent_until_s < client.told_s + WINDOW_S / 2
    await _silence_over(hub)
    _take(hub, "A", 2)
    await _turns()

    assert client.frames == [["A"], ["A"]]
    await hub.stop()


async def test_what_comes_on_the_heels_of_a_frame_shares_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several feeds at once cost one frame, not one each."""
    monkeypatch.setattr(hubs, "SILENT_LEAST_S", 0.3)
    monkeypatch.setattr(hubs, "SILENT_MOST_S", 0.3)
    hub, client = _watching("A", "B", "C")

    for symbol in ("A", "B", "C"):
        _take(hub, symbol)
        await _turns()
    await _silence_over(hub)
    await _turns()

    assert client.frames == [["A"], ["B", "C"]]
    await hub.stop()


@pytest.mark.parametrize(("write_s", "silent_s"), [(0.02, 0.02), (0.08, hubs.SILENT_MOST_S)])
async def test_a_hub_is_silent_for_as_long_as_its_frame_took(write_s: float, silent_s: float) -> None:
    """A gateway with more sockets than it can tell in time reads as much as it writes, up to a bound."""
    hub, client = _watching("A")
    client.write_s = write_s

    _take(hub, "A")
    await _turns()

    assert client.told_s + silent_s <= hub._silent_until_s
    assert hub._silent_until_s <= asyncio.get_running_loop().time() + hubs.SILENT_MOST_S
    await hub.stop()
