"""One run from its seed: the cast, the disturbances, time to finish, and the verdict."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from bench.simulator.build import CORRECT, Build
from bench.simulator.database import Database
from bench.simulator.judge import Judge, orders_of
from bench.simulator.parsing import Parser
from bench.simulator.placing import Client
from bench.simulator.playback import playback_judge
from bench.simulator.reckoning import reckon
from bench.simulator.rows import AccountRow, HeadRow, OrderRow, SymbolRow, WalletRow
from bench.simulator.settling import Worker
from bench.simulator.upstream import Quote, Upstream
from bench.simulator.world import Finding, World
from quotes.domain import ENTRY_RULES, SETTLEMENT_RULES

SECONDS = 20
# Feeds are silent by then: the longest order, the grace, and a clock that has to catch up.
DRAIN_MS = 90_000
GRANT = 60_000
CLOCK_STEPS_MS = (300, 900, -300, -900, 2_500, -2_500, 12_000, -8_000, -12_000, -12_000, 3_600_000)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has shown; ``digest`` tells whether two runs were the same."""

    seed: int
    findings: list[Finding]
    seen: Counter[str]
    trace: list[str]
    digest: int
    orders: int


@dataclass(slots=True)
class Run:
    """The cast of one run."""

    world: World
    build: Build
    seconds: int
    first: bool
    database: Database = field(init=False)
    judge: Judge = field(init=False)
    clients: list[Client] = field(default_factory=list)
    upstreams: list[Upstream] = field(default_factory=list)
    parsers: list[Parser] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    granted: dict[UUID, int] = field(default_factory=dict)
    # Disturbances are over, and clocks are set right.
    _finishing: bool = False
    _draws: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.database = Database(self.world)
        self.judge = Judge(self.world, self.database)
        self.database.committing = self.judge.committing
        self._draws = self.world.draws("run")

    def result(self, steps: int | None) -> Result:
        """Let it happen, and judge it."""
        world, until_ms = self.world, self.seconds * 1_000
        self._cast(until_ms)
        self._disturb_later(until_ms)
        world.run(until_ms, done=self._stops, steps=steps)
        if steps is None and not self._stops():
            world.crashes_allowed, self._finishing = False, True
            self._clock_comes_to_the_last_expiry()
            world.run(until_ms + DRAIN_MS, done=self._over)
        if not self._stops():
            self._reckon(complete=steps is None)
        orders = [(str(order["id"]), _end(order)) for order in orders_of(self.database).values()]
        logs = [len(rows) for _, rows in sorted((str(name), rows) for name, rows in self.database.logs.items())]
        digest = random.Random(f"{orders} {logs}").getrandbits(64)
        return Result(world.seed, world.findings, world.seen, world.trace, digest, len(orders))

    def _clock_comes_to_the_last_expiry(self) -> None:
        """Set the clock right; an order that was accepted when it was an hour fast expires an hour from now."""
        world = self.world
        world.database_offset_ms = max(world.database_offset_ms, 0)
        last_ms = max((row["expires_at_ms"] for row in self.database.table("open").values()), default=0)
        world.database_offset_ms += max(0, last_ms - DRAIN_MS // 3 - world.database_ms())

    def _stops(self) -> bool:
        return self.first and bool(self.world.findings)

    def _over(self) -> bool:
        if self._stops():
            return True
        return not self.database.table("open") and all(client.process.steps is None for client in self.clients)

    def _reckon(self, *, complete: bool) -> None:
        reckon(
            world=self.world,
            database=self.database,
            judge=self.judge,
            build=self.build,
            clients=self.clients,
            granted=self.granted,
            complete=complete,
        )
        if complete and not self.world.findings:
            playback_judge(self.world, self.database, self.judge, self.build)

    def _cast(self, until_ms: int) -> None:
        draws = self._draws
        for feed in range(2):
            self._feed(feed, until_ms)
        for name in ("worker-1", "worker-2"):
            worker = Worker(self.world, self.database, self.build, name)
            self.workers.append(worker)
            self.world.live(worker.process, draws.randint(0, 1_000))
        symbols: list[SymbolRow] = list(self.database.table("symbol").values())
        wallets = [self._wallets(), self._wallets()]
        for number in range(3):
            # The first two are one person with two devices.
            name, owned = f"client-{number}", wallets[number // 2]
            client = Client(self.world, self.database, self.build, name, owned, symbols, until_ms, self._appoint)
            self.clients.append(client)
            self.world.live(client.process, draws.randint(500, 2_000))

    def _feed(self, number: int, until_ms: int) -> None:
        """Set up a feed of one or two symbols; the first has times of its own, the second is stamped on receipt."""
        draws, name, quotes = self._draws, f"feed-{number}", []
        for place in range(2 - number):
            key = number * 2 + place + 1
            trades = place == 1
            symbol = SymbolRow(
                key,
                f"SYM{key}",
                name,
                "last" if trades else "mid",
                draws.choice((0, 2, 5)),
                draws.choice(ENTRY_RULES),
                draws.choice(SETTLEMENT_RULES),
                draws.choice((50, 83, 85, 97)),
                draws.choice((1_500, 3_000, 3_000)),
            )
            self.database.table("symbol")[key] = symbol
            self.database.table("head")[key] = HeadRow()
            quotes.append(Quote(symbol.code, draws.randint(900, 120_000), symbol.price_scale, trades))
        upstream = Upstream(
            self.world, name, quotes, number == 0, draws.randint(-120, 120), draws.choice((150, 400, 900)), until_ms
        )
        upstream.start()
        self.upstreams.append(upstream)
        for which in ("a", "b"):
            parser = Parser(self.world, self.database, self.build, f"parser-{number}{which}", upstream)
            self.parsers.append(parser)
            self.world.live(parser.process, draws.randint(0, 300))

    def _appoint(self, source: str, at_ms: int) -> None:
        for upstream in self.upstreams:
            upstream.appoint(source, at_ms)

    def _wallets(self) -> list[WalletRow]:
        wallets = []
        for book in ("real", "demo"):
            ids = [UUID(int=self._draws.getrandbits(128), version=4) for _ in range(3)]
            wallet = WalletRow(ids[0], ids[1], ids[2], book)
            self.granted[wallet.id] = GRANT
            self.database.table("account")[wallet.id] = AccountRow(GRANT, 0)
            self.database.table("account")[wallet.stakes_id] = AccountRow(0, 0)
            wallets.append(wallet)
        return wallets

    def _disturb_later(self, until_ms: int) -> None:
        """Let every seed have some kinds of disturbances and not others, so that each is met alone and with others."""
        kinds = (self._stop_parser, self._operate, self._restart, self._clock_steps)
        chosen = [kind for kind in kinds if self._draws.random() < 0.6]
        if chosen:
            self._disturb(chosen, until_ms)

    def _disturb(self, kinds: list[Callable[[], None]], until_ms: int) -> None:
        def disturb() -> None:
            if self.world.now_ms < until_ms:
                self._draws.choice(kinds)()
                self._disturb(kinds, until_ms)

        self.world.later(self._draws.randint(300, 3_000), disturb)

    def _stop_parser(self) -> None:
        # Long enough for a fence, or long enough to lose the session as well.
        leading = [parser for parser in self.parsers if parser.leads] or self.parsers
        self._draws.choice(leading).stopped(self._draws.choice((600, 2_100, 2_700, 3_100, 4_000, 5_500)))

    def _restart(self) -> None:
        if self._draws.random() < 0.5:
            self.world.seen["database restarted"] += 1
            self.world.say("database", "restarts")
            self.database.restart()

    def _clock_steps(self) -> None:
        draws, world = self._draws, self.world
        if draws.random() < 0.5:
            return
        step_ms = draws.choice(CLOCK_STEPS_MS)
        world.database_offset_ms += step_ms
        world.seen["clock stepped"] += 1
        world.say("database", "clock steps by {} ms", step_ms)

        def step_back() -> None:
            if self._finishing:
                return
            world.database_offset_ms -= step_ms
            world.say("database", "clock steps back by {} ms", step_ms)

        if draws.random() < 0.7:
            world.later(draws.randint(200, 6_000), step_back)

    def _operate(self) -> None:
        """Change a symbol's terms, or halt it, or let it trade again; open orders do not care."""
        draws = self._draws
        key = draws.choice(sorted(self.database.table("symbol")))
        symbol: SymbolRow = self.database.table("symbol")[key]
        edits: tuple[dict[str, object], ...] = (
            {"payout_percent": draws.choice((50, 83, 85, 97))},
            {"entry_rule": draws.choice(ENTRY_RULES)},
            {"settlement_rule": draws.choice(SETTLEMENT_RULES)},
            {"max_tick_age_ms": draws.choice((1_500, 3_000, 8_000))},
            {"operator_state": draws.choice(("open", "open", "halted", "close_only"))},
        )
        edit = draws.choice(edits)
        self.world.say("operator", "{}: {}", symbol.code, edit)
        self.database.table("symbol")[key] = replace(symbol, **edit)  # type: ignore[arg-type]
        if edit.get("operator_state", "open") != "open":
            self.world.later(draws.randint(1_000, 4_000), lambda: self._resume(key))

    def _resume(self, key: object) -> None:
        symbol: SymbolRow = self.database.table("symbol")[key]
        self.database.table("symbol")[key] = replace(symbol, operator_state="open")


def _end(order: OrderRow) -> tuple[object, ...]:
    return tuple(order[name] for name in ("state", "payout", "reason", "open_seq", "close_seq", "close_price"))


def simulated(
    seed: int,
    *,
    build: Build = CORRECT,
    seconds: int = SECONDS,
    steps: int | None = None,
    tracing: bool = False,
    first: bool = False,
) -> Result:
    """Run one seed and return what it has shown.

    :param seconds: of disturbances, before everything is given time to finish
    :param steps: stop after so many steps and judge what must hold at any moment
    :param first: stop at the first finding
    """
    return Run(World(seed, tracing), build, seconds, first).result(steps)
