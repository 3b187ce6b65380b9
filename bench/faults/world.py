"""One platform for a whole run: servers, runtimes, sources, load and readers. Django is set up for its database."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from bench.faults import books
from bench.faults.processes import FaultsError, Platform
from bench.faults.proxy import Proxy
from bench.faults.sources import Sources
from bench.faults.traffic import Traffic
from bench.soak.traders import Trader, staff_create, traders_create
from bench.soak.upstreams import Upstream
from kernel.clock import wall_ms
from quotes.services import NewSymbol, symbol_add

WORKERS = ("settlement", "settlement-2")
START_LIMIT_S = 60.0
RECOVERY_LIMIT_S = 60.0
CLIENTS = 4
# Both entry rules, both settlement rules, and one symbol whose source speaks over a network.
TRADED = ("EURUSD", "GBPUSD", "BTCUSDT", "ETHUSDT", "BTC.K")
OFFERED = (
    ("EURUSD", "simulator", "EURUSD", 5, "last_tick/1", "last_tick/1"),
    ("GBPUSD", "simulator", "GBPUSD", 5, "next_tick/1", "last_tick/1"),
    ("BTCUSDT", "simulator", "BTCUSDT", 2, "last_tick/1", "trimmed_mean_10s/1"),
    ("ETHUSDT", "simulator", "ETHUSDT", 2, "next_tick/1", "trimmed_mean_10s/1"),
    ("BTC.K", "kraken", "BTC/USD", 1, "last_tick/1", "last_tick/1"),
    # Nobody trades these: revisions are asked for on one, minutes of another are sealed, and a script plays the last.
    ("REVISED", "script", "REVISED", 5, "last_tick/1", "last_tick/1"),
    ("SEALED", "script", "SEALED", 5, "last_tick/1", "last_tick/1"),
    ("SCRIPTED", "script", "SCRIPTED", 5, "last_tick/1", "last_tick/1"),
)


@dataclass
class World:
    """Everything that a row of the matrix or a fault works on."""

    platform: Platform
    sources: Sources
    upstream: Upstream
    feed: Proxy
    database: Proxy
    seed: int
    traders: list[Trader] = field(default_factory=list)
    staff: list[UUID] = field(default_factory=list)
    deadlocks: int = 0
    _deadlocks_seen: int = 0

    def open(self) -> None:
        """Offer symbols, sign clients up, start runtimes, load and readers, and wait until orders are accepted."""
        for code, feed, source, scale, entry, settlement in OFFERED:
            symbol_add(
                NewSymbol(
                    code=code,
                    feed=feed,
                    source=source,
                    price_scale=scale,
                    min_duration_s=1,
                    purchase_deadline_s=0,
                    entry_rule=entry,
                    settlement_rule=settlement,
                )
            )
        self.traders = traders_create(CLIENTS + 1)
        self.staff = [user.id for user in staff_create()]
        for name in ("web", "parser", "ea_gateway", "ea_executor", *WORKERS):
            self.platform.start(name)
        self.traffic = Traffic(url=self.platform.url, traders=self.traders[:CLIENTS], codes=TRADED, seed=self.seed)
        self.snapshots = books.Reader(books.moving_violated, every_s=0.25)
        self.invariants = books.Reader(books.violated, every_s=1.0)
        for started in (self.traffic, self.snapshots, self.invariants):
            started.start()
        self.wait(lambda: self.traffic.accepted_after(0.0), START_LIMIT_S, "no order is accepted")

    def rng(self, name: str) -> random.Random:
        """Return the random numbers of one part: what another part draws does not change them."""
        return random.Random(f"{self.seed}:{name}")

    def deadlocks_count(self) -> None:
        """Add the deadlocks since the last time; a crash of the server makes its own count start anew."""
        now = books.patient(books.deadlocks, within_s=RECOVERY_LIMIT_S)
        self.deadlocks += now - self._deadlocks_seen if now >= self._deadlocks_seen else now
        self._deadlocks_seen = now

    def told(self) -> dict[str, str]:
        """Return the acknowledged orders so far: the platform's id by the client's."""
        with self.traffic.seen.lock:
            return dict(self.traffic.seen.accepted)

    def wait(self, true: Callable[[], bool], limit_s: float, problem: str) -> float:
        """Wait until something is true and return how many seconds that took.

        :raises FaultsError: with the problem, when it does not become true in time
        """
        begun_s = time.monotonic()
        while not self._asked(true):
            self.platform.keep()
            if time.monotonic() - begun_s > limit_s:
                raise FaultsError(f"{problem} after {limit_s:.0f} s")
            time.sleep(0.03)
        return time.monotonic() - begun_s

    def settled(self, at_ms: int) -> bool:
        """Whether everything that was due at an instant is settled."""
        return books.due(at_ms) == 0

    def moving(self, at_s: float) -> bool:
        """Whether ticks, placement and settlement all go on after an instant of the monotonic clock."""
        at_ms = wall_ms() - round((time.monotonic() - at_s) * 1000)
        return self.traffic.accepted_after(at_s) and books.ticked_after(at_ms) and self.settled(at_ms)

    def close(self) -> None:
        """Stop the load, wait for the last settlement, and stop the readers."""
        self.traffic.stop()
        try:
            self.wait(lambda: books.open_orders() == 0, RECOVERY_LIMIT_S, "orders are still open")
        finally:
            for reader in (self.snapshots, self.invariants):
                reader.stop()

    @staticmethod
    def _asked(true: Callable[[], bool]) -> bool:
        try:
            return true()
        except books.DATABASE_ERRORS:
            # The database may be what is being killed.
            connection.close()
            return False


def say(text: str) -> None:
    """Tell how the run goes."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
