"""The payout function in short words, and the example of its page, which the function itself reckons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quotes.payouts import PAYOUT_1, recalculated

_MINUTES = PAYOUT_1.window_ms // 60_000
FORMULA = (
    f"Counted are the orders of the real ledger on the symbol that were won or lost in the last {_MINUTES} minutes.",
    "T is the sum of their stakes.",
    f"A user's weight is the sum of the user's stakes, at most {PAYOUT_1.user_weight_percent_max} percent of T.",
    "A larger sum is scaled down to that, its won and its lost part alike.",
    "N is the sum of all weights, W the sum of their won parts.",
    "raw = 100 - 100 x W / N, rounded down; nothing is rounded before.",
    "The target is raw within the symbol's min and max.",
    f"With fewer than {PAYOUT_1.orders_min} orders or {PAYOUT_1.users_min} users it is the symbol's fixed percent.",
    f"Each minute the payout moves towards the target by at most {PAYOUT_1.step_max} points.",
)

# So many users, the stake of the one order of each in minor units, and whether it was won.
EXAMPLE_ORDERS = ((1, 6_000, True), (9, 400, False), (1, 400, True))
EXAMPLE_TERMS = {"fixed": 85, "min": 70, "max": 95, "previous": 85}


def example() -> tuple[int, dict[str, Any]]:
    """Return the payout that follows from the example's orders, and its figures."""
    orders = [(stake, won) for users, stake, won in EXAMPLE_ORDERS for _ in range(users)]
    return recalculated(
        [(UUID(int=user), stake, won) for user, (stake, won) in enumerate(orders)],
        fixed=EXAMPLE_TERMS["fixed"],
        least=EXAMPLE_TERMS["min"],
        most=EXAMPLE_TERMS["max"],
        current=EXAMPLE_TERMS["previous"],
    )
