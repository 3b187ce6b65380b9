"""A server, compiled experts and simulated terminals for the tests of the Expert Advisors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ea.mql.testkit.build import expert_built
from ea.mql.testkit.simulated import Terminal
from tests.ea.mql.certificates import Authority, authority_made
from tests.ea.mql.desk import Chart, Desk
from tests.ea.mql.endpoint import Endpoint
from tests.ea.mql.reference import Server
from tests.ea.mql.wire import Book

EXPERTS = Path(__file__).resolve().parents[3] / "ea" / "mql"
PATHS = {
    "signal": EXPERTS / "mt5" / "FairstrikeSignal.mq5",
    "monitor": EXPERTS / "mt5" / "FairstrikeMonitor.mq5",
    "mt4": EXPERTS / "mt4" / "FairstrikeSignal.mq4",
}


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate for loopback, made for this run."""
    return authority_made(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    """A server that listens."""
    server = Server(Book(), authority.context())
    server.start()
    yield server
    server.end()


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals of a test; those that still run are ended with it. Their experts are compiled."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: experts cannot be compiled here")
    started: list[Terminal] = []
    yield started
    for terminal in started:
        if terminal.running:
            terminal.kill()


@pytest.fixture
def desk(server: Server, tmp_path: Path, terminals: list[Terminal]) -> Callable[..., Desk]:
    """Make desks: terminals whose expert speaks with the server of these tests."""

    def make(expert: str, transport: str, *, start: bool = True, **inputs: object) -> Desk:
        desk = Desk(expert_built(PATHS[expert]), tmp_path / "terminal", server, transport, inputs, terminals)
        if start:
            desk.start()
        return desk

    return make


@pytest.fixture
def chart(tmp_path: Path, terminals: list[Terminal]) -> Callable[..., Chart]:
    """Make charts whose expert speaks with any server of the wire: ``chart("signal", "tcp", endpoint)``."""

    def make(expert: str, transport: str, endpoint: Endpoint, *, folder: str = "terminal", **inputs: object) -> Chart:
        chart = Chart(expert_built(PATHS[expert]), tmp_path / folder, endpoint, transport, inputs, terminals)
        chart.start()
        return chart

    return make
