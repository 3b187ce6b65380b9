"""A bridge to test on: an installation with a key, and the gateway and executor as processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Stop
from threading import Thread
from typing import Any

from django.db import connection, connections
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ea.client import Client, Credentials, Spool, TcpLink
from ea.executor import orders_execute
from ea.models import EaOrder, Key, Link
from ea.services import key_create, link_ensure
from tests.market import Market, Trader, db_now_ms, market_open, trader_open
from tests.quotes.running import ROOT, environment
from tests.support import eventually

ACCOUNT, SERVER = "50012345", "Broker-Demo"
OPEN: dict[str, Any] = {
    "symbol": "EURUSD",
    "direction": "call",
    "stake": {"mode": "fixed", "value": "10.00", "currency": "USD"},
    "expiry": {"mode": "duration", "s": 60},
}


@dataclass
class Installation:
    """A trader's terminal with its key."""

    trader: Trader
    link: Link
    key: Key
    secret: str
    credentials: Credentials

    def spool(self) -> Spool:
        """Return a fresh spool."""
        return Spool(self.credentials)


def installation(trader: Trader | None = None, *, account: str = ACCOUNT, **terms: Any) -> Installation:
    """Register an installation and make a key of it."""
    trader = trader or trader_open()
    link = link_ensure(user_id=trader.user.id, account=account, server=SERVER, now_ms=db_now_ms())
    return with_key(trader, link, **terms)


def with_key(trader: Trader, link: Link, **terms: Any) -> Installation:
    """Make a key of an installation."""
    key, secret = key_create(link_id=link.pk, now_ms=db_now_ms(), **terms)
    credentials = Credentials(key.kid, secret, account=link.account, server=link.server)
    return Installation(trader, link, key, secret, credentials)


class WebSocketLink:
    """One text message is one payload."""

    def __init__(self, port: int) -> None:
        self._held = ExitStack()
        opened = connect(f"ws://127.0.0.1:{port}/", compression=None, open_timeout=10)
        self.socket: ClientConnection = self._held.enter_context(opened)

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        self.socket.send(payload.decode())

    def receive(self, within_s: float) -> bytes:
        """Return the next payload."""
        try:
            message = self.socket.recv(timeout=within_s)
        except ConnectionClosed as closed:
            raise ConnectionError(str(closed)) from closed
        assert isinstance(message, str)
        return message.encode()

    def close(self) -> None:
        """End the connection."""
        self._held.close()


@dataclass
class Running:
    """A process of the bridge."""

    process: subprocess.Popen[str]
    log: Path
    port: int = 0
    ws_port: int = 0

    def client(self, spool: Spool, *, transport: str = "tcp") -> Client:
        """Open a connection."""
        return Client(spool, TcpLink("127.0.0.1", self.port) if transport == "tcp" else WebSocketLink(self.ws_port))


@contextmanager
def running(
    command: str, tmp_path: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a command of ``manage.py``; it is gone afterwards."""
    log = tmp_path / f"{command}-{len(list(tmp_path.glob(f'{command}-*')))}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), command, *arguments],
            env=environment() | dict(variables or {}),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Running(process, log, *_ports(process, log))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate(timeout=10)


def gateway_running(tmp_path: Path, **variables: str) -> Any:
    """Run the gateway on two free ports."""
    return running("ea_gateway", tmp_path, "--port", "0", variables=variables)


def executor_running(tmp_path: Path, **variables: str) -> Any:
    """Run the executor."""
    return running("ea_executor", tmp_path, variables=variables)


def _ports(process: subprocess.Popen[str], log: Path) -> tuple[int, ...]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()
    return tuple(int(port) for port in re.findall(r":(\d+)", line))


def execute_due() -> int:
    """Execute until nothing is due, as the executor does; return how many orders came to an answer."""
    total = 0
    while executed := orders_execute():
        total += executed
    return total


def order_of(event_id: str) -> EaOrder:
    """Return what became of an event."""
    return EaOrder.objects.select_related("event").get(event__event_id=event_id)


def decided(event_id: str, *states: str, within_s: float = 15) -> EaOrder:
    """Wait until an event has come to one of some states."""

    def found() -> EaOrder | None:
        return EaOrder.objects.filter(event__event_id=event_id, state__in=states).first()

    order = eventually(found, within_s=within_s)
    assert order is not None
    return order


@contextmanager
def market_heard() -> Iterator[Market]:
    """Open a market that is heard from however long processes take to start: nothing is refused as stale."""
    market, stopping = market_open(max_tick_age_ms=60_000), Stop()

    def beat() -> None:
        while not stopping.wait(0.5):
            market.heartbeat()
        connection.close()

    thread = Thread(target=beat)
    thread.start()
    try:
        yield market
    finally:
        stopping.set()
        thread.join()


def connections_drop() -> None:
    """Drop this process's connections, so that the database can be emptied."""
    connections.close_all()
