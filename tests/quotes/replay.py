"""A stand-in for an exchange: replays recorded WebSocket packets of Binance or Kraken from a local server.

Also a program: ``python -m tests.quotes.replay FILE --port N [--speed X] [--loop] [--only-subscribed]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

DATA = Path(__file__).resolve().parents[1] / "data"
FUTURES = DATA / "binance-futures-2021-07-22.ws.txt"
DELIVERY = DATA / "binance-delivery-2021-07-22.ws.txt"
KRAKEN_TRADES = DATA / "kraken-trade-2021-04-17.ws.txt"

_PACKET = re.compile(r"(\d+(?:\.\d+)?): (.*)\Z", re.DOTALL)
_STREAM = re.compile(r'"stream":"([^"]*)"')


@dataclass(frozen=True)
class Recorded:
    """One recorded packet: seconds after the first one, and its text."""

    after_s: float
    text: str

    @property
    def stream(self) -> str:
        """The stream of a combined packet, or nothing."""
        found = _STREAM.search(self.text)
        return found[1] if found else ""


def recording(path: Path) -> list[Recorded]:
    """Read a recording: lines ``<unix seconds>: <packet>``; connect and subscribe lines are left out."""
    packets: list[Recorded] = []
    first_s: float | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        found = _PACKET.match(line)
        if found is None:
            continue
        at_s = float(found[1])
        first_s = at_s if first_s is None else first_s
        packets.append(Recorded(at_s - first_s, found[2]))
    return packets


@dataclass
class Replay:
    """What a replay server plays to each connection, and what it saw of its clients.

    :param speed: how many times faster than recorded; 0 means at once
    :param only_subscribed: play only the streams of the address and of SUBSCRIBE requests, as the exchange does
    :param answers: answer requests
    :param closes_when_asked: end a connection that asks for anything
    """

    packets: list[Recorded]
    speed: float = 1.0
    loop: bool = False
    only_subscribed: bool = False
    answers: bool = True
    closes_when_asked: bool = False
    connections: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    sockets: set[ServerConnection] = field(default_factory=set)

    async def serve_one(self, socket: ServerConnection) -> None:
        """Play to one connection until it ends."""
        self.connections += 1
        self.sockets.add(socket)
        streams = _streams_of(socket)
        listening = asyncio.create_task(self._listen(socket, streams))
        try:
            await self._play(socket, streams)
            await listening
        except ConnectionClosed:
            pass
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await listening
            self.sockets.discard(socket)

    async def _listen(self, socket: ServerConnection, streams: set[str]) -> None:
        async for message in socket:
            request = json.loads(message)
            self.requests.append(request)
            if self.closes_when_asked:
                await socket.close(1008, "nothing to ask here")
                return
            if request.get("method") == "SUBSCRIBE":
                streams.update(request["params"])
            elif request.get("method") == "UNSUBSCRIBE":
                streams.difference_update(request["params"])
            # Whoever numbers its requests in another way is only listened to.
            if self.answers and "id" in request:
                await socket.send(json.dumps({"result": None, "id": request["id"]}))

    async def _play(self, socket: ServerConnection, streams: set[str]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started_s = loop.time()
            for packet in self.packets:
                if self.speed:
                    await asyncio.sleep(started_s + packet.after_s / self.speed - loop.time())
                if not self.only_subscribed or packet.stream in streams:
                    await socket.send(packet.text)
            if not self.loop:
                return
            # A recording that is played at once, in a loop, must leave room for others.
            await asyncio.sleep(0.01)

    async def send(self, text: str | bytes) -> None:
        """Send a frame of a test's own to all connections."""
        for socket in list(self.sockets):
            if isinstance(text, bytes):
                await socket.send(text, text=True)
            else:
                await socket.send(text)

    async def cut(self) -> None:
        """Drop all connections without a word."""
        for socket in list(self.sockets):
            socket.transport.abort()


def _streams_of(socket: ServerConnection) -> set[str]:
    path = socket.request.path if socket.request else ""
    return {name for text in parse_qs(urlsplit(path).query).get("streams", []) for name in text.split("/")}


@asynccontextmanager
async def replaying(replay: Replay, *, port: int = 0) -> AsyncIterator[str]:
    """Serve a replay on loopback and yield its address."""
    async with serve(replay.serve_one, "127.0.0.1", port, compression=None, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{_port(server)}/stream"


def _port(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


def packets_of(texts: Iterable[str]) -> list[Recorded]:
    """Return packets of a test's own, to be sent at once."""
    return [Recorded(0.0, text) for text in texts]


async def _main() -> None:
    parser = argparse.ArgumentParser(description="Replay recorded WebSocket packets from a local server.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--loop", action="store_true")
    parser.add_argument("--only-subscribed", action="store_true")
    options = parser.parse_args()
    replay = Replay(
        recording(options.file), speed=options.speed, loop=options.loop, only_subscribed=options.only_subscribed
    )
    async with replaying(replay, port=options.port) as address:
        print(f"replaying {len(replay.packets)} packets at {address}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
