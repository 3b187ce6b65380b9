"""What a number of settled orders is worth saying about them: shares with intervals, never a share alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from math import sqrt

# The 97.5th percentile of the normal distribution: 95 % lie between it and its negative.
Z = 1.959964
# Of fewer orders that were won or lost nothing is concluded.
FEW = 30
# The most seconds of each bucket of durations; the last one has no bound.
DURATION_BOUNDS_S = (15, 60, 300, 900, 3_600)


class Verdict(StrEnum):
    """How a share of won orders stands to the one that the payouts ask for."""

    TOO_FEW = "too_few"
    ABOVE = "above"
    BELOW = "below"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Tally:
    """Settled orders, counted; money in minor units.

    :param stakes: of won and lost orders, as is ``payouts``
    :param weighted: sum of stake x payout percent of won and lost orders
    """

    won: int = 0
    lost: int = 0
    tied: int = 0
    refunded: int = 0
    stakes: int = 0
    payouts: int = 0
    weighted: int = 0

    @property
    def decided(self) -> int:
        """Return how many were won or lost: ties and refunds say nothing about being right."""
        return self.won + self.lost

    @property
    def orders(self) -> int:
        """Return how many were settled."""
        return self.decided + self.tied + self.refunded

    @property
    def profit(self) -> int:
        """Return what they brought; ties and refunds bring nothing."""
        return self.payouts - self.stakes


def wilson(part: int, whole: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a share in percent, None of nothing.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if whole == 0:
        return None
    share, square = part / whole, Z * Z
    middle = share + square / (2 * whole)
    half = Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    low, high = ((middle + sign * half) / (1 + square / whole) for sign in (-1, 1))
    return 100 * max(low, 0.0), 100 * min(high, 1.0)


def break_even(tally: Tally) -> Decimal | None:
    """Return the share of won orders in percent at which these stakes and payouts gain and lose nothing.

    With the same chance p of winning each: sum of stake x (p x (1 + payout) - 1) = 0.
    """
    if tally.stakes == 0:
        return None
    return Decimal(10_000 * tally.stakes) / Decimal(100 * tally.stakes + tally.weighted)


def verdict(tally: Tally) -> Verdict:
    """Say whether the share of won orders is above what the payouts ask for, or whether that cannot be told."""
    interval, needed = wilson(tally.won, tally.decided), break_even(tally)
    if interval is None or needed is None or tally.decided < FEW:
        return Verdict.TOO_FEW
    if Decimal(interval[0]) > needed:
        return Verdict.ABOVE
    return Verdict.BELOW if Decimal(interval[1]) < needed else Verdict.UNCLEAR


def ratio(part: int, whole: int, places: int) -> Decimal | None:
    """Return a quotient rounded once, half to even; None of nothing."""
    return None if whole == 0 else rounded(Decimal(part) / Decimal(whole), places)


def rounded(value: Decimal, places: int) -> Decimal:
    """Return a value rounded half to even."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
