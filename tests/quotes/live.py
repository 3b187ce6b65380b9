"""The servers of ``/ws/quotes/`` on loopback, each as its own process, on the test database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection
from websockets.sync.client import ClientConnection, connect

from tests.realtime.live import hear, say
from tests.support import eventually

_ROOT = Path(__file__).resolve().parents[2]
_UVICORN = (
    "--ws",
    "websockets-sansio",
    "--log-level",
    "warning",
    "--no-access-log",
    "--timeout-graceful-shutdown",
    "1",
)
# By server: the platform's ASGI application, and the gateway of its own.
SERVERS: dict[str, tuple[str, ...]] = {
    "asgi": ("-m", "uvicorn", "config.asgi:application", *_UVICORN),
    "gateway": (str(_ROOT / "manage.py"), "quote_gateway"),
}


class Stream:
    """A running server of ``/ws/quotes/``."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process

    def open(self, **options: Any) -> ClientConnection:
        """Open a socket."""
        return connect(f"ws://127.0.0.1:{self.port}/ws/quotes/", **({"compression": None} | options))


def hear_ticks(client: ClientConnection, *, until: tuple[str, int], within_s: float = 10.0) -> list[dict[str, Any]]:
    """Return the ticks told up to the one named by symbol and seq; other messages are passed over."""
    ticks: list[dict[str, Any]] = []
    while not ticks or (ticks[-1]["symbol"], ticks[-1]["seq"]) != until:
        message = hear(client, within_s=within_s)
        if message["type"] == "ticks":
            ticks += message["ticks"]
    return ticks


def hear_type(client: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a type."""
    while (message := hear(client))["type"] != kind:
        pass
    return message


def subscribe(client: ClientConnection, *symbols: str) -> dict[str, Any]:
    """Subscribe and return the answer."""
    say(client, {"id": 1, "type": "subscribe", "symbols": list(symbols)})
    while (answer := hear(client)).get("id") != 1:
        pass
    return answer


@contextmanager
def stream_running(*arguments: str, server: str = "asgi", redis_url: str | None = None) -> Iterator[Stream]:
    """Run one of ``SERVERS``.

    :param arguments: what its command line gets besides
    """
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    parts = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    environment = os.environ | {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url or settings.REDIS_URL,
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(
        [sys.executable, *SERVERS[server], "--port", str(port), *arguments],
        env=environment,
        cwd=_ROOT,
    )
    try:
        eventually(lambda: _listens(port, process), within_s=60)
        yield Stream(port, process)
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None or process.returncode == 0, "the server has ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
