"""Virtual time and the processes that live in it: who does the next step and who crashes is drawn from the seed.

A process is a generator. At each ``yield`` it names the step that it has come to and how long the step takes; between
two yields nothing else happens. So every interleaving of steps can come about, and a process can die at any of them.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any

# Any instant does; a round one reads well in a trace.
EPOCH_MS = 1_800_000_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a process and how long it takes."""

    name: str
    takes_ms: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a word on a topic, or until the time is over; the process learns which by True or False."""

    topic: Hashable
    limit_ms: int | None = None


# What a part of a process returns is for the part that called it.
Steps = Generator[Step | Wait, bool, Any]


@dataclass(slots=True, eq=False)
class Process:
    """Something that runs, crashes and is started again.

    :param start: makes the steps from the first one on; called again after each crash
    :param crashed: tells the rest of the world, such as the database, that the process is gone
    :param crash_chance: of dying at a step, while crashes are allowed
    """

    name: str
    start: Callable[[], Steps]
    crashed: Callable[[], None] = lambda: None
    crash_chance: float = 0.0
    stopped_until_ms: int = 0
    steps: Steps | None = None
    # What resumes an earlier life, or a wait that is over, finds another turn and does nothing.
    turn: int = 0
    topic: Hashable = None


@dataclass(slots=True)
class Finding:
    """Something that must not happen, with the instant at which it was found."""

    at_ms: int
    rule: str
    text: str


@dataclass(slots=True)
class World:
    """The clock, the processes, the draws, and what was seen.

    :param tracing: keep a readable line of each step
    """

    seed: int
    tracing: bool = False
    # Milliseconds since the beginning, as a perfect clock would count them.
    now_ms: int = 0
    # How far the database's clock is from the perfect one.
    database_offset_ms: int = 0
    crashes_allowed: bool = True
    findings: list[Finding] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    _agenda: list[tuple[int, float, int, Callable[[], None]]] = field(default_factory=list)
    _waiting: dict[Hashable, list[Process]] = field(default_factory=dict)
    _count: int = 0
    _order: random.Random = field(default_factory=random.Random)
    _fate: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._order, self._fate = self.draws("order"), self.draws("fate")

    def draws(self, name: str) -> random.Random:
        """Return the random numbers of one part: what another part draws does not change them."""
        return random.Random(f"{self.seed}:{name}")

    def database_ms(self) -> int:
        """Return what the database's clock shows."""
        return EPOCH_MS + self.now_ms + self.database_offset_ms

    def later(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Do something after a time; what is due at one instant is done in a drawn order."""
        self._count += 1
        heapq.heappush(self._agenda, (self.now_ms + delay_ms, self._order.random(), self._count, act))

    def live(self, process: Process, delay_ms: int = 0) -> None:
        """Start a process, for the first time or again."""
        process.steps = None
        self._resume_later(process, delay_ms)

    def run(self, until_ms: int, done: Callable[[], bool] | None = None, steps: int | None = None) -> None:
        """Let time pass until an instant, until something is so, or for so many steps."""
        while self._agenda and self._agenda[0][0] <= until_ms:
            if (done is not None and done()) or steps == 0:
                return
            steps = None if steps is None else steps - 1
            self.now_ms, _, _, act = heapq.heappop(self._agenda)
            act()

    def tell(self, topic: Hashable) -> None:
        """Wake whoever waits for a topic."""
        for process in self._waiting.pop(topic, ()):
            process.topic = None
            self._resume_later(process, 0, told=True)

    def found(self, rule: str, text: str) -> None:
        """Note something that must not happen."""
        self.findings.append(Finding(self.now_ms, rule, text))
        self.say("oracle", "{}: {}", rule, text)

    def say(self, who: str, text: str, *values: Any) -> None:
        """Add a line to the trace, when there is one."""
        if self.tracing:
            self.trace.append(f"{self.now_ms / 1000:9.3f} {who:<12} {text.format(*values)}")

    def crash(self, process: Process, restart_ms: int) -> None:
        """Kill a process where it stands, and start it again later."""
        process.turn += 1
        if process.topic is not None:
            self._waiting[process.topic].remove(process)
            process.topic = None
        if process.steps is not None:
            process.steps.close()
        process.crashed()
        self.live(process, restart_ms)

    def stop(self, process: Process, for_ms: int) -> None:
        """Stop a process where it stands, as SIGSTOP does; it goes on later as if nothing had happened."""
        process.stopped_until_ms = max(process.stopped_until_ms, self.now_ms + for_ms)

    def _resume_later(self, process: Process, delay_ms: int, told: bool = False) -> None:
        process.turn += 1
        turn = process.turn

        def resume() -> None:
            if process.turn == turn:
                self._resume(process, told)

        self.later(delay_ms, resume)

    def _resume(self, process: Process, told: bool) -> None:
        if process.stopped_until_ms > self.now_ms:
            self._resume_later(process, process.stopped_until_ms - self.now_ms, told)
            return
        if process.topic is not None:
            self._waiting[process.topic].remove(process)
            process.topic = None
        try:
            if process.steps is None:
                process.steps = process.start()
                came = next(process.steps)
            else:
                came = process.steps.send(told)
        except StopIteration:
            process.steps = None
            return
        self._came_to(process, came)

    def _came_to(self, process: Process, came: Step | Wait) -> None:
        if isinstance(came, Wait):
            process.topic = came.topic
            self._waiting.setdefault(came.topic, []).append(process)
            if came.limit_ms is not None:
                self._resume_later(process, came.limit_ms)
            return
        if self.tracing:
            self.say(process.name, "{}", came.name)
        if process.crash_chance and self.crashes_allowed and self._fate.random() < process.crash_chance:
            self.seen[f"crash: {came.name}"] += 1
            self.say(process.name, "CRASHES at {}", came.name)
            self.crash(process, self._fate.choice((5, 200, 1_500)))
            return
        self._resume_later(process, came.takes_ms)
