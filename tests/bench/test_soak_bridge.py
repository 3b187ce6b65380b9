"""The verdict on the bridge's soak: each thing that may not happen makes a run fail."""

from __future__ import annotations

from typing import Any

import pytest

from bench.soak.bridge import PER_S_MAX, borne_per_s, options_parsed, report_text, verdict

HOLDS: dict[str, Any] = {
    "asked": {"connections": 10, "sockets": 1, "per_s": 100, "seconds": 1},
    "sent": 100,
    "acknowledged": 100,
    "per_s": 99,
    "faults": {},
    "logged": 100,
    "states": {"denied risk.halted": 98, "open": 2},
    "orders": 2,
    "orders_asked": 2,
    "books": "all hold",
}


def test_a_run_that_holds_has_no_problem() -> None:
    assert verdict(HOLDS) == []
    assert report_text(HOLDS | {"problems": []}).endswith("holds")


def test_a_signal_that_was_decided_too_late_is_no_order_and_no_fault() -> None:
    """ea 5: the executor may be behind; what is stale by then is denied."""
    states = {"denied risk.halted": 98, "expired signal.stale": 1, "open": 1}
    assert verdict(HOLDS | {"states": states, "orders": 1}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"acknowledged": 99}, "99 acknowledged"),
        ({"logged": 101}, "101 in the log"),
        ({"faults": {"duplicate": 1}}, "duplicate: 1"),
        ({"states": {"denied risk.halted": 97, "denied symbol.unknown": 1, "open": 2}}, "symbol.unknown"),
        ({"states": {"denied risk.halted": 98, "open": 1}, "orders": 1}, "2 orders asked for"),
        ({"states": {"denied risk.halted": 98, "expired signal.stale": 2}, "orders": 0}, "2 orders asked for"),
        ({"orders": 3}, "3 orders for 2 signals"),
        ({"per_s": 97}, "97 a second of 100"),
        ({"books": "I-34: 1"}, "I-34"),
    ],
)
def test_what_may_not_happen_is_said(changed: dict[str, Any], said: str) -> None:
    """I-34: acknowledged once, logged once, one answer each, and the books hold."""
    (problem,) = verdict(HOLDS | changed)
    assert said in problem
    assert f"FAILED {problem}" in report_text(HOLDS | changed | {"problems": [problem]})


def test_the_usual_size_is_what_the_machine_bears_of_a_thousand_connections() -> None:
    asked = options_parsed([])
    assert (asked.connections, asked.per_s, asked.seconds, asked.orders_per_s) == (1_000, None, 60, 20)


@pytest.mark.parametrize(
    ("echo_us", "processors", "per_s"), [(25.0, 2, 2_600), (12.5, 2, 5_300), (25.0, 4, 5_300), (5.0, 8, PER_S_MAX)]
)
def test_a_machine_that_is_twice_as_fast_is_asked_for_twice_as_much(
    echo_us: float, processors: int, per_s: int
) -> None:
    """Absolute rates say nothing of us: what is asked for is reckoned from what a bare echo costs in the same run."""
    assert borne_per_s(echo_us, processors) == per_s


@pytest.mark.parametrize("wrong", [["--connections", "1001"], ["--sockets", "1001"], ["--orders-per-s", "0"]])
def test_a_size_that_cannot_be_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        options_parsed(wrong)
