"""Groups of clients compared, as pure arithmetic: no clock, no store, nothing that knows whose orders they were.

Times are whole microseconds, counted in buckets: bucket k holds the times from ``BOUNDS_US[k - 1]`` on that are below
``BOUNDS_US[k]``; the last bucket holds whatever is longer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

# Eight bounds to each doubling, from 64 microseconds to 67 seconds: a figure is off by at most a tenth.
BOUNDS_US = tuple(round(64 * 2 ** (step / 8)) for step in range(161))
BUCKETS = len(BOUNDS_US) + 1
# A group of fewer clients is not shown: its figures would be somebody's.
CLIENTS_MIN = 5


def bucket_of(handled_us: int) -> int:
    """Return the bucket that a time is counted in."""
    return bisect_right(BOUNDS_US, handled_us)


def bucket_below_us(bucket: int) -> int | None:
    """Return what all times of a bucket lie below; None for the last one."""
    return BOUNDS_US[bucket] if bucket < len(BOUNDS_US) else None


@dataclass(slots=True)
class Figures:
    """What is known of the orders of a group of clients; sums, so that days add up.

    :param latencies: orders by the bucket of the time they took; orders without a measured time are left out
    :param refusals: refused orders by code
    :param settled: orders whose end is known
    :param refunds: those of them that were refunded, by reason
    """

    clients: int = 0
    orders: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    refusals: Counter[str] = field(default_factory=Counter)
    settled: int = 0
    refunds: Counter[str] = field(default_factory=Counter)
    payout_sum: int = 0
    last_entries: int = 0
    last_age_ms: int = 0
    next_entries: int = 0
    next_wait_ms: int = 0

    @property
    def timed(self) -> int:
        """Orders with a measured time."""
        return sum(self.latencies)

    @property
    def refused(self) -> int:
        """Refused orders."""
        return self.refusals.total()

    @property
    def refusal_percent(self) -> Fraction | None:
        """Refused orders in percent of all that were sent."""
        return percent(self.refused, self.orders + self.refused)

    @property
    def refund_percent(self) -> Fraction | None:
        """Refunded orders in percent of those whose end is known."""
        return percent(self.refunds.total(), self.settled)

    @property
    def payout_percent(self) -> Fraction | None:
        """The mean payout that orders were accepted with."""
        return Fraction(self.payout_sum, self.orders) if self.orders else None

    def latency_us(self, rank_percent: int) -> int | None:
        """Return what the given percentage of times lies below; None without times, or in the last bucket."""
        return quantile_us(self.latencies, rank_percent)


def figures_added(parts: Iterable[Figures]) -> Figures:
    """Return the sums of several days or groups; clients are counted as often as they appear."""
    total = Figures()
    for part in parts:
        total.clients += part.clients
        total.orders += part.orders
        total.latencies = [left + right for left, right in zip(total.latencies, part.latencies, strict=True)]
        total.refusals.update(part.refusals)
        total.settled += part.settled
        total.refunds.update(part.refunds)
        total.payout_sum += part.payout_sum
        total.last_entries += part.last_entries
        total.last_age_ms += part.last_age_ms
        total.next_entries += part.next_entries
        total.next_wait_ms += part.next_wait_ms
    return total


def percent(part: int, whole: int) -> Fraction | None:
    """Return a share in percent; None of nothing."""
    return Fraction(100 * part, whole) if whole else None


def quantile_us(latencies: Sequence[int], rank_percent: int) -> int | None:
    """Return the bound below which the smallest time lies that ``rank_percent`` of all times do not exceed."""
    total, passed = sum(latencies), 0
    rank = -(-total * rank_percent // 100)
    for bucket, orders in enumerate(latencies):
        passed += orders
        if orders and passed >= rank:
            return bucket_below_us(bucket)
    return None


def longer_percent(first: Sequence[int], second: Sequence[int]) -> Fraction | None:
    """Return how often an order of the first group took longer than one of the second, over all pairs, in percent.

    Pairs within one bucket count half. 50 means that neither took longer; None when a group has no times.
    """
    pairs = sum(first) * sum(second)
    if not pairs:
        return None
    shorter, halves = 0, 0
    for left, right in zip(first, second, strict=True):
        halves += left * (2 * shorter + right)
        shorter += right
    return Fraction(50 * halves, pairs)


def median_compared(first: Sequence[int], second: Sequence[int]) -> int:
    """Return 1 when the first group's half-way bucket is the later one, -1 when it is the earlier one, else 0."""
    left, right = _middle(first), _middle(second)
    return (left > right) - (left < right)


def _middle(latencies: Sequence[int]) -> int:
    half, passed = -(-sum(latencies) // 2), 0
    for bucket, orders in enumerate(latencies):
        passed += orders
        if orders and passed >= half:
            return bucket
    return -1
