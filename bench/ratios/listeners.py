"""Browsers by the hundred: ``python -m bench.ratios.listeners`` opens sockets and counts what they are told."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from kernel.clock import parse_rfc3339

_TIMED_EACH = 5


@dataclass
class Heard:
    """What all sockets together were told."""

    deliveries: int = 0
    delays_ms: list[float] = field(default_factory=list)
    timing: bool = False


class Browser(WSListener):
    """One WebSocket."""

    def __init__(self, heard: Heard, symbols: list[str]) -> None:
        self._heard = heard
        self._symbols = symbols

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Subscribe, where there is something to subscribe to."""
        if self._symbols:
            transport.send(WSMsgType.TEXT, msgspec.json.encode({"type": "subscribe", "symbols": self._symbols}))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count a message; time some."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        heard = self._heard
        heard.deliveries += 1
        if heard.timing and heard.deliveries % _TIMED_EACH == 0:
            now_ms = time.time() * 1000
            message = msgspec.json.decode(frame.get_payload_as_bytes())
            heard.delays_ms += [now_ms - parse_rfc3339(tick["at"]) for tick in message.get("ticks", ())]


class Plain(asyncio.Protocol):
    """One bare connection, whose messages have a known length."""

    def __init__(self, heard: Heard, length: int) -> None:
        self._heard = heard
        self._length = length
        self._bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count whole messages."""
        before = self._bytes // self._length
        self._bytes += len(data)
        self._heard.deliveries += self._bytes // self._length - before


async def _listening(asked: dict[str, Any]) -> None:
    loop, heard = asyncio.get_running_loop(), Heard(timing=asked["timed"])
    opened: list[object] = []
    for number in range(asked["sockets"]):
        if asked["path"]:
            each, symbols = asked["each"], asked["symbols"]
            watched = [symbols[(number * each + offset) % len(symbols)] for offset in range(each)]
            url = f"ws://127.0.0.1:{asked['port']}{asked['path']}"
            opened.append(await ws_connect(lambda: Browser(heard, watched), url))  # noqa: B023 - called at once
        else:
            opened.append(
                await loop.create_connection(lambda: Plain(heard, asked["length"]), "127.0.0.1", asked["port"])
            )
    _tell({"ready": True})
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line or line == "end\n":
            return
        _tell({"deliveries": heard.deliveries, "delays_ms": heard.delays_ms})
        heard.deliveries, heard.delays_ms = 0, []


def _tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read what is asked from standard input; each further line asks what was heard since the last."""
    logging.getLogger("picows.client").setLevel(logging.ERROR)
    asked = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_listening(asked))


if __name__ == "__main__":
    main()
