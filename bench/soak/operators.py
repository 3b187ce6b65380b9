"""What operators and fate do to a running platform: halts, revisions, hours, bans, and runtimes that are killed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.core.management.base import CommandError

from bench.soak.findings import Findings
from bench.soak.market import ADDED, CALENDARS, CODES, sessions_around
from bench.soak.running import RunningPlatform
from bench.soak.traders import Trader
from kernel.clock import wall_ms
from kernel.errors import Problem
from quotes import services
from quotes.models import Symbol
from quotes.revisions import RevisedTerms, revision_request, revision_terms
from settlement.revisions import revision_emergency_approve

ACT_S = (2.0, 5.0)
KILL_S = {"settlement": (80.0, 140.0), "parser": (50.0, 110.0), "redis": (150.0, 250.0)}
OnThread = Callable[[Callable[[], Any]], Any]


@dataclass
class Operators:
    """Acts every few seconds. Each halt and ban is lifted after a while, and all of them at the end."""

    traders: Sequence[Trader]
    staff: Sequence[UUID]
    minutes: float
    rng: random.Random
    findings: Findings
    _undo: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)

    def act(self) -> None:
        """Do one thing, and lift what has lasted long enough; runs on the thread that holds the database session."""
        self.lift(until_s=time.monotonic())
        acts = (self._halt, self._close_only, self._revise, self._withdraw, self._emergency, self._hours, self._ban)
        act = self.rng.choices(acts, weights=(5, 3, 3, 1, 1, 2, 3))[0]
        try:
            act()
        except (Problem, CommandError) as error:
            problem = error if isinstance(error, Problem) else error.__cause__
            name = act.__name__.strip("_")
            if isinstance(problem, Problem):
                # Two acts may meet on one symbol: a second revision waits for the first, as it should.
                self.findings.acts[f"{name} refused: {problem.code}"] += 1
            else:
                self.findings.violated(f"operator's {name} failed: {error}")

    def lift(self, *, until_s: float) -> None:
        """Undo what was to last until then at the latest."""
        due = [one for one in self._undo if one[0] <= until_s]
        self._undo = [one for one in self._undo if one[0] > until_s]
        for _, name, undo in sorted(due, key=lambda one: one[0]):
            undo()
            self.findings.acts[name] += 1

    def _done(self, name: str) -> None:
        self.findings.acts[name] += 1

    def _later(self, least_s: float, most_s: float, name: str, undo: Callable[[], None]) -> None:
        self._undo.append((time.monotonic() + self.rng.uniform(least_s, most_s), name, undo))

    def _halt(self) -> None:
        code = self.rng.choice(CODES)
        _command("halt", code, "--reason", "soak")
        self._later(4, 15, "resume", lambda: _command("resume", code))
        self._done("halt")

    def _close_only(self) -> None:
        code = self.rng.choice(CODES)
        services.symbol_halt(code=code, reason="soak: no new orders", close_only=True)
        self._later(4, 15, "resume", lambda: _command("resume", code))
        self._done("close only")

    def _revise(self) -> None:
        code, terms = self._revision()
        _command("revise_symbol", code, "--price-scale", str(terms.price_scale), "--reason", "soak")
        self._done("revise")

    def _withdraw(self) -> None:
        waiting = Symbol.objects.filter(pending_revision__isnull=False).order_by("code").first()
        if waiting is not None:
            _command("revise_symbol", waiting.code, "--cancel")
            self._done("withdraw a revision")

    def _emergency(self) -> None:
        code, terms = self._revision()
        asked = revision_request(
            code=code, terms=terms, reason="soak", by_id=self.staff[0], now_ms=wall_ms(), emergency=True
        )
        revision_emergency_approve(code=code, number=asked.number, by_id=self.staff[1])
        self._done("emergency revision")

    def _revision(self) -> tuple[str, RevisedTerms]:
        """Return a revision of one of the added symbols: one decimal more, or back again."""
        offered = self.rng.choice(ADDED)
        terms = revision_terms(Symbol.objects.get(code=offered.code))
        scale = offered.scale if terms.price_scale != offered.scale else offered.scale + 1
        return offered.code, replace(terms, price_scale=scale)

    def _hours(self) -> None:
        hours = self.rng.choice(CALENDARS)
        sessions = sessions_around(hours, now_ms=wall_ms(), minutes=self.minutes, shift=self.rng.randint(0, 5))
        _command("set_hours", hours.name, *(word for text in sessions for word in ("--session", text)))
        self._done("hours")

    def _ban(self) -> None:
        email = self.rng.choice(self.traders).email
        _command("ban", email, "--reason", "soak")
        self._later(3, 12, "unban", lambda: _command("unban", email))
        self._done("ban")


async def operate(operators: Operators, on_thread: OnThread) -> None:
    """Act every few seconds until cancelled."""
    while True:
        await asyncio.sleep(operators.rng.uniform(*ACT_S))
        await on_thread(operators.act)


async def kill(name: str, *, running: RunningPlatform, rng: random.Random, findings: Findings) -> None:
    """Kill a runtime or Redis again and again until cancelled; the supervisor starts it anew."""
    await asyncio.sleep(rng.uniform(20.0, 60.0))
    while True:
        if await asyncio.to_thread(running.kill, name, wall_ms()):
            findings.acts[f"kill {name}"] += 1
        await asyncio.sleep(rng.uniform(*KILL_S[name]))


def _command(name: str, *arguments: str) -> None:
    call_command(name, *arguments, stdout=StringIO())
