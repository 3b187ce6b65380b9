"""A client that knows the platform by its published contract alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Platform:
    """Where a running platform answers, and the environment of its commands."""

    url: str
    environ: Mapping[str, str]

    @property
    def socket_url(self) -> str:
        """Return the address of its sockets."""
        return self.url.replace("http", "ws", 1)

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run one of the contract's commands beside the platform."""
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *args],
            env=dict(self.environ),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def token(self, email: str, scopes: str = "read,trade", *more: str) -> str:
        """Return a new API token; the command prints nothing else."""
        printed = self.manage("create_token", "--user", email, "--scopes", scopes, *more)
        assert printed.returncode == 0, printed.stderr
        (token,) = printed.stdout.split()
        return token

    def api(self, token: str) -> httpx.Client:
        """Return an HTTP client for the API."""
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=10)


@dataclass
class AccountStream:
    """The account's events over one socket at a time, each checked to follow the one before."""

    platform: Platform
    token: str
    cursor: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    socket: ClientConnection | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    def connect(self) -> None:
        """Open a socket and subscribe behind the last event seen."""
        self.socket = self._open.enter_context(connect(f"{self.platform.socket_url}/ws/v1/", open_timeout=10))
        self.socket.send(json.dumps({"type": "auth", "token": self.token}))
        ask = {"id": 1, "type": "subscribe", "channel": "account", "after_seq": self.cursor}
        self.socket.send(json.dumps(ask))

    def drop(self) -> None:
        """Lose the connection."""
        self._open.close()
        self.socket = None

    def collect(self, *, until: int, kind: str, within_s: float) -> None:
        """Receive until ``until`` events of a kind are there."""
        deadline = time.monotonic() + within_s
        while sum(event["type"] == kind for event in self.events) < until:
            self._receive(deadline)

    def collect_to(self, seq: int, *, within_s: float) -> None:
        """Receive until the event with number ``seq`` is there."""
        deadline = time.monotonic() + within_s
        while self.cursor < seq:
            self._receive(deadline)

    def _receive(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        assert self.socket is not None
        assert left_s > 0, f"only {[event['type'] for event in self.events]}"
        message = json.loads(self.socket.recv(timeout=left_s))
        if message["type"] in ("ok", "pong"):
            return
        assert message["channel"] == "account", message
        assert message["prev_seq"] == self.cursor, (message["prev_seq"], self.cursor)
        self.cursor = message["seq"]
        self.events.append(message)


def recomputed(order: Mapping[str, Any], ticks: list[Mapping[str, Any]], max_tick_age_ms: int) -> tuple[str, str]:
    """Return state and payout of an order by the published rule ``last_tick/1``, from the published ticks."""
    before = [tick for tick in ticks if tick["at"] <= order["expires_at"]]
    stake = Decimal(order["stake"])
    if not before or _ms(order["expires_at"]) - _ms(before[-1]["at"]) > max_tick_age_ms:
        return "refunded", order["stake"]
    close, opening = Decimal(before[-1]["price"]), Decimal(order["open_price"])
    if close == opening:
        return "tied", order["stake"]
    if (close > opening) is (order["direction"] == "up"):
        profit = int(stake * 100) * order["payout_percent"] // 100
        return "won", str(stake + Decimal(profit).scaleb(-2))
    return "lost", "0.00"


def _ms(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
