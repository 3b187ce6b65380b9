"""The seeded simulator: the correct build holds, every defect is found, and one integer replays a run (issue 4)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.simulator.__main__ import main
from bench.simulator.database import Database, LockTimeoutError, Session, SessionGoneError, UniqueError
from bench.simulator.mutants import MUTANTS
from bench.simulator.run import Result, simulated
from bench.simulator.world import Finding, Process, Step, Steps, Wait, World

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(1, 101)
# No defect may hide for longer than this.
SEEDS_TO_FIND = 40
MUST_BE_SEEN = (
    *(
        "led",
        "parser stopped",
        "database restarted",
        "clock stepped",
        "fence raised",
        "repeated",
        "entered",
        "accepted",
    ),
    *("declared closed", "declared open", "upstream: freeze", "upstream: silence", "upstream: only signs of life"),
    *(f"settled: {state}" for state in ("won", "lost", "tied", "refunded")),
    *(f"refunded: {why}" for why in ("no_entry_tick", "price_moved", "feed_closed", "no_tick", "stale_tick")),
    *(f"refused: {why}" for why in ("duplicate", "out_of_order", "late", "future", "outlier", "clock")),
    *(f"refused: {why}" for why in ("not_finite", "not_positive", "out_of_range")),
    *(f"answer: {code}" for code in ("market.stale", "market.closed", "market.halted", "order.price_moved")),
    *(f"answer: {code}" for code in ("wallet.insufficient_funds", "order.client_order_id.reused", "symbol.unknown")),
    *(f"crash: {step}" for step in ("has claimed due orders", "holds wallets", "commits settlements")),
    *(f"crash: {step}" for step in ("has committed settlements", "has claimed entries", "commits entries")),
    *(f"crash: {step}" for step in ("commits the fence", "commits the order", "has committed the order")),
    *(f"crash: {step}" for step in ("has taken what was received", "commits ticks", "has committed ticks")),
)


# The runs of the correct build are made once, on one worker.
together = pytest.mark.xdist_group("simulator")


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [simulated(seed) for seed in SEEDS]


@together
def test_the_correct_build_has_no_findings(results: list[Result]) -> None:
    """I-01 to I-05, I-11 to I-20, I-23; F-02, F-12, F-14, F-16, F-27: whatever happens, every rule holds."""
    found = [f"seed {result.seed}: {one}" for result in results for one in result.findings]

    assert found == []
    assert sum(result.orders for result in results) > 5 * len(SEEDS)


@together
def test_everything_that_the_simulator_is_for_happens(results: list[Result]) -> None:
    """A run in which nothing goes wrong proves nothing: each disturbance, refusal and end was met."""
    seen = sum((result.seen for result in results), Counter[str]())

    assert [name for name in MUST_BE_SEEN if not seen[name]] == []


@pytest.mark.parametrize("name", MUTANTS)
def test_each_defect_is_found_by_its_rule(name: str) -> None:
    """The judges of the simulator are shown to turn red, each on the defect that it is for."""
    mutant = MUTANTS[name]

    runs = (simulated(seed, build=mutant.build, first=True) for seed in range(1, SEEDS_TO_FIND + 1))
    found: list[Finding] = next((result.findings for result in runs if result.findings), [])

    assert found, f"{name} is not found in {SEEDS_TO_FIND} seeds"
    assert found[0].rule in mutant.found_by


@together
def test_a_seed_is_the_same_run_in_another_process(results: list[Result]) -> None:
    """One integer decides everything: neither the process nor the order of its hashes does."""
    environ = {**os.environ, "PYTHONHASHSEED": "271828"}

    ended = subprocess.run(
        [sys.executable, "-m", "bench.simulator", "--seed", str(results[0].seed)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert ended.stdout.splitlines()[-1].endswith(f"digest {results[0].digest:016x}")


@together
def test_tracing_changes_nothing_and_tells_every_step(results: list[Result]) -> None:
    traced = simulated(results[0].seed, tracing=True)

    assert traced.digest == results[0].digest
    assert any("commits settlements" in line for line in traced.trace)


def test_a_failure_is_printed_with_its_seed_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """What fails can be read and run again."""
    code = main(["--seeds", "1..3", "--mutant", "settle-by-the-clock"])

    printed = capsys.readouterr().out
    assert code == 1
    assert "I-16: order" in printed
    assert "again: python -m bench.simulator --seed 1 --mutant settle-by-the-clock --trace" in printed


def test_a_run_can_be_cut_short() -> None:
    """What must hold at any moment is judged after any number of steps."""
    cut = simulated(3, steps=2_000)

    assert cut.findings == []
    assert cut.digest != simulated(3).digest


# --- the simulated database and its processes -------------------------------------------------------


def _session(world: World | None = None) -> Session:
    return Session(Database(world or World(1)), "test")


def test_nothing_is_seen_before_its_commit_and_all_of_it_after() -> None:
    session, other = _session(), None
    other = Session(session.database, "other")
    writing, reading = session.begin(), other.begin()

    writing.write("t", 1, "new")
    before = reading.read("t", 1)
    writing.commit()

    assert (before, reading.read("t", 1)) == (None, "new")


def test_a_key_is_taken_once_even_by_two_at_a_time() -> None:
    session = _session()
    first, second = session.begin(), Session(session.database, "other").begin()
    first.insert("t", 1, "a")
    second.insert("t", 1, "b")
    first.commit()

    with pytest.raises(UniqueError):
        second.commit()
    assert session.database.table("t") == {1: "a"}


def test_a_row_lock_waits_for_its_holder_and_then_shows_the_newest_row() -> None:
    world = World(1)
    holder, waiter, seen = _session(world), None, []
    waiter = Session(holder.database, "waiter")

    def hold() -> Steps:
        transaction = holder.begin()
        yield from transaction.lock("t", [1])
        yield Step("holds", 100)
        transaction.write("t", 1, "new")
        transaction.commit()

    def wait() -> Steps:
        yield Step("comes later", 10)
        transaction = waiter.begin()
        yield from transaction.lock("t", [1])
        seen.append((world.now_ms, transaction.read("t", 1)))
        transaction.commit()

    world.live(Process("hold", hold))
    world.live(Process("wait", wait))
    world.run(1_000)

    assert seen == [(100, "new")]
    assert holder.database.locks == {}


def test_a_wait_for_a_lock_has_an_end() -> None:
    world = World(1)
    holder, ended = _session(world), []
    assert holder.begin().try_lock("t", 1)
    transaction = Session(holder.database, "waiter").begin()

    def wait() -> Steps:
        try:
            yield from transaction.lock("t", [1], 2_000)
        except LockTimeoutError:
            ended.append(world.now_ms)

    world.live(Process("wait", wait))
    world.run(5_000)

    assert ended == [2_000]


def test_a_session_that_ends_takes_its_work_and_its_locks_with_it() -> None:
    session = _session()
    transaction = session.begin()
    assert transaction.try_lock("t", 1)
    assert session.lead("feed")
    transaction.write("t", 1, "never")

    session.end()

    with pytest.raises(SessionGoneError):
        transaction.commit()
    assert session.database.table("t") == {}
    assert (session.database.locks, session.database.leaders) == ({}, {})


def test_a_process_that_is_stopped_goes_on_later_and_one_that_is_killed_starts_anew() -> None:
    world, came = World(1), []

    def run() -> Steps:
        came.append(("starts", world.now_ms))
        yield Step("works", 10)
        came.append(("has worked", world.now_ms))
        yield Wait("word", 500)
        came.append(("goes on", world.now_ms))

    process = Process("one", run)
    world.live(process)
    world.later(5, lambda: world.stop(process, 100))
    world.later(300, lambda: world.crash(process, 50))
    world.run(2_000)

    assert came == [
        ("starts", 0),
        ("has worked", 105),
        ("starts", 350),
        ("has worked", 360),
        ("goes on", 860),
    ]
