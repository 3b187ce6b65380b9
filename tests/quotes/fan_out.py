"""Measure the processor time of a delivery on both servers; no part of the suite.

Run it by ``pytest tests/quotes/fan_out.py -s``. Load generator and servers share the machine: compare the servers of
one run, and take the milliseconds as indicative.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import statistics
import time
from dataclasses import dataclass, field

import msgspec
import psutil
import pytest
import uvloop
from django.db import connections
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from kernel.clock import rfc3339, wall_ms
from quotes.models import Symbol, SymbolHead
from quotes.publishing import publish
from tests.quotes.live import SERVERS, Stream, stream_running

SECONDS = 8
SHAPES = {
    "1,000 sockets on one symbol, 15/s": (1_000, 1, 1, 15),
    "500 sockets on 2 of 50 symbols, 5/s each": (500, 50, 2, 5),
}


@dataclass
class Heard:
    """What all clients together were told."""

    deliveries: int = 0
    delays_ms: list[float] = field(default_factory=list)
    counting: bool = False


class Ear(WSListener):
    """One client."""

    def __init__(self, heard: Heard, symbols: list[str]) -> None:
        self._heard = heard
        self._symbols = symbols

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Subscribe."""
        transport.send(WSMsgType.TEXT, msgspec.json.encode({"type": "subscribe", "symbols": self._symbols}))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count a message, and time every 50th."""
        if self._heard.counting and frame.msg_type == WSMsgType.TEXT:
            self._heard.deliveries += 1
            if self._heard.deliveries % 50 == 0:
                sent = int(msgspec.json.decode(frame.get_payload_as_bytes())["ticks"][0]["price"]) / 1000
                self._heard.delays_ms.append(time.time() * 1000 - sent)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shape", SHAPES)
def test_processor_time_of_a_delivery(shape: str) -> None:
    """Print microseconds of the server's processor for each message to each socket."""
    logging.getLogger("picows.client").setLevel(logging.WARNING)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    count = SHAPES[shape][1]
    symbols = Symbol.objects.bulk_create(
        Symbol(code=f"M{number}", name="M", feed="script", source=f"M{number}") for number in range(count)
    )
    SymbolHead.objects.bulk_create(SymbolHead(symbol=symbol) for symbol in symbols)
    connections.close_all()
    for server in SERVERS:
        options = ("--sockets-per-address", "5000") if server == "gateway" else ("--no-proxy-headers",)
        with (
            stream_running(*options, server=server) as running,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as r,
        ):
            print(f"\n{shape} | {server} | {r.run(_measure(running, *SHAPES[shape]))}")


async def _measure(stream: Stream, sockets: int, symbols: int, each: int, per_s: int) -> str:
    heard, process = Heard(), psutil.Process(stream.process.pid)
    clients = []
    for number in range(sockets):
        watched = [f"M{(number * each + offset) % symbols}" for offset in range(each)]
        listener = Ear(heard, watched)
        clients.append((await ws_connect(lambda: listener, f"ws://127.0.0.1:{stream.port}/ws/quotes/"))[0])  # noqa: B023
    await asyncio.sleep(2)
    heard.counting, before, began, seq = True, sum(process.cpu_times()[:2]), time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        seq += 1
        now = int(time.time() * 1_000_000)
        ticks = [{"symbol": f"M{n}", "seq": seq, "at": rfc3339(wall_ms()), "price": str(now)} for n in range(symbols)]
        await asyncio.to_thread(publish, "ticks", msgspec.json.encode({"ticks": ticks}))
        await asyncio.sleep(max(0.0, began + seq / per_s - time.monotonic()))
    await asyncio.sleep(1)
    used = sum(process.cpu_times()[:2]) - before
    for client in clients:
        client.disconnect(graceful=False)
        await client.wait_disconnected()
    delays = sorted(heard.delays_ms)
    return (
        f"{heard.deliveries} deliveries, {used / heard.deliveries * 1e6:.1f} us of processor each, "
        f"p50 {statistics.median(delays):.1f} ms, p95 {delays[int(len(delays) * 0.95)]:.1f} ms, "
        f"{process.memory_info().rss / 2**20:.0f} MB"
    )
