"""Account streams of some clients: no event is missing, twice or out of order, whatever connections do."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from bench.soak.findings import Findings
from bench.soak.traders import Trader

RECONNECT_S = 0.5


class AccountFollower:
    """Follows one client's events from the first on, over as many connections as it takes."""

    def __init__(self, *, url: str, trader: Trader, findings: Findings) -> None:
        self.trader = trader
        self.cursor = 0
        self.connections = 0
        self.kinds: Counter[str] = Counter()
        self.settled: Counter[str] = Counter()
        self._url = url.replace("http", "ws", 1) + "/ws/v1/"
        self._findings = findings

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except (OSError, WebSocketException):
                # A ban, too, closes the connection; what happens meanwhile is told afterwards.
                await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        async with connect(self._url, open_timeout=10, proxy=None) as socket:
            self.connections += 1
            await socket.send(json.dumps({"type": "auth", "token": self.trader.token}))
            ask = {"id": 1, "type": "subscribe", "channel": "account", "after_seq": self.cursor}
            await socket.send(json.dumps(ask))
            async for message in socket:
                self.take(json.loads(message))

    def take(self, message: dict[str, Any]) -> None:
        """Check one message and count it."""
        if message.get("type") in ("ok", "pong"):
            return
        if message.get("channel") != "account":
            self._findings.violated(f"stream of {self.trader.email}: {message}")
            return
        if message["prev_seq"] != self.cursor or message["seq"] <= self.cursor:
            told = (message["prev_seq"], message["seq"])
            self._findings.violated(f"stream of {self.trader.email} stands at {self.cursor} and was sent {told}")
        self.cursor = message["seq"]
        self.kinds[message["type"]] += 1
        if message["type"] == "order.settled":
            self.settled[message["data"]["id"]] += 1

    def unsettled(self) -> int:
        """Return how many acknowledged orders of the client this stream has not seen settled."""
        own = {order_id for order_id, number in self._findings.accepted.items() if number == self.trader.number}
        return len(own - self.settled.keys())

    def judge(self) -> None:
        """Demand that each acknowledged order was told to be settled, once, and no other."""
        own = {order_id for order_id, number in self._findings.accepted.items() if number == self.trader.number}
        wrong = {
            "not told": own - self.settled.keys(),
            "told of others": self.settled.keys() - own,
            "told twice": {order_id for order_id, times in self.settled.items() if times > 1},
        }
        for what, orders in wrong.items():
            if orders:
                named = ", ".join(sorted(orders)[:3])
                self._findings.violated(f"order.settled {what} to {self.trader.email}: {len(orders)}, such as {named}")
