"""The arithmetic of the benchmarks, and that pgbench is given the platform's own statements."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.ratios.measures import (
    Ratio,
    Row,
    Slice,
    at_least,
    at_most,
    costs,
    interleaved,
    percentile,
    rates,
    ratio_of,
)
from bench.ratios.report import bound_shown, cells, table


def _row(median: float) -> Row:
    return Row("f", "1/s", "limit", "2/s", Ratio(median, 0.4, 0.9), "share", at_least(0.5), at_least(0.75))


def test_a_ratio_is_the_median_over_rounds_with_its_spread() -> None:
    ratio = ratio_of([10.0, 40.0, 30.0], [20.0, 50.0, 10.0])

    assert ratio == Ratio(0.8, 0.5, 3.0)


def test_a_round_without_a_figure_to_compare_with_is_left_out() -> None:
    assert ratio_of([10.0, 5.0], [0.0, 10.0]) == Ratio(0.5, 0.5, 0.5)
    assert ratio_of([10.0], [0.0]) == Ratio(0.0, 0.0, 0.0)


def test_rates_and_costs_are_those_of_a_slice() -> None:
    one = Slice(operations=200, wall_s=4.0, cpu_s={"python": 0.01, "postgres": 0.03})

    assert rates([one]) == [50.0]
    assert costs([one]) == [pytest.approx(200.0)]


def test_contestants_have_their_turns_in_both_orders() -> None:
    """What drifts during a run hits all of them alike."""
    turns: list[str] = []

    def turn(name: str) -> Slice:
        turns.append(name)
        return Slice(1, 1.0)

    found = interleaved(3, {"a": lambda: turn("a"), "b": lambda: turn("b")})

    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(slices) for name, slices in found.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("median", "verdict"),
    [(0.49, "falls short"), (0.5, "reached"), (0.74, "reached"), (0.75, "aim reached")],
)
def test_a_verdict_compares_the_median_with_both_bounds(median: float, verdict: str) -> None:
    assert _row(median).verdict == verdict


def test_an_upper_bound_is_reached_from_below() -> None:
    row = replace(_row(4.1), required=at_most(4), aim=at_most(2.5), shown="times")

    assert row.verdict == "falls short"
    assert replace(row, ratio=Ratio(4.0, 1, 5)).verdict == "reached"
    assert bound_shown(row.required, "times") == "<= 4.0x"


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(number) for number in range(100, 0, -1)]

    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([], 0.5)) == (51.0, 100.0, 0.0)


def test_the_table_has_each_row_and_its_note() -> None:
    row = replace(_row(0.6), note="told below")

    shown = table([row])

    assert all(cell in shown for cell in cells(row))
    assert shown.endswith("- f: told below")


def test_pgbench_is_given_the_statements_of_placement_and_nothing_is_left_open() -> None:
    """The limit of placement is that of the very statements that the platform sends."""
    from bench.ratios.limits import placement_script
    from bench.ratios.stock import Stock
    from trading import statements

    script = placement_script(Stock("", users=10, filled_ms=1, first_ms=1, still={"P00": 1}))

    bare = re.compile(r"%\(\w+\)s|:\w+(::bigint)?")
    words = set(re.findall(r"[a-z_]{4,}", bare.sub("", statements.WALLET_LOCK + statements.FACTS + statements.PLACE)))
    assert words <= set(re.findall(r"[a-z_]{4,}", script))
    assert "%(" not in script
    assert script.count(";\n") == 5
