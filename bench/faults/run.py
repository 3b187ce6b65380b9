"""One run from the first row to the report. Django is set up, for the database of the platform that runs."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from bench.faults import books
from bench.faults.drives import steps
from bench.faults.matrix import Matrix
from bench.faults.options import SHORT, SHORT_FAULTS, Options
from bench.faults.processes import FaultsError
from bench.faults.report import Document, verdict
from bench.faults.scenarios import SCENARIOS, Fault, Scenario
from bench.faults.world import World, say
from kernel.facts import facts_lags
from kernel.failpoints import FAILPOINTS

FACTS_LIMIT_S = 60.0
_CHECKED = re.compile(r"checked (\d+), differences (\d+), unavailable (\d+)")


class Run:
    """The rows and faults of one run on one world."""

    def __init__(self, options: Options, world: World) -> None:
        self._options = options
        self._world = world
        self._begun_s = time.monotonic()
        self._matrix = Matrix(world, _chosen_steps(options))
        self._faults: list[Fault] = []

    def document(self) -> Document:
        """Run everything, drain, check the books in full, and return the report.

        :raises FaultsError: the platform did not start
        """
        world, until_s = self._world, self._begun_s + self._options.minutes * 60
        world.open()
        for scenario in _chosen_faults(self._options):
            self._faults.append(self._befallen(scenario))
        self._matrix.pass_over(quiet=False)
        while time.monotonic() < until_s and self._matrix.pass_over(quiet=False, until_s=until_s):
            pass
        unfinished = self._finished()
        document = self._document() | {"checks": self._checks()}
        document["problems"] = unfinished + verdict(document)
        return document

    def _befallen(self, scenario: Scenario) -> Fault:
        fault, name, work = scenario
        found = Fault(fault, name)
        world, before = self._world, len(self._world.invariants.violations) + len(self._world.snapshots.violations)
        try:
            found.figures = work(world)
        except (FaultsError, TimeoutError, *books.DATABASE_ERRORS) as error:
            found.problems.append(str(error))
        world.deadlocks_count()
        found.problems += (world.invariants.violations + world.snapshots.violations)[before:]
        lost = books.patient(lambda: books.lost(world.told()), within_s=FACTS_LIMIT_S)
        if lost:
            found.problems.append(f"{lost} acknowledged orders are lost")
        say(f"{fault:>11}  {name}: {found.figures}{f'  PROBLEM {found.problems[:2]}' if found.problems else ''}")
        return found

    def _finished(self) -> list[str]:
        """End the load, let everything settle, and run what needs quiet; return what is left undone."""
        world = self._world
        try:
            world.close()
            world.wait(lambda: not facts_lags(), FACTS_LIMIT_S, "facts are not applied")
        except FaultsError as error:
            return [str(error)]
        finally:
            world.platform.kill("web", "parser", "settlement", "settlement-2", "settlement-3", "settlement-4", "beat")
        self._matrix.pass_over(quiet=True)
        world.deadlocks_count()
        return []

    def _checks(self) -> Document:
        platform, found = self._world.platform, {}
        for words in (("verify_ledger", "--full"), ("resettle", "--check")):
            try:
                printed, code = platform.manage(*words), 0
            except FaultsError as error:
                printed, code = str(error), 1
            found[" ".join(words)] = {"code": code, "said": _said(printed)}
        return found

    def _document(self) -> Document:
        world = self._world
        seen, told = world.traffic.seen, world.told()
        return {
            "seed": self._options.seed,
            "seconds": round(time.monotonic() - self._begun_s),
            "orders": len(told),
            "refused": dict(seen.refused),
            "retries": seen.retries,
            "longest_answer_ms": round(seen.longest_s * 1000),
            "load_problems": seen.problems,
            "snapshots": world.snapshots.reads,
            "invariants": world.invariants.reads,
            "violations": world.snapshots.violations + world.invariants.violations,
            "lost": books.lost(told),
            "stray": books.stray(told.values()),
            "doubled": books.doubled(),
            "deadlocks": world.deadlocks,
            "ended": dict(world.platform.ended),
            "rows": [
                {
                    "failpoint": row.failpoint,
                    "runtime": row.runtime,
                    "done": FAILPOINTS[row.failpoint].done,
                    "repeats": len(row.recovery_ms),
                    "hits": row.hits,
                    "violations": row.violations,
                    "lost": row.lost,
                    "doubled": row.doubled,
                    "recovery_ms_worst": max(row.recovery_ms, default=0),
                    "problems": row.problems,
                }
                for row in self._matrix.rows.values()
            ],
            "faults": [
                {"fault": one.fault, "name": one.name, "figures": one.figures, "problems": one.problems}
                for one in self._faults
            ],
        }


def _chosen_steps(options: Options) -> list[tuple[str, str]]:
    every = steps()
    if options.short:
        return [step for step in every if step[0] in SHORT]
    return [step for step in every if re.search(options.only, f"{step[0]} {step[1]}")]


def _chosen_faults(options: Options) -> Sequence[Scenario]:
    if options.short:
        return SCENARIOS[:SHORT_FAULTS]
    return [one for one in SCENARIOS if re.search(options.only, f"{one[0]} {one[2].__name__}")]


def _said(printed: str) -> str:
    """Return what a check has found, in one line."""
    if found := _CHECKED.search(printed):
        return found.group()
    lines: list[Any] = [line for line in printed.splitlines() if line.strip()]
    red = [line for line in lines if not line.endswith(": 0")]
    return "; ".join(red) or f"{len(lines)} invariants, all 0"
