"""A real gateway process on loopback, a Redis of one's own, and a client that speaks as the contract says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from django.conf import settings
from django.db import connection
from websockets.sync.client import ClientConnection, connect

from config.programs import redis_server
from tests.support import eventually

RECEIVE_S = 10.0


class Gateway:
    """A running gateway."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.clients = ExitStack()

    @property
    def origin(self) -> str:
        """Return the origin of the gateway's own pages."""
        return f"http://127.0.0.1:{self.port}"

    def open(self, *, cookie: str | None = None, origin: str | None = None, path: str = "/ws/v1/") -> ClientConnection:
        """Open a socket as given, without adding anything."""
        headers = {} if cookie is None else {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"}
        if origin is not None:
            headers["Origin"] = origin
        return self.clients.enter_context(
            connect(f"ws://127.0.0.1:{self.port}{path}", additional_headers=headers, max_size=2**24)
        )

    def session(self, key: str) -> ClientConnection:
        """Open a socket as our own page does."""
        return self.open(cookie=key, origin=self.origin)

    def token(self, token: str) -> ClientConnection:
        """Open a socket as a program does."""
        client = self.open()
        say(client, {"type": "auth", "token": token})
        return client


def say(client: ClientConnection, message: dict[str, Any]) -> None:
    """Send a message."""
    client.send(json.dumps(message))


def hear(client: ClientConnection, *, within_s: float = RECEIVE_S) -> dict[str, Any]:
    """Return the next message."""
    message: dict[str, Any] = json.loads(client.recv(timeout=within_s))
    return message


def ask(client: ClientConnection, **message: Any) -> dict[str, Any]:
    """Send a message and return the answer to it."""
    say(client, message)
    return hear(client)


def hear_events(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Return the next events, having checked that each follows the one before."""
    events = [hear(client) for _ in range(count)]
    for earlier, later in pairwise(events):
        assert later["prev_seq"] == earlier["seq"]
    return events


@contextmanager
def gateway_running(*, redis_url: str | None = None) -> Iterator[Gateway]:
    """Run a gateway on the test database."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    parts = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "DATABASE_URL": database,
        "REDIS_URL": redis_url or settings.REDIS_URL,
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "tests.realtime.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(port), "--ws", "websockets-sansio", "--log-level", "warning"),
            *("--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown", "1"),
        ],
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        eventually(lambda: _listens(port, process), within_s=30)
        running = Gateway(port, process.pid)
        with running.clients:
            yield running
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None or process.returncode == 0, "the gateway has ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class OwnRedis:
    """A Redis that a test may stop, start and empty."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(str(redis_server()), "--port", "0", "--unixsocket", str(self._socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self._socket.parent)),
            ],
            stdout=subprocess.DEVNULL,
        )
        eventually(self._answers, within_s=10)

    def stop(self) -> None:
        """End the server at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis(unix_socket_path=str(self._socket)) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self._socket)) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
