"""The payout of a symbol, ``payout/1``: a pure function of the orders that were won and lost lately (rules 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PayoutRule:
    """The constants of a version of the rule; another value is another version."""

    version: str
    window_ms: int
    user_weight_percent_max: int
    orders_min: int
    users_min: int
    step_max: int


PAYOUT_1 = PayoutRule(
    version="payout/1",
    window_ms=30 * 60_000,
    user_weight_percent_max=10,
    orders_min=10,
    users_min=5,
    step_max=2,
)

# Whose order it was, its stake in minor units, and whether it was won.
WeighedOrder = tuple[UUID, int, bool]


def recalculated(
    orders: Sequence[WeighedOrder], *, fixed: int, least: int, most: int, current: int
) -> tuple[int, dict[str, Any]]:
    """Return the payout that follows on ``current``, and the figures it came from.

    Exact: whole numbers and fractions only. The order of the orders does not matter.

    :param orders: the won and lost orders of the real ledger in the window
    :param fixed: the payout while there are too few orders or users, in percent like all others
    """
    users = len({user_id for user_id, _, _ in orders})
    won, total = _weights(orders)
    raw = floor(100 - 100 * won / total) if total else None
    enough = raw is not None and len(orders) >= PAYOUT_1.orders_min and users >= PAYOUT_1.users_min
    target = _clamped(raw, least, most) if raw is not None and enough else fixed
    stepped = _clamped(target, current - PAYOUT_1.step_max, current + PAYOUT_1.step_max)
    # Where an operator has just moved the bounds they come before the step.
    percent = _clamped(stepped, least, most)
    inputs = {
        "rule": PAYOUT_1.version,
        "orders": len(orders),
        "users": users,
        "won_weight": str(won),
        "total_weight": str(total),
        "raw": raw,
        "fixed": fixed,
        "min": least,
        "max": most,
        "target": target,
        "previous": current,
    }
    return percent, inputs


def _weights(orders: Sequence[WeighedOrder]) -> tuple[Fraction, Fraction]:
    """Return W and N: the stakes won and all stakes, in minor units, each user's scaled down to the cap."""
    stakes: dict[UUID, int] = {}
    won: dict[UUID, int] = {}
    for user_id, stake, was_won in orders:
        stakes[user_id] = stakes.get(user_id, 0) + stake
        won[user_id] = won.get(user_id, 0) + (stake if was_won else 0)
    cap = Fraction(sum(stakes.values()) * PAYOUT_1.user_weight_percent_max, 100)
    won_weight = total_weight = Fraction(0)
    for user_id, staked in stakes.items():
        weight = min(Fraction(staked), cap)
        total_weight += weight
        won_weight += weight * won[user_id] / staked
    return won_weight, total_weight


def _clamped(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))
