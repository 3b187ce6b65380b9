"""How many orders one settlement batch takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

LIMIT_START, LIMIT_MIN, LIMIT_MAX = 100, 25, 2_000
# A batch holds its wallets' locks about this long, so that traders in it do not stall.
HELD_TARGET_S = 0.016


@dataclass(slots=True)
class HeldClock:
    """How long a batch held wallets that traders wait for: from the lock to the end of its commit.

    What a batch reads and decides before it locks them keeps nobody waiting, and what it publishes afterwards neither.
    """

    held_s: float = 0.0
    _locked_s: float | None = None

    def lock(self) -> None:
        """Note that wallets are about to be locked."""
        self._locked_s = time.monotonic()

    def release(self) -> None:
        """Note that they are free again."""
        if self._locked_s is not None:
            self.held_s, self._locked_s = time.monotonic() - self._locked_s, None


@dataclass(slots=True)
class BatchSize:
    """Grows while full batches are quick and shrinks when one holds its locks too long."""

    limit: int = LIMIT_START

    def observe(self, *, settled: int, held_s: float) -> None:
        """Learn from a batch of ``settled`` orders that took ``held_s`` seconds; a small one tells nothing."""
        if settled < self.limit:
            return
        wanted = self.limit * HELD_TARGET_S / max(held_s, 1e-6)
        # At most doubled or halved at once: one slow flush says little about the next.
        bounded = min(max(wanted, self.limit / 2), self.limit * 2)
        self.limit = int(min(max(bounded, LIMIT_MIN), LIMIT_MAX))


# How long an order that failed by itself is left alone before it is tried again.
SET_ASIDE_S = 30.0


class SetAside:
    """Finds the order that makes a batch fail, and keeps it out of the way of the others.

    After a failure as many orders as the batch had are settled one by one; the one that fails alone is set aside for a
    while. It stays open, counts as late (I-19), and is settled by the same rule once its cause is mended.

    :param until_s: the orders set aside with the instant of their next try; several of these may share it
    """

    def __init__(self, until_s: dict[UUID, float] | None = None) -> None:
        self._one_by_one = 0
        self._until_s = {} if until_s is None else until_s

    def limit(self, limit: int) -> int:
        """Return how many orders to take now."""
        return 1 if self._one_by_one else limit

    def orders(self, now_s: float) -> list[UUID]:
        """Return the orders to leave alone now; those whose time is over are tried again."""
        for order, until_s in list(self._until_s.items()):
            if until_s <= now_s:
                self._until_s.pop(order, None)
        return list(self._until_s)

    def failed(self, orders: Sequence[UUID], now_s: float) -> None:
        """Learn from a failed batch."""
        if len(orders) == 1:
            self._until_s[orders[0]] = now_s + SET_ASIDE_S
            self._one_by_one = max(0, self._one_by_one - 1)
        else:
            self._one_by_one = len(orders)

    def settled(self, count: int) -> None:
        """Learn from a batch that went well."""
        self._one_by_one = max(0, self._one_by_one - count) if count else 0
