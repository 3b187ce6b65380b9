"""The kill matrix: every named step is in it, and a short one holds on real processes (F-01 to F-03, F-08, F-09)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.faults import drives
from bench.faults.drives import drive_of, steps
from bench.faults.options import SHORT
from kernel.failpoints import FAILPOINTS, Step

ROOT = Path(__file__).resolve().parents[2]
RUN_LIMIT_S = 280
real = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(RUN_LIMIT_S + 20), pytest.mark.xdist_group("faults")]


def test_every_step_is_in_the_matrix() -> None:
    """Issue 4: the matrix is enumerated from the registry; each step of each runtime has a way to be reached."""
    assert {name for name, _ in steps()} == set(FAILPOINTS)
    assert all(drive_of(name, runtime) for name, runtime in steps())


def test_a_new_step_without_a_way_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 4: a step that somebody adds is a row at once, and a row that nobody can reach is an error."""
    monkeypatch.setitem(FAILPOINTS, "payout.sent", Step("the money has left", ("web",)))
    assert ("payout.sent", "web") in steps()
    with pytest.raises(LookupError, match=r"payout\.sent"):
        drive_of("payout.sent", "web")


def test_no_way_leads_nowhere() -> None:
    """A way whose steps are gone is a leftover."""
    known = {(name, runtime) for name, runtime in steps()}
    known |= {(name.partition(".")[0], runtime) for name, runtime in known}
    assert set(drives.DRIVES) <= known


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the short matrix once, as ``make soak`` runs the whole one."""
    result = tmp_path_factory.mktemp("faults") / "report.json"
    command = [sys.executable, "-m", "bench.faults", "--short", "--seed", "7", "--result", str(result)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    assert result.exists(), ended.stderr[-4_000:]
    found: dict[str, Any] = json.loads(result.read_text())
    return found


class TestTheShortMatrix:
    """One step of each runtime, each killed exactly there."""

    pytestmark = real

    def test_holds(self, report: dict[str, Any]) -> None:
        """F-01, F-02, F-03: 0 violations, 0 lost acknowledged orders, 0 double effects; every snapshot balances."""
        assert report["problems"] == []
        told = {row["failpoint"]: row for row in report["rows"]}
        assert set(told) == set(SHORT)
        assert all(row["repeats"] == 1 for row in told.values())
        assert report["orders"] > 20
        assert report["snapshots"] > 5
        assert (report["lost"], report["stray"], report["doubled"], report["deadlocks"]) == (0, 0, 0, 0)

    def test_a_lost_reply_to_commit(self, report: dict[str, Any]) -> None:
        """F-09: nobody hears of commits that are done; clients ask again with the same id and get the one order."""
        (fault,) = [fault for fault in report["faults"] if fault["fault"] == "F-09"]
        assert fault["problems"] == []
        assert fault["figures"]["commits whose reply was lost"] >= 1

    def test_an_immediate_restart_of_the_database(self, report: dict[str, Any]) -> None:
        """F-08: PostgreSQL is stopped at once under load; acknowledged but lost = 0."""
        (fault,) = [fault for fault in report["faults"] if fault["fault"] == "F-08"]
        assert fault["problems"] == []
        assert fault["figures"]["recovery, ms"] > 0
