"""Quotes to a thousand sockets: processor time of a delivery, beside Channels and beside bare sends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from subprocess import Popen
from typing import Any

import msgspec
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from bench.ratios.measures import Row, Slice, at_least, costs, interleaved, microseconds, ratio_of
from bench.ratios.run import Run
from bench.ratios.servers import ROOT, Rig, free_port, running, tree_cpu_s
from bench.ratios.twins import QUOTES_GROUP as GROUP
from kernel.clock import rfc3339, wall_ms
from quotes.publishing import TICKS_CHANNEL, publish

SOCKETS = 1_000
# Messages a second; Channels gets fewer, so that it keeps up and its cost, too, is that of a delivery.
PER_S = {"ours": 15.0, "limit": 15.0, "twin": 2.0}
SYMBOL = "P00"
_seqs = count(2_000_000)


class Listeners:
    """The sockets of one server, in a process of their own."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process

    def heard(self) -> dict[str, Any]:
        """Return what was heard since this was asked last."""
        assert self._process.stdin is not None
        self._process.stdin.write("heard\n")
        self._process.stdin.flush()
        return self.told()

    def told(self) -> dict[str, Any]:
        """Return the next line of the process."""
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def listening(rig: Rig, **asked: Any) -> Iterator[Listeners]:
    """Open sockets: ``port``, ``sockets``, ``path`` (None for bare ones), ``symbols``, ``each``, ``length``."""
    usual: dict[str, Any] = {"path": None, "symbols": [], "each": 0, "length": 0, "timed": False}
    with running("-m", "bench.ratios.listeners", environ=rig.environ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(usual | asked) + "\n")
        process.stdin.flush()
        listeners = Listeners(process)
        listeners.told()
        yield listeners


@contextmanager
def gateway(rig: Rig) -> Iterator[tuple[int, int]]:
    """Run the quote gateway; yield its process and port."""
    port = free_port()
    arguments = (str(ROOT / "manage.py"), "quote_gateway", "--port", str(port), "--sockets-per-address", "20000")
    with running(*arguments, environ=rig.environ, port=port, log=rig.data_dir / "gateway.log") as process:
        yield process.pid, port


def message_of(symbol: str) -> dict[str, Any]:
    """Return a tick as the parser publishes it."""
    return {"symbol": symbol, "seq": next(_seqs), "at": rfc3339(wall_ms()), "price": "1.08512"}


def _published() -> None:
    publish(TICKS_CHANNEL, msgspec.json.encode({"ticks": [message_of(SYMBOL)]}))


def _group_sent() -> None:
    text = msgspec.json.encode({"type": "ticks", "ticks": [message_of(SYMBOL)]}).decode()
    layer: Any = get_channel_layer()
    async_to_sync(layer.group_send)(GROUP, {"type": "tick", "text": text})


def _told(pid: int, listeners: Listeners, tell: Callable[[], None], *, per_s: float, seconds: float) -> Slice:
    """Send messages for some seconds and let them all arrive; the cost is the server's."""
    listeners.heard()
    began_s, before, sent = time.monotonic(), tree_cpu_s(pid), 0
    while time.monotonic() - began_s < seconds:
        tell()
        sent += 1
        time.sleep(max(0.0, began_s + sent / per_s - time.monotonic()))
    deliveries, arrived = 0, -1
    while arrived:
        time.sleep(0.5)
        arrived = listeners.heard()["deliveries"]
        deliveries += arrived
    # What comes within one frame is one message, so on a busy machine there are a few less than were sent.
    if deliveries < 0.5 * sent * SOCKETS:
        raise RuntimeError(f"{deliveries} of {sent * SOCKETS} deliveries arrived")
    return Slice(deliveries, time.monotonic() - began_s, {"server": tree_cpu_s(pid) - before})


def _bare(sender: Popen[str], length: int, seconds: float) -> Slice:
    assert sender.stdin is not None
    assert sender.stdout is not None
    messages = int(PER_S["limit"] * seconds)
    sender.stdin.write(json.dumps({"messages": messages, "per_s": PER_S["limit"], "length": length}) + "\n")
    sender.stdin.flush()
    began_s = time.monotonic()
    used = json.loads(sender.stdout.readline())
    return Slice(messages * SOCKETS, time.monotonic() - began_s, {"server": used["cpu_s"]})


def rows(run: Run) -> list[Row]:
    """Measure the gateway, Channels and bare sends."""
    rig, rounds, seconds = run.rig, run.rounds, run.seconds
    length = len(msgspec.json.encode({"type": "ticks", "ticks": [message_of(SYMBOL)]})) + 4
    with ExitStack() as stack:
        pid, port = stack.enter_context(gateway(rig))
        twin_port, bare_port = free_port(), free_port()
        twin = stack.enter_context(
            running(
                *("-m", "uvicorn", "bench.ratios.twins.group_send:application", "--port", str(twin_port)),
                *("--ws", "websockets-sansio", "--log-level", "warning", "--no-access-log"),
                *("--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "1"),
                environ=rig.environ,
                port=twin_port,
                log=rig.data_dir / "twin.log",
            )
        )
        # It counts connections, so nobody may knock on its port beforehand.
        sender = stack.enter_context(
            running("-m", "bench.ratios.sender", str(bare_port), str(SOCKETS), environ=rig.environ)
        )
        time.sleep(1.0)
        paths = {"path": "/ws/quotes/", "sockets": SOCKETS}
        ours = stack.enter_context(listening(rig, port=port, symbols=[SYMBOL], each=1, **paths))
        others = stack.enter_context(listening(rig, port=twin_port, symbols=["-"], each=0, **paths))
        stack.enter_context(listening(rig, port=bare_port, sockets=SOCKETS, length=length))
        assert sender.stdout is not None
        sender.stdout.readline()
        _told(pid, ours, _published, per_s=PER_S["ours"], seconds=0.5)
        _told(twin.pid, others, _group_sent, per_s=PER_S["twin"], seconds=1)
        found = interleaved(
            rounds,
            {
                "ours": lambda: _told(pid, ours, _published, per_s=PER_S["ours"], seconds=seconds),
                "limit": lambda: _bare(sender, length, seconds),
                "twin": lambda: _told(twin.pid, others, _group_sent, per_s=PER_S["twin"], seconds=seconds),
            },
        )
    told = f"quote fan-out, processor of a delivery, {SOCKETS:,} sockets"
    return [
        Row(
            told, microseconds(found["ours"]), "Channels group_send", microseconds(found["twin"]),
            ratio_of(costs(found["twin"]), costs(found["ours"])), "times", at_least(10), at_least(25),
        ),
        Row(
            told, microseconds(found["ours"]), "socket.send from Python", microseconds(found["limit"]),
            ratio_of(costs(found["limit"]), costs(found["ours"])), "share", at_least(0.25), at_least(0.60),
        ),
    ]  # fmt: skip
