"""Load over HTTP: N connections, each of which sends its next order when its last one is answered.

``python -m bench.ratios.load`` is a process of its own, so that its processor time is told apart. It speaks just enough
HTTP for answers with a length, reads nothing but status and length, and asks nothing of the server that a browser or a
program would not.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

from bench.ratios.processors import own_cpu_s


@dataclass
class Tally:
    """What all connections together have seen since counting began."""

    counting: bool = False
    ended: bool = False
    waits_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    example: str = ""


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally, requests: Sequence[tuple[bytes, bytes]], name: str, symbols: int) -> None:
        self._tally = tally
        self._requests = requests
        self._name = name
        self._symbols = symbols
        self._sent = 0
        self._sent_s = 0.0
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first order."""
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take an answer, and send the next order."""
        self._buffer += data
        head, ended, body = self._buffer.partition(b"\r\n\r\n")
        if not ended:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._buffer = b""
        self._took(int(head[9:12]), body)
        if self._tally.ended:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the end be known."""
        if not self.done.done():
            self.done.set_result(None)

    def _took(self, status: int, body: bytes) -> None:
        tally = self._tally
        if tally.counting:
            tally.waits_ms.append((time.perf_counter() - self._sent_s) * 1000)
            tally.statuses[status] = tally.statuses.get(status, 0) + 1
        if status != 201 and not tally.example:
            tally.example = f"{status} {body[:300]!r}"

    def _send(self) -> None:
        head, tail = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        body = (
            b'{"client_order_id":"%b-%d","symbol":"P%02d","direction":"up","stake":"1.00","ledger":"demo",'
            b'"duration_s":3600}' % (self._name.encode(), self._sent, self._sent % self._symbols)
        )
        self._sent_s = time.perf_counter()
        self._transport.write(b"%b%d%b%b" % (head, len(body), tail, body))


async def _driven(asked: dict[str, Any]) -> dict[str, Any]:
    tally, loop = Tally(), asyncio.get_running_loop()
    connections = asked["connections"]
    callers = []
    for number in range(connections):
        # Each connection serves users of its own, as each user's orders wait for one another.
        heads = asked["headers"][number::connections]
        requests = [(_head(header), b"\r\n\r\n") for header in heads]
        name = f"{asked['name']}-{number}"
        _, caller = await loop.create_connection(
            lambda: Caller(tally, requests, name, asked["symbols"]),  # noqa: B023 - called at once
            "127.0.0.1",
            asked["port"],
        )
        callers.append(caller)
    await asyncio.sleep(asked["warm_s"])
    tally.counting, began_s, cpu_s = True, time.perf_counter(), own_cpu_s()
    sys.stdout.write("counting\n")
    sys.stdout.flush()
    await asyncio.sleep(asked["seconds"])
    tally.counting, wall_s, cpu_s = False, time.perf_counter() - began_s, own_cpu_s() - cpu_s
    tally.ended = True
    await asyncio.wait([caller.done for caller in callers], timeout=10)
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "waits_ms": tally.waits_ms,
        "statuses": tally.statuses,
        "example": tally.example,
    }


def _head(header: str) -> bytes:
    return (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{header}\r\n"
        "Content-Length: "
    ).encode()


def main() -> None:
    """Read what is asked from standard input, and print what was seen."""
    asked = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(_driven(asked))) + "\n")


if __name__ == "__main__":
    main()
