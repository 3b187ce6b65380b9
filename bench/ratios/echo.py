"""What the loop itself costs: ``python -m bench.ratios.echo PORT`` sends each frame back as it came."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

from ea.framing import Deframer, framed


class Echo(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._deframer = Deframer()

    def data_received(self, data: bytes) -> None:
        """Send back each frame."""
        for payload in self._deframer.fed(data):
            self._transport.write(framed(payload))


async def _serving(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serving(int(sys.argv[1])))
