"""Expert Advisors by the thousand: ``python -m bench.ratios.experts`` is a process of its own.

Frames are signed before the clock starts and sent by the clock, whatever the answers do; a wait counts from the moment
when its frame was due. Each answer is held against the frame that it has to be the answer to: the next one of its
connection. An echo server is driven with the same frames.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.ratios.measures import percentile
from bench.ratios.processors import own_cpu_s
from ea.client import event_id_new
from ea.framing import Deframer, framed
from ea.protocol import signed

TICK_S = 0.002
ANSWERS_LIMIT_S = 30.0
# While nothing is measured, often enough that the server does not take us for dead.
IDLE_S = 6.0
SERVER = "Bench-Demo"
_AT_ONCE = 50


class _Answer(msgspec.Struct):
    """What is looked at of a server's payload."""

    type: str
    seq: int = 0
    status: str = ""
    code: str | None = None
    state: str = ""
    nonce: str = ""


_answer_decoded = msgspec.json.Decoder(_Answer).decode


@dataclass
class Tally:
    """What all connections together have seen in a turn."""

    sent: int = 0
    answered: int = 0
    waits_ms: list[float] = field(default_factory=list)
    orders: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    late_ms: float = 0.0


class Wire(Protocol):
    """A way to the server."""

    def send(self, payload: bytes) -> None:
        """Send one payload."""


class Expert:
    """One connection: its numbers, and what it waits for."""

    def __init__(self, tally: Tally, key: dict[str, str], *, echo: bool) -> None:
        self.tally, self.key, self.echo = tally, key, echo
        self.wire: Wire
        self.seq = self.beat = 0
        self.due: deque[tuple[int, float]] = deque()
        self.known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._secret, self._sid = key["secret"].encode(), key["sid"]
        self._head = (
            f'{{"type":"signal","v":1,"kid":"{key["kid"]}","sid":"{key["sid"]}","source":"mt5",'
            f'"acct":"{key["account"]}","server":"{SERVER}","strategy":"bench","action":"open","direction":"call",'
            '"stake":{"mode":"fixed","value":"1.00"},"expiry":{"mode":"duration","s":3600},"valid_ms":60000,'
        )

    def signal(self, symbol: str, at_ms: int) -> bytes:
        """Return the next signal."""
        self.seq += 1
        members = (
            f'{self._head}"event_id":"{event_id_new(at_ms)}","seq":{self.seq},"src_ticket":"{self._sid}-{self.seq}",'
            f'"symbol":"{symbol}","t_evt_ms":{at_ms},"t_sig_ms":{at_ms}}}'
        )
        return signed(members.encode(), self._secret)

    def heartbeat(self) -> bytes:
        """Return the next sign of life."""
        self.beat += 1
        members = f'{{"type":"heartbeat","seq":{self.beat},"t_ms":{time.time_ns() // 1_000_000},"spool":0}}'
        return signed(members.encode(), self._secret)

    def connected(self, wire: Wire) -> None:
        """Take the connection; an echo server says nothing by itself."""
        self.wire = wire
        if self.echo:
            self.known.set_result(None)

    def heard(self, payload: bytes) -> None:
        """Take a payload of the server."""
        if self.echo:
            self._answered(self.due[0][0] if self.due else 0)
            return
        answer = _answer_decoded(payload)
        if answer.type in ("ack", "heartbeat"):
            if answer.status == "duplicate":
                self.tally.faults["duplicate"] += 1
            if answer.type == "ack" or answer.seq:
                self._answered(answer.seq)
        elif answer.type == "order":
            self.tally.orders[answer.code or answer.state] += 1
        elif answer.type == "challenge":
            self.wire.send(signed(json.dumps(self._hello(answer.nonce)).encode(), self._secret))
        elif answer.type == "welcome":
            self.known.set_result(None)
        else:
            self.tally.faults[f"{answer.type} {answer.code}"] += 1

    def ended(self) -> None:
        """Take note that the connection is gone."""
        self.tally.faults["connection ended"] += 1
        if not self.known.done():
            self.known.set_exception(ConnectionError("the server has ended the connection"))

    def _hello(self, nonce: str) -> dict[str, Any]:
        told = {"type": "hello", "v": 1, "kid": self.key["kid"], "sid": self.key["sid"], "first_seq": 1, "after": 0}
        return told | {"acct": self.key["account"], "server": SERVER, "nonce": nonce}

    def _answered(self, seq: int) -> None:
        if not self.due or self.due[0][0] != seq:
            self.tally.faults["answer out of place"] += 1
            return
        _, due_s = self.due.popleft()
        if due_s:
            self.tally.answered += 1
            self.tally.waits_ms.append((time.perf_counter() - due_s) * 1_000)


