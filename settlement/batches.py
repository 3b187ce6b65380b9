"""Which orders one settlement batch takes, and how many."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

# Below the least, what a batch costs by itself outweighs what traders gain by its being short.
LIMIT_START, LIMIT_MIN, LIMIT_MAX = 100, 64, 2_000
# A batch holds its wallets' locks about this long, so that traders in it do not stall.
HELD_TARGET_S = 0.014


class Plan:
    """What is to be decided, wallet by wallet; batches are taken from it.

    A batch has all orders of few wallets rather than a few of many: few traders wait for it, and what is done for each
    wallet is done once.

    :param wallets: each wallet's orders, in the order in which they are to be taken
    """

    def __init__(self, wallets: Iterable[list[UUID]]) -> None:
        self._wallets = deque(wallets)
        self._alone: list[UUID] = []

    def batch(self, limit: int) -> list[UUID]:
        """Take about ``limit`` orders, and never more; none when nothing is left."""
        if self._alone:
            return [self._alone.pop()]
        taken: list[UUID] = []
        while self._wallets and len(taken) + len(self._wallets[0]) <= limit:
            taken += self._wallets.popleft()
        if self._wallets and not taken:
            # More than a batch in one wallet: the rest comes last, so that its trader does not wait batch after batch.
            orders = self._wallets.popleft()
            self._wallets.append(orders[limit:])
            taken = orders[:limit]
        return taken

    def one_by_one(self, orders: Sequence[UUID]) -> None:
        """Have orders that failed together taken again, each as a batch of its own."""
        self._alone += reversed(orders)


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
        if settled < self.limit / 2:
            return
        wanted = settled * HELD_TARGET_S / max(held_s, 1e-6)
        # At most doubled or halved at once: one slow flush says little about the next.
        bounded = min(max(wanted, self.limit / 2), self.limit * 2)
        self.limit = int(min(max(bounded, LIMIT_MIN), LIMIT_MAX))


# How long an order that failed by itself is left alone before it is tried again.
SET_ASIDE_S = 30.0


class SetAside:
    """Orders that failed by themselves, kept out of the way of the others for a while.

    They stay open, count as late (I-19), and are settled by the same rule once their cause is mended.
    """

    def __init__(self) -> None:
        self._until_s: dict[UUID, float] = {}

    def add(self, order: UUID, now_s: float) -> None:
        """Leave an order alone from now on."""
        self._until_s[order] = now_s + SET_ASIDE_S

    def orders(self, now_s: float) -> list[UUID]:
        """Return the orders to leave alone now; those whose time is over are tried again."""
        for order, until_s in list(self._until_s.items()):
            if until_s <= now_s:
                self._until_s.pop(order, None)
        return list(self._until_s)
