"""The payout's formula ``payout/1`` (rules 5): exact, bounded, slow to move, and no single user's game."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.payouts import PAYOUT_1, WeighedOrder, recalculated

BOUNDS = {"fixed": 85, "least": 70, "most": 95}

users = st.integers(1, 12).map(lambda number: UUID(int=number))
orders_of = st.lists(st.tuples(users, st.integers(1, 10**9), st.booleans()), max_size=60)


@st.composite
def terms(draw: st.DrawFn) -> dict[str, int]:
    """Draw what the table of symbols allows: 50 <= least <= fixed, current <= most <= 98."""
    least, most = sorted(draw(st.tuples(st.integers(50, 98), st.integers(50, 98))))
    within = st.integers(least, most)
    return {"least": least, "most": most, "fixed": draw(within), "current": draw(within)}


def orders(*groups: tuple[int, int, int, int]) -> list[WeighedOrder]:
    """Return orders by (user, stake, how many won, how many lost)."""
    made: list[WeighedOrder] = []
    for user, stake, won, lost in groups:
        made += [(UUID(int=user), stake, True)] * won + [(UUID(int=user), stake, False)] * lost
    return made


def settled(made: list[WeighedOrder], **terms: int) -> tuple[int, dict[str, Any]]:
    """Return the payout that is reached by and by, and the figures of the last step."""
    current = terms.pop("current", BOUNDS["fixed"])
    while True:
        percent, inputs = recalculated(made, **(BOUNDS | terms), current=current)
        if percent == current:
            return percent, inputs
        current = percent


def by_hand(made: list[WeighedOrder]) -> tuple[Fraction, Fraction]:
    """Return W and N as the documentation words them, order by order."""
    total = sum(stake for _, stake, _ in made)
    won_weight = all_weight = Fraction(0)
    for user, stake, won in made:
        of_user = sum(other for who, other, _ in made if who == user)
        scaled = stake * min(Fraction(1), Fraction(total, 10) / of_user)
        all_weight += scaled
        won_weight += scaled * won
    return won_weight, all_weight


# Ten users of one order each: their weights are the stakes, as none is above a tenth of them all.
EVEN = [(user, 1_000, 0, 1) for user in range(1, 11)]

CASES: list[tuple[str, list[WeighedOrder], int | None, int]] = [
    ("nobody has traded", [], None, 85),
    ("two of ten won: 100 - 20", orders(*EVEN[:8], (9, 1_000, 1, 0), (10, 1_000, 1, 0)), 80, 80),
    ("one of fifteen won: 93.33 is floored", orders((1, 1, 1, 0), *((user, 1, 0, 1) for user in range(2, 16))), 93, 93),
    ("nobody won: the highest", orders(*EVEN), 100, 95),
    ("everybody won: the lowest", orders(*((user, 1_000, 1, 0) for user in range(1, 11))), 0, 70),
    (
        "stakes weigh, not orders: five of twenty orders, a sixth of the stakes",
        orders(*((user, 12, 1, 0) for user in range(1, 6)), *((user, 20, 0, 1) for user in range(6, 21))),
        *(83, 83),
    ),
    ("nine orders", orders(*EVEN[:9]), 100, 85),
    ("ten orders of four users", orders((1, 1, 0, 3), (2, 1, 0, 3), (3, 1, 0, 2), (4, 1, 0, 2)), 100, 85),
    ("ten orders of five users", orders(*((user, 1, 0, 2) for user in range(1, 6))), 100, 95),
]


@pytest.mark.parametrize(("made", "raw", "target"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_target_of_known_orders(made: list[WeighedOrder], raw: int | None, target: int) -> None:
    """Rules 5: raw = floor(100 - 100 W / N); fewer than 10 orders or 5 users: the fixed percent."""
    percent, inputs = settled(made)
    assert percent == inputs["target"] == target
    if raw is not None:
        assert inputs["raw"] == raw


def test_the_worked_example_of_the_documentation() -> None:
    """docs/rules/payouts.md: a user with 60 % of the stakes weighs a tenth of them, won and lost parts alike."""
    made = orders((1, 6_000, 1, 0), *((user, 400, 0, 1) for user in range(2, 11)), (11, 400, 1, 0))
    percent, inputs = recalculated(made, **BOUNDS, current=85)
    assert (inputs["won_weight"], inputs["total_weight"], inputs["raw"]) == ("1400", "5000", 72)
    assert (inputs["orders"], inputs["users"], inputs["target"], inputs["previous"]) == (11, 11, 72, 85)
    assert percent == 83


def test_a_users_won_and_lost_parts_are_scaled_alike() -> None:
    """Rules 5: the cap takes no side; who won half of his stakes still has won half of his weight."""
    even, _ = settled(orders((1, 1_000_000, 1, 1), *((user, 10, 1, 1) for user in range(2, 12))), least=50)
    assert even == 50


@given(orders_of, terms())
def test_the_payout_stays_within_its_bounds_and_moves_slowly(made: list[WeighedOrder], asked: dict[str, int]) -> None:
    """Rules 5: least <= payout <= most, and at most two points from one minute to the next."""
    percent, inputs = recalculated(made, **asked)
    assert asked["least"] <= percent <= asked["most"]
    assert abs(percent - asked["current"]) <= PAYOUT_1.step_max
    assert abs(inputs["target"] - percent) <= abs(inputs["target"] - asked["current"])


@given(orders_of, terms())
def test_a_stranger_can_recompute_it(made: list[WeighedOrder], asked: dict[str, int]) -> None:
    """Rules 5: formula and inputs are public; W and N follow from the words of the rule."""
    percent, inputs = recalculated(made, **asked)
    won, total = Fraction(inputs["won_weight"]), Fraction(inputs["total_weight"])
    assert (won, total) == by_hand(made)
    raw = (100 * total - 100 * won) // total if total else None
    assert inputs["raw"] == raw
    enough = inputs["orders"] >= 10 and inputs["users"] >= 5
    target = inputs["fixed"] if raw is None or not enough else max(inputs["min"], min(raw, inputs["max"]))
    assert inputs["target"] == target
    assert percent == max(inputs["previous"] - 2, min(target, inputs["previous"] + 2))


@given(st.data(), orders_of, terms())
def test_the_order_of_the_orders_does_not_matter(
    data: st.DataObject, made: list[WeighedOrder], asked: dict[str, int]
) -> None:
    """Principle 4: a pure function of the set of orders, whatever the database returns first."""
    shuffled = data.draw(st.permutations(made))
    assert recalculated(made, **asked) == recalculated(shuffled, **asked)


@given(orders_of.filter(bool), users)
def test_one_user_weighs_a_tenth_of_all_stakes_at_most(made: list[WeighedOrder], user: UUID) -> None:
    """Rules 5: whether a user has won or lost everything moves W by at most a tenth of the stakes of all."""
    lost = [(who, stake, won and who != user) for who, stake, won in made]
    won = [(who, stake, won or who == user) for who, stake, won in made]
    weights = [Fraction(recalculated(one, **BOUNDS, current=85)[1]["won_weight"]) for one in (lost, won)]
    assert 0 <= weights[1] - weights[0] <= Fraction(sum(stake for _, stake, _ in made), 10)


@given(orders_of, st.integers(2, 10**6))
def test_the_unit_of_stakes_does_not_matter(made: list[WeighedOrder], factor: int) -> None:
    """Rules 5: a ratio of stakes; the same orders in cents and in dollars pay the same."""
    larger = [(user, stake * factor, won) for user, stake, won in made]
    assert recalculated(made, **BOUNDS, current=85)[0] == recalculated(larger, **BOUNDS, current=85)[0]


def test_bounds_that_were_just_moved_come_before_the_step() -> None:
    """Rules 5, constraint of the table: the payout never leaves its bounds, be the step larger than two points."""
    assert recalculated([], fixed=60, least=55, most=65, current=85)[0] == 65
