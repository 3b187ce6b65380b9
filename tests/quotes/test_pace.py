"""How long a feed gathers: a tick is told within the window, and a slow database is not asked for much more."""

from __future__ import annotations

import pytest

from quotes.pace import Pace

WINDOW_S = 0.05


def learned(*took_s: float) -> Pace:
    pace = Pace(window_s=WINDOW_S)
    for one_s in took_s:
        pace.wrote(one_s)
    return pace


def test_before_the_first_write_the_window_is_whole() -> None:
    assert learned().rest_s(0.0) == WINDOW_S
    assert learned().rest_s(0.03) == pytest.approx(0.02)


def test_what_came_first_after_a_write_is_written_by_the_end_of_the_window() -> None:
    usual_s = 0.006

    rest_s = learned(*[usual_s] * 60).rest_s(0.0)

    assert rest_s + usual_s == pytest.approx(WINDOW_S, abs=0.0001)


def test_slow_writes_take_no_more_than_a_fifth_of_the_window() -> None:
    assert learned(*[3.0] * 60).rest_s(0.0) == pytest.approx(0.8 * WINDOW_S, abs=0.0001)


def test_one_write_that_stood_still_is_soon_forgotten() -> None:
    assert learned(*[0.002] * 60, 30.0).rest_s(0.0) == pytest.approx(WINDOW_S - 0.003, abs=0.0001)


def test_a_window_that_is_over_waits_no_more() -> None:
    assert learned(0.004).rest_s(0.2) == 0.0
