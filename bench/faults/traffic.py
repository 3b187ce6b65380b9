"""Clients that never stop: each order is sent with the same id until it is answered, whatever dies meanwhile."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.soak.traders import Trader

ANSWER_LIMIT_S = 60.0
RETRY_S = 0.1
PAUSE_S = (0.1, 0.4)
# Refusals that say how the market, or the load, stands at that moment; no other may come.
EXPECTED = frozenset(
    {"market.stale", "market.closed", "market.halted", "market.close_only", "wallet.insufficient_funds"}
)


@dataclass
class Seen:
    """What all clients have seen so far; guarded by its lock.

    :param accepted: the order's id by the client's own id, for each acknowledged order
    """

    accepted: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    retries: int = 0
    longest_s: float = 0.0
    accepted_at_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Traffic:
    """Threads that place short orders over HTTP until they are stopped."""

    def __init__(self, *, url: str, traders: Sequence[Trader], codes: Sequence[str], seed: int) -> None:
        self.seen = Seen()
        self._url = url
        self._codes = tuple(codes)
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._trade, args=(trader, random.Random(f"{seed}:{trader.number}")), daemon=True)
            for trader in traders
        ]

    def start(self) -> None:
        """Start all clients."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each client have its last answer, then end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(ANSWER_LIMIT_S + 10)

    def accepted_after(self, at_s: float) -> bool:
        """Whether an order was accepted that was sent after an instant of the monotonic clock."""
        return self.seen.accepted_at_s > at_s

    def _trade(self, trader: Trader, rng: random.Random) -> None:
        headers = {"Authorization": f"Bearer {trader.token}"}
        with httpx.Client(base_url=f"{self._url}/api/v1", headers=headers, timeout=5.0, trust_env=False) as client:
            while not self._stopping.wait(rng.uniform(*PAUSE_S)):
                number = next(self._numbers)
                body = {
                    "client_order_id": f"faults-{number}",
                    "ledger": rng.choice(("demo", "real")),
                    "symbol": rng.choice(self._codes),
                    "direction": rng.choice(("up", "down")),
                    "stake": f"{rng.randint(100, 300) / 100:.2f}",
                    "duration_s": rng.randint(1, 4),
                }
                self._answered(client, body)

    def _answered(self, client: httpx.Client, body: dict[str, Any]) -> None:
        """Send an order until it is answered; the contract asks exactly this of clients."""
        begun_s, said = time.monotonic(), "nothing"
        while (sent_s := time.monotonic()) < begun_s + ANSWER_LIMIT_S:
            try:
                response = client.post("/orders", json=body)
            except httpx.TransportError as error:
                said = type(error).__name__
            else:
                if self._settled(body, response, sent_s):
                    break
                said = f"{response.status_code} {response.text[:200]}"
            with self.seen.lock:
                self.seen.retries += 1
            time.sleep(RETRY_S)
        else:
            with self.seen.lock:
                self.seen.problems.append(f"{body['client_order_id']} was not answered: {said}")
        with self.seen.lock:
            self.seen.longest_s = max(self.seen.longest_s, time.monotonic() - begun_s)

    def _settled(self, body: dict[str, Any], response: httpx.Response, sent_s: float) -> bool:
        """Take an answer in; return whether it is final."""
        own = body["client_order_id"]
        if response.status_code in (200, 201):
            ident = response.json()["id"]
            with self.seen.lock:
                self.seen.accepted[own] = ident
                self.seen.accepted_at_s = max(self.seen.accepted_at_s, sent_s)
            return True
        if response.status_code >= 500:
            return False
        code = str(response.json().get("code"))
        with self.seen.lock:
            self.seen.refused[code] += 1
            if code not in EXPECTED:
                self.seen.problems.append(f"{own} was refused: {code}")
        return True
