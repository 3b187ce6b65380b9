"""One run from the first process to the report. Django is set up, for the database of the platform that runs."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from django.core.management import call_command

from bench.soak import measures
from bench.soak.findings import Findings, distribution
from bench.soak.market import ADDED, CALENDARS, add_symbol_arguments, sessions_around
from bench.soak.measures import Lag, Outage
from bench.soak.operators import KILL_S, Operators, kill, operate
from bench.soak.options import Options
from bench.soak.orders import Composer, Load
from bench.soak.report import Document, verdict
from bench.soak.running import PlatformError, RunningPlatform
from bench.soak.streams import AccountFollower
from bench.soak.traders import Trader, staff_create, traders_create
from bench.soak.upstreams import Upstream
from bench.soak.watching import Watcher
from kernel.clock import wall_ms
from kernel.facts import facts_lags
from settlement.worker import INTERVAL_S

MARKET_LIMIT_S = 60.0
DRAIN_LIMIT_S = 120.0
STREAMS_LIMIT_S = 30.0
CHECK_LIMIT_S = 1_800.0
TRADERS_PER_STREAM = 5
# A settlement is written this long after its worker read the clock, at the most.
WRITTEN_MS = 1_000
_CHECKED = re.compile(r"checked \d+, differences \d+, unavailable \d+")


@dataclass
class Run:
    """The parts of one run. All database work is done on one thread, with one session."""

    options: Options
    running: RunningPlatform
    upstreams: Sequence[Upstream]
    findings: Findings = field(default_factory=Findings)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "soak-database"))

    async def on_thread(self, work: Callable[[], Any]) -> Any:
        """Do database work beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def rng(self, name: str) -> random.Random:
        """Return the random numbers of one part: what another part draws does not change them."""
        return random.Random(f"{self.options.seed}:{name}")

    async def document(self) -> Document:
        """Set up, soak, drain and check; return the report.

        :raises PlatformError: the platform has ended, or has no prices
        """
        traders, staff = await self.on_thread(self._set_up)
        if not await self._until(self._prices_flow, MARKET_LIMIT_S):
            silent = ", ".join(await self.on_thread(measures.symbols_without_price))
            raise PlatformError(f"no price after {MARKET_LIMIT_S:.0f} s for {silent}; see {self.running.log}")
        composer = Composer(traders, self.rng("orders"))
        followers = [
            AccountFollower(url=self.running.url, trader=trader, findings=self.findings)
            for trader in traders[::TRADERS_PER_STREAM]
        ]
        watcher = Watcher(self.running, self.findings, self.on_thread)
        operators = Operators(traders, staff, self.options.minutes, self.rng("operators"), self.findings)
        following = [asyncio.create_task(follower.run()) for follower in followers]
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(watcher.run())
                disturbing = [tasks.create_task(operate(operators, self.on_thread))]
                disturbing += [tasks.create_task(self._kills(name)) for name in KILL_S]
                load = Load(url=self.running.url, composer=composer, findings=self.findings)
                await load.run(rate=self.options.rate, seconds=self.options.seconds)
                await _cancelled(disturbing)
                await self.on_thread(lambda: operators.lift(until_s=float("inf")))
                await self._drained()
                await self._streams_complete(followers)
                await _cancelled([watching])
        except BaseExceptionGroup as group:
            ended, _ = group.split(PlatformError)
            raise (ended or group).exceptions[0] from group
        finally:
            await _cancelled(following)
        return await self._reported(followers, watcher)

    def _set_up(self) -> tuple[list[Trader], list[Any]]:
        for hours in CALENDARS:
            sessions = sessions_around(hours, now_ms=wall_ms(), minutes=self.options.minutes)
            words = [word for text in sessions for word in ("--session", text)]
            call_command("add_calendar", hours.name, "--time-zone", hours.time_zone, *words, stdout=StringIO())
        for position, offered in enumerate(ADDED):
            call_command("add_symbol", *add_symbol_arguments(position, offered), stdout=StringIO())
        return traders_create(self.options.traders), [user.id for user in staff_create()]

    async def _prices_flow(self) -> bool:
        self.running.require()
        silent: list[str] = await self.on_thread(measures.symbols_without_price)
        return not silent

    async def _kills(self, name: str) -> None:
        await kill(name, running=self.running, rng=self.rng(f"kill {name}"), findings=self.findings)

    async def _drained(self) -> None:
        """Wait until no order is open and all facts are applied; the report tells what is left."""

        async def nothing_left() -> bool:
            left: int = await self.on_thread(lambda: measures.open_orders() + len(facts_lags()))
            return left == 0

        await self._until(nothing_left, DRAIN_LIMIT_S)

    async def _streams_complete(self, followers: Sequence[AccountFollower]) -> None:
        async def all_told() -> bool:
            return all(follower.unsettled() == 0 for follower in followers)

        await self._until(all_told, STREAMS_LIMIT_S)

    async def _until(self, true: Callable[[], Any], limit_s: float) -> bool:
        """Wait until something is true; return whether it has become so in time."""
        until_s = time.monotonic() + limit_s
        while not await true():
            if time.monotonic() > until_s:
                return False
            await asyncio.sleep(0.25)
        return True

    async def _reported(self, followers: Sequence[AccountFollower], watcher: Watcher) -> Document:
        checks = {
            "verify_ledger --full": await self._check("verify_ledger", "--full"),
            "resettle --check": await self._check("resettle", "--check"),
        }
        for follower in followers:
            follower.judge()
        await self.on_thread(self._books_judge)
        self._endings_judge()
        document: Document = await self.on_thread(lambda: self._document(followers, watcher, checks))
        document["problems"] = verdict(document)
        return document

    async def _check(self, *command: str) -> Document:
        begun_s = time.monotonic()
        ended = await asyncio.to_thread(self.running.manage, *command, timeout_s=CHECK_LIMIT_S)
        lines = [line for line in ended.stdout.splitlines() if line.strip()]
        if command[0] == "resettle":
            said = next((line for line in lines if _CHECKED.search(line)), "")
        else:
            red = [line for line in lines if not line.endswith(": 0")]
            said = "; ".join(red) or f"{len(lines)} invariants, all 0"
        took_s = round(time.monotonic() - begun_s, 1)
        return {"code": ended.returncode, "said": said or ended.stderr[-1_000:], "seconds": took_s}

    def _books_judge(self) -> None:
        """Demand that what was acknowledged is what is there."""
        stored, told = measures.order_ids(), set(self.findings.accepted)
        if lost := told - stored:
            self.findings.violated(f"{len(lost)} acknowledged orders are not there, such as {min(lost)}")
        if more := stored - told:
            self.findings.violated(f"{len(more)} orders were never acknowledged, such as {min(more)}")
        if twice := measures.told_twice():
            self.findings.violated(f"{twice} orders were told to be settled more than once")

    def _endings_judge(self) -> None:
        """Demand that no runtime ended but those that were killed, and that none has met an error of ours."""
        by_us = Counter(name for name, _ in self.running.killed)
        for name, times in self.running.endings().items():
            if times > by_us[name]:
                self.findings.violated(f"{name} ended {times} times and was killed {by_us[name]} times")
        for event, times in self.running.errors().items():
            self.findings.violated(f"{event} is {times} times in the log, as an error")

    def _document(self, followers: Sequence[AccountFollower], watcher: Watcher, checks: Document) -> Document:
        found, options = self.findings, self.options
        killed_ms = [at_ms for name, at_ms in self.running.killed if name == "settlement"]
        without = measures.outages(killed_ms, before_ms=WRITTEN_MS, interval_ms=round(INTERVAL_S * 1000))
        settled, entered = measures.settlement_lags(), measures.entry_lags()
        faults: Counter[str] = Counter()
        for upstream in self.upstreams:
            faults += upstream.faults
        return {
            "minutes": options.minutes,
            "rate": options.rate,
            "seed": options.seed,
            "orders_asked": dict(found.asked),
            "answers": dict(found.answers),
            "orders_ended": measures.ends(),
            "orders_by_rules": measures.rules(),
            "operators": dict(found.acts) | {"revisions in force": measures.revisions_in_force()},
            "upstream": dict(faults),
            "ticks": {"admitted": measures.ticks_admitted()}
            | {f"refused: {reason}": count for reason, count in measures.ticks_refused().items()},
            "lags_ms": _waits("settlement lag", settled, without)
            | _waits("entry lag", entered, without)
            | {
                "placement latency, since due": distribution(found.latencies_ms),
                "placement latency, since sent": distribution(found.answers_ms),
                "oldest waiting fact": distribution(watcher.facts_lag_ms),
            },
            "memory_mb": watcher.memory(),
            "outages_ms": [outage.length_ms for outage in without],
            "other": {
                "orders accepted": len(found.accepted),
                "orders accepted a second": round(len(found.accepted) / options.seconds, 1),
                "processor seconds of this program": round(time.process_time()),
                "most orders open at once": watcher.open_most,
                "requests sent again": found.retries,
                "streams": len(followers),
                "longest time without settlement, ms": max((outage.length_ms for outage in without), default=0),
                "connections of streams": sum(follower.connections for follower in followers),
                "events on streams": sum(follower.cursor for follower in followers),
            },
            "still_open": measures.open_orders(),
            "facts_waiting": sum(lag.depth for lag in facts_lags()),
            "checks": checks,
            "violations": found.violations,
            "violations_more": found.violations_more,
        }


def _waits(name: str, lags: Sequence[Lag], without: Sequence[Outage]) -> Document:
    """Return the waits of the orders that had a worker, of those that fell due while it was killed, and of all."""
    served, unserved = measures.parted(lags, without)
    everybody = [*served, *unserved]
    return {
        name: distribution(served),
        f"{name}, worker killed": distribution(unserved),
        f"{name}, all orders": distribution(everybody),
    }


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their end; what one of them has raised is raised."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