class Tcp(asyncio.Protocol):
    """Frames over TCP."""

    def __init__(self, expert: Expert) -> None:
        self._expert, self._deframer = expert, Deframer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._expert.connected(self)

    def data_received(self, data: bytes) -> None:
        """Cut what comes into payloads."""
        for payload in self._deframer.fed(data):
            self._expert.heard(payload)

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        self._transport.write(framed(payload))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the end be known."""
        self._expert.ended()


class Socket(WSListener):
    """Text messages over WebSocket."""

    def __init__(self, expert: Expert) -> None:
        self._expert = expert

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        self._expert.connected(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a message."""
        if frame.msg_type == WSMsgType.TEXT:
            self._expert.heard(frame.get_payload_as_bytes())

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        self._transport.send(WSMsgType.TEXT, payload)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Let the end be known."""
        self._expert.ended()


async def _opened(asked: dict[str, Any], tally: Tally) -> list[Expert]:
    """Open all connections, some at a time, and return when each is known to the server."""
    loop, experts = asyncio.get_running_loop(), []
    sockets = asked["sockets"]
    for number, key in enumerate(asked["keys"]):
        expert = Expert(tally, key, echo=asked["echo"])
        experts.append(expert)
        if number < sockets:
            await ws_connect(_made(Socket, expert), f"ws://127.0.0.1:{asked['ws_port']}/")
        else:
            await loop.create_connection(_made(Tcp, expert), "127.0.0.1", asked["port"])
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.gather(*(one.known for one in experts))
    await asyncio.gather(*(one.known for one in experts))
    return experts


def _made(kind: Callable[[Expert], Any], expert: Expert) -> Callable[[], Any]:
    return lambda: kind(expert)


Planned = list[tuple[float, Expert, int, bytes]]


def _planned(experts: Sequence[Expert], asked: dict[str, Any]) -> Planned:
    """Sign what a turn sends: each connection in turn, each frame with its second of the turn."""
    total, per_s, every = int(asked["per_s"] * asked["seconds"]), asked["per_s"], asked["every"]
    began_ms, planned = time.time_ns() // 1_000_000, []
    for number in range(total):
        expert, due_s = experts[number % len(experts)], number / per_s
        if asked["heartbeats"]:
            payload, seq = expert.heartbeat(), expert.beat
        else:
            symbol = asked["traded"] if every and number % every == 0 else asked["symbol"]
            payload = expert.signal(symbol, began_ms + round(due_s * 1_000))
            seq = expert.seq
        planned.append((due_s, expert, seq, payload))
    return planned


async def _turn(planned: Planned, tally: Tally) -> dict[str, Any]:
    """Send by the clock, and wait for the answers."""
    began_s, cpu_s, at = time.perf_counter(), own_cpu_s(), 0
    while at < len(planned):
        now_s = time.perf_counter() - began_s
        while at < len(planned) and planned[at][0] <= now_s:
            due_s, expert, seq, payload = planned[at]
            expert.due.append((seq, began_s + due_s))
            expert.wire.send(payload)
            at += 1
        if at:
            tally.late_ms = max(tally.late_ms, (now_s - planned[at - 1][0]) * 1_000)
        await asyncio.sleep(TICK_S)
    tally.sent = at
    sent_s = time.perf_counter() - began_s
    until_s = time.monotonic() + ANSWERS_LIMIT_S
    while tally.answered < tally.sent and time.monotonic() < until_s:
        await asyncio.sleep(TICK_S)
    waits = tally.waits_ms
    return {
        "sent": tally.sent,
        "answered": tally.answered,
        "sent_s": sent_s,
        "wall_s": time.perf_counter() - began_s,
        "cpu_s": own_cpu_s() - cpu_s,
        "p50_ms": percentile(waits, 0.50),
        "p95_ms": percentile(waits, 0.95),
        "p99_ms": percentile(waits, 0.99),
        "late_ms": tally.late_ms,
        "faults": dict(tally.faults),
    }


async def _idle(experts: Sequence[Expert]) -> None:
    """Let every connection show that it lives, spread over the time."""
    while True:
        for expert in experts:
            payload = expert.heartbeat()
            expert.due.append((expert.beat, 0.0))
            expert.wire.send(payload)
            await asyncio.sleep(IDLE_S / len(experts))


async def _driven(asked: dict[str, Any]) -> None:
    loop, tally = asyncio.get_running_loop(), Tally()
    experts = await _opened(asked, tally)
    _tell({"ready": True})
    while True:
        idling = None if asked["echo"] else asyncio.create_task(_idle(experts))
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if idling is not None:
            idling.cancel()
        if not line:
            return
        wanted = json.loads(line)
        if "orders" in wanted:
            _tell({"orders": dict(tally.orders)})
            continue
        planned = _planned(experts, wanted)
        tally.sent = tally.answered = 0
        tally.late_ms = 0.0
        tally.waits_ms.clear()
        _tell({"signed": len(planned)})
        await loop.run_in_executor(None, sys.stdin.readline)
        _tell(await _turn(planned, tally))


def _tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read what is asked from standard input; each further line asks for a turn, and one more starts it."""
    asked = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_driven(asked))


if __name__ == "__main__":
    main()
