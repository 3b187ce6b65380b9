"""Shares, intervals and what is concluded of them, against figures reckoned by hand or printed elsewhere."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trading.figures import FEW, Tally, Verdict, break_even, ratio, verdict, wilson


@pytest.mark.parametrize(
    ("part", "whole", "interval"),
    [
        # R: prop.test(correct = FALSE); Wilson's own table for 15 of 20.
        (15, 20, (53.13, 88.81)),
        (0, 10, (0.0, 27.75)),
        (10, 10, (72.25, 100.0)),
        (1, 1, (20.65, 100.0)),
        (50, 100, (40.38, 59.62)),
        (81, 263, (25.53, 36.62)),
    ],
)
def test_wilson_is_the_interval_of_the_books(part: int, whole: int, interval: tuple[float, float]) -> None:
    """Newcombe 1998 (81 of 263), and others: the 95 % score interval without correction."""
    found = wilson(part, whole)
    assert found is not None
    assert found == pytest.approx(interval, abs=0.006)


def test_nothing_has_no_interval_and_no_share() -> None:
    """Of no decided order there is no share: null, never 0 %."""
    assert (wilson(0, 0), break_even(Tally(tied=3, refunded=2)), ratio(1, 0, 2)) == (None, None, None)


def test_break_even_is_weighted_by_stake() -> None:
    """10.00 at 85 % and 30.00 at 70 %: 40 / (40 + 8.5 + 21) = 57.55 %."""
    tally = Tally(won=1, lost=1, stakes=4_000, payouts=1_850, weighted=1_000 * 85 + 3_000 * 70)
    found = break_even(tally)
    assert found is not None
    assert found.quantize(Decimal("0.01")) == Decimal("57.55")
    assert break_even(Tally(won=1, stakes=1_000, payouts=1_850, weighted=85_000)) == Decimal(100) / Decimal("1.85")


@pytest.mark.parametrize(
    ("won", "lost", "told"),
    [
        (29, 0, Verdict.TOO_FEW),
        (30, 0, Verdict.ABOVE),
        (0, 30, Verdict.BELOW),
        # 17 of 30 is 39.2 to 72.6 %, and 54.05 % lies in it.
        (17, 13, Verdict.UNCLEAR),
        # 600 of 1000 is 56.9 to 63.0 %.
        (600, 400, Verdict.ABOVE),
        (480, 520, Verdict.BELOW),
        (540, 460, Verdict.UNCLEAR),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(won: int, lost: int, told: Verdict) -> None:
    """Above or below break-even (54.05 % at 85 %) is said only when the interval does not reach it."""
    stakes = 1_000 * (won + lost)
    tally = Tally(won=won, lost=lost, tied=9, stakes=stakes, payouts=1_850 * won, weighted=85 * stakes)
    assert verdict(tally) is told
    assert tally.decided == won + lost
    assert FEW == 30


def test_a_quotient_is_rounded_once_half_to_even() -> None:
    """Money for each order is told with more places, and never passes through a float."""
    assert (ratio(1, 8, 2), ratio(3, 8, 2), ratio(-1, 3, 4)) == (Decimal("0.12"), Decimal("0.38"), Decimal("-0.3333"))
