"""The verdict on a run of the faults: everything that can be wrong turns it red, and nothing else does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from bench.faults.options import options_parsed
from bench.faults.report import BEGIN, END, page_write, report_text, verdict

ROW: dict[str, Any] = {
    "failpoint": "settle.claimed",
    "runtime": "settlement",
    "done": "due orders are claimed",
    "repeats": 2,
    "hits": [1, 3],
    "violations": 0,
    "lost": 0,
    "doubled": 0,
    "recovery_ms_worst": 412,
    "problems": [],
}
GOOD: dict[str, Any] = {
    "seed": 1,
    "seconds": 60,
    "orders": 900,
    "refused": {"market.stale": 3},
    "retries": 12,
    "longest_answer_ms": 900,
    "load_problems": [],
    "snapshots": 200,
    "invariants": 30,
    "violations": [],
    "lost": 0,
    "stray": 0,
    "doubled": 0,
    "deadlocks": 0,
    "ended": {"settlement, code 70": 1},
    "rows": [ROW],
    "faults": [{"fault": "F-08", "name": "restart", "figures": {"recovery, ms": 900}, "problems": []}],
    "checks": {"verify_ledger --full": {"code": 0, "said": "24 invariants, all 0"}},
    "problems": [],
}


def _changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | changes


def test_a_good_run_holds() -> None:
    """0 false alarms."""
    assert verdict(GOOD) == []
    assert "it holds" in report_text(GOOD)


@pytest.mark.parametrize(
    "bad",
    [
        _changed(rows=[ROW | {"violations": 1}]),
        _changed(rows=[ROW | {"lost": 1}]),
        _changed(rows=[ROW | {"doubled": 1}]),
        _changed(rows=[ROW | {"problems": ["settle.claimed is not reached"]}]),
        _changed(rows=[ROW | {"repeats": 0}]),
        _changed(faults=[GOOD["faults"][0] | {"problems": ["2 acknowledged orders are lost"]}]),
        _changed(violations=["I-05 stored balance: 1"]),
        _changed(load_problems=["faults-1 was not answered"]),
        _changed(lost=1),
        _changed(stray=1),
        _changed(doubled=1),
        _changed(deadlocks=1),
        _changed(ended={"parser, code 1": 1}),
        _changed(orders=0),
        _changed(snapshots=0),
        _changed(checks={"resettle --check": {"code": 1, "said": "checked 9, differences 1, unavailable 0"}}),
    ],
    ids=lambda bad: next(name for name in bad if bad[name] != GOOD[name]),
)
def test_each_thing_that_is_wrong_is_told(bad: dict[str, Any]) -> None:
    """A check that cannot turn red is none."""
    (problem,) = verdict(bad)
    assert problem
    assert f"FAILED {problem}" in report_text(bad | {"problems": [problem]})


def test_the_page_of_the_docs_is_written_between_its_marks(tmp_path: Path) -> None:
    """What people have written stays; the tables are those of the run, however often they are written."""
    page = tmp_path / "reliability.md"
    page.write_text(f"# Reliability\n\n{BEGIN}\nold\n{END}\n\nmore\n")
    page_write(GOOD, page)
    once = page.read_text()
    page_write(GOOD, page)
    assert page.read_text() == once
    assert once.startswith("# Reliability\n\n")
    assert once.endswith(f"{END}\n\nmore\n")
    assert "old" not in once
    assert "| settle.claimed | settlement | due orders are claimed | 2 | 0 | 0 | 0 | 412 |" in once


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    """A wrong path must not cost a page."""
    page = tmp_path / "other.md"
    page.write_text("# Other\n")
    with pytest.raises(ValueError, match="marks"):
        page_write(GOOD, page)
    assert page.read_text() == "# Other\n"


def test_a_seed_is_drawn_when_none_is_given() -> None:
    """A run can be repeated by the seed that it prints."""
    assert options_parsed(["--seed", "5", "--only", "settle"]).seed == 5
    assert options_parsed(["--short"]).short
