"""The platform at the other end of a chart: gateway, executor, web and settlement as processes, and a bad network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.faults.processes import free_pair
from bench.faults.proxy import Connect, Pair, Proxy, Spoiling
from bench.faults.sources import Sources
from bench.soak.running import free_port
from config.runtimes import MANAGE, platform_plan
from tests.ea.bridge import Installation
from tests.ea.mql.endpoint import Endpoint
from tests.faults.processes import WORKER, Runtimes
from tests.support import eventually

START_LIMIT_S = 60.0


class Real:
    """Runtimes on the test's database; charts reach them through a proxy for each transport.

    :ivar ways: the proxies by transport; what they spoil may be changed at any time
    """

    def __init__(self, folder: Path, sources: Sources) -> None:
        self.ports = {"tcp": free_pair(), "http": free_port()}
        self.ports["ws"] = self.ports["tcp"] + 1
        self.ways = {transport: Proxy(self._connect(port)) for transport, port in self.ports.items()}
        for way in self.ways.values():
            sources.enter(way.serving())
        plan = platform_plan(port=self.ports["http"], data_dir=folder, development=True)
        self._commands = {
            "gateway": (*MANAGE, "ea_gateway", "--port", str(self.ports["tcp"])),
            "executor": (*MANAGE, "ea_executor"),
            "web": plan.runtimes["web"],
            "worker": WORKER,
        }
        self._runtimes = Runtimes(folder)

    @staticmethod
    def _connect(port: int) -> Connect:
        async def connect() -> Pair:
            return await asyncio.open_connection("127.0.0.1", port)

        return connect

    def start(self, *names: str) -> None:
        """Start runtimes, all at once, and wait until those that listen are reached."""
        for name in names:
            self._runtimes.start(name, self._commands[name])
        for name in names:
            eventually(lambda: self._serves(name), within_s=START_LIMIT_S)  # noqa: B023

    def kill(self, name: str) -> None:
        """End a runtime as a power cut would."""
        self._runtimes.kill(name)

    def end(self) -> None:
        """End everything."""
        self._runtimes.end()

    def healed(self) -> None:
        """Let the network be as it should."""
        for way in self.ways.values():
            way.spoiling = Spoiling()

    def endpoint(self, one: Installation) -> Endpoint:
        """Return where a chart of an installation finds all this."""
        ports = {transport: way.port for transport, way in self.ways.items()}
        return Endpoint("127.0.0.1", ports, one.key.kid, one.secret, one.link.account, one.link.server)

    def _serves(self, name: str) -> bool:
        assert self._runtimes.alive(name), self._runtimes.log(name)
        if name == "executor":
            return "executing signals" in self._runtimes.log(name)
        port = {"gateway": self.ports["ws"], "web": self.ports["http"]}.get(name)
        if port is None:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def real_running(folder: Path) -> Iterator[Real]:
    """Run all of it; it is gone afterwards."""
    sources = Sources()
    real = Real(folder, sources)
    try:
        real.start("worker", "web", "gateway", "executor")
        yield real
    finally:
        real.end()
        sources.close()
