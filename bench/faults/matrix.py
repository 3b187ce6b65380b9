"""The kill matrix: for each step of each runtime, a process dies exactly there while the load goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from bench.faults import books
from bench.faults.drives import Act, Check, Drive, drive_of, told_as_text
from bench.faults.processes import DIED, FaultsError
from bench.faults.world import RECOVERY_LIMIT_S, World, say
from kernel.clock import wall_ms

REACH_LIMIT_S = 60.0
ACT_LIMIT_S = 60.0
REPEATS_MAX = 5


@dataclass
class Row:
    """What came of all kills at one step of one runtime."""

    failpoint: str
    runtime: str
    hits: list[int] = field(default_factory=list)
    recovery_ms: list[int] = field(default_factory=list)
    violations: int = 0
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was wrong in any repeat."""
        return not (self.violations or self.lost or self.doubled or self.problems)


class Matrix:
    """Runs rows on a world and judges the books after each."""

    def __init__(self, world: World, steps: Sequence[tuple[str, str]]) -> None:
        self.rows = {step: Row(*step) for step in steps}
        self._world = world
        self._rng = world.rng("matrix")
        self._number = 0

    def pass_over(self, *, quiet: bool, until_s: float | None = None) -> bool:
        """Run each row once more, in an order that the seed decides.

        :param quiet: the rows that need a platform without orders, instead of the others
        :param until_s: begin no row after this instant of the monotonic clock
        :return: whether all were run
        """
        chosen = [step for step in self.rows if _quiet(step) is quiet]
        if not quiet:
            self._rng.shuffle(chosen)
        for count, step in enumerate(chosen, 1):
            if until_s is not None and time.monotonic() > until_s:
                return False
            self.run(self.rows[step])
            self._tell(self.rows[step], f"{count}/{len(chosen)}")
        return True

    def run(self, row: Row) -> None:
        """Kill once at a row's step, and judge."""
        self._number += 1
        drive = drive_of(row.failpoint, row.runtime)
        begun = self._observed()
        try:
            check = self._acted(row, drive) if isinstance(drive, Act) else self._killed(row, drive)
            row.problems += check()
        except (FaultsError, TimeoutError, *books.DATABASE_ERRORS) as error:
            row.problems.append(str(error))
            self._restored(row.runtime)
        self._judged(row, begun)

    def _killed(self, row: Row, drive: Drive) -> Check:
        """Let a runtime that serves die at the step, start it again and wait until all goes on."""
        world, platform = self._world, self._world.platform
        hit = self._rng.randint(*drive.hits)
        platform.kill(row.runtime)
        platform.start(row.runtime, failpoint=f"{row.failpoint}:{hit}:kill")
        with drive.provoke(world) if drive.provoke else nullcontext(_nothing_wrong) as check:
            ended = f"{row.failpoint} is not reached a {hit}. time"
            world.wait(lambda: not platform.running(row.runtime), REACH_LIMIT_S, ended)
            died_s, died_ms = time.monotonic(), wall_ms()
            if platform.code(row.runtime) != DIED:
                code, said = platform.code(row.runtime), platform.said(row.runtime)
                raise FaultsError(f"{row.runtime} ended with code {code} by itself: {said}")
            platform.start(row.runtime)
            recovered = self._recovered(row.runtime, died_s, died_ms)
            world.wait(recovered, RECOVERY_LIMIT_S, f"{row.runtime} has not recovered")
            row.recovery_ms.append(round((time.monotonic() - died_s) * 1000))
            row.hits.append(hit)
        return check

    def _recovered(self, runtime: str, died_s: float, died_ms: int) -> Callable[[], bool]:
        """Return the check that what a runtime does is done again."""
        world = self._world
        if runtime == "settlement":
            return lambda: world.settled(died_ms) and books.facts_applied(died_ms)
        if runtime == "parser":
            return lambda: books.ticked_after(died_ms) and world.traffic.accepted_after(died_s)
        if runtime in ("ea_gateway", "ea_executor"):
            return lambda: books.signals_moved(died_ms, logged=runtime == "ea_gateway")
        return lambda: world.traffic.accepted_after(died_s)

    def _acted(self, row: Row, act: Act) -> Check:
        """Let an act die at the step, and do it again."""
        world, platform = self._world, self._world.platform
        told, check = act.prepare(world, self._number)
        command = ("-m", "bench.faults.acts", act.name, told_as_text(told))
        platform.start_command(row.runtime, command, failpoint=f"{row.failpoint}:1:kill")
        ended = f"{act.name} does not end"
        world.wait(lambda: not platform.running(row.runtime), ACT_LIMIT_S, ended)
        died_s = time.monotonic()
        if (code := platform.code(row.runtime)) != DIED:
            raise FaultsError(
                f"{row.failpoint} is not reached by {act.name} (code {code}): {platform.said(row.runtime)}"
            )
        for _ in range(REPEATS_MAX):
            if act.meanwhile:
                act.meanwhile()
            platform.start_command(row.runtime, command)
            world.wait(lambda: not platform.running(row.runtime), ACT_LIMIT_S, ended)
            # Locks that others hold may fail it; the schedule asks again.
            if (code := platform.code(row.runtime)) == 0:
                break
        else:
            raise FaultsError(f"{act.name} goes on to end with code {code}: {platform.said(row.runtime)}")
        row.recovery_ms.append(round((time.monotonic() - died_s) * 1000))
        row.hits.append(1)
        return check

    def _restored(self, runtime: str) -> None:
        """Start a runtime without failpoint after a row that went wrong."""
        self._world.platform.kill(runtime)
        if runtime not in ("task", "operator"):
            self._world.platform.start(runtime)

    def _observed(self) -> tuple[int, int, int, int]:
        world = self._world
        seen = world.traffic.seen
        return (
            len(world.snapshots.violations),
            len(world.invariants.violations),
            len(seen.problems),
            len(world.told()),
        )

    def _judged(self, row: Row, begun: tuple[int, int, int, int]) -> None:
        """Count what the readers have seen since the row began, and look for ourselves."""
        world = self._world
        told = dict(list(world.told().items())[begun[3] :])
        row.lost += books.patient(lambda: books.lost(told), within_s=RECOVERY_LIMIT_S)
        row.doubled += books.patient(books.doubled, within_s=RECOVERY_LIMIT_S)
        found = books.violated()
        world.deadlocks_count()
        seen = world.snapshots.violations[begun[0] :] + world.invariants.violations[begun[1] :]
        row.violations += len(seen) + len(found)
        row.problems += [*seen, *(f"{name}: {count}" for name, count in found.items())]
        row.problems += world.traffic.seen.problems[begun[2] :]

    def _tell(self, row: Row, place: str) -> None:
        recovery = f"{row.recovery_ms[-1]} ms" if row.recovery_ms else "never"
        verdict = "" if row.holds else f"  PROBLEM {row.problems[:2]}"
        accepted = len(self._world.told())
        say(f"{place:>6}  {row.failpoint:<24} {row.runtime:<11} recovered in {recovery:<9} {accepted} orders{verdict}")


def _quiet(step: tuple[str, str]) -> bool:
    drive = drive_of(*step)
    return isinstance(drive, Act) and drive.quiet


def _nothing_wrong() -> list[str]:
    return []
