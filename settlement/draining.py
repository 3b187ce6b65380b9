"""Working off what is due: batch after batch, and by two hands where one does not suffice."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Protocol
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, connection

from kernel.metrics import count
from settlement.batches import BatchSize, HeldClock, SetAside
from settlement.services import ALL, BatchFailedError, Lane, orders_enter, orders_settle

log = structlog.get_logger(__name__)

# While the server works for one hand, Python works for the other. No wallet has orders in both lanes, so that the hands
# do not wait for each other's locks.
_LANES = Lane(mask=1, bits=0), Lane(mask=1, bits=1)


class _Step(Protocol):
    def __call__(self, *, limit: int, skip: list[UUID], held: HeldClock, lane: Lane) -> int:
        """Decide one batch; return how many orders it had."""


class Hand:
    """Decides batch after batch on the thread that calls it, each as large as its time allows.

    :param aside: the orders that are left alone; shared by all hands
    :param seen: told of each batch
    """

    def __init__(self, aside: dict[UUID, float], seen: Callable[[HeldClock], None]) -> None:
        self.batch = BatchSize()
        self._aside = SetAside(aside)
        self._seen = seen

    def drained(self, step: _Step, stopping: Event, *, lane: Lane = ALL, pauses: bool = False) -> tuple[int, bool]:
        """Run batches until there is nothing left to do.

        :param pauses: return after a full batch, too
        :return: how many orders were decided, and whether there may be more
        """
        total = 0
        while not stopping.is_set():
            started_s, held = time.monotonic(), HeldClock()
            limit = self._aside.limit(self.batch.limit)
            try:
                moved = step(limit=limit, skip=self._aside.orders(started_s), held=held, lane=lane)
            except BatchFailedError as failure:
                self._aside.failed(failure.order_ids, started_s)
                count("settlement_batches_failed")
                log.exception("settlement_batch_failed", orders=[str(one) for one in failure.order_ids[:5]])
                continue
            finally:
                self._seen(held)
            total += moved
            self._aside.settled(moved)
            self.batch.observe(settled=moved, held_s=held.held_s or time.monotonic() - started_s)
            if moved == 0 or (pauses and moved == limit > 1):
                return total, moved > 0
        return total, False


class Drain:
    """Both steps of settlement: orders enter, and due orders are settled.

    :param seen: told of each batch and how long it held its wallets; by either hand, on its thread
    """

    def __init__(self, seen: Callable[[HeldClock], None] = lambda _: None) -> None:
        aside: dict[UUID, float] = {}
        self.hands = Hand(aside, seen), Hand(aside, seen)
        self._second = ThreadPoolExecutor(1, "settlement-second-hand")

    def entered(self, stopping: Event) -> int:
        """Let every order enter that can be decided; return how many."""
        return self.hands[0].drained(orders_enter, stopping)[0]

    def settled(self, stopping: Event) -> int:
        """Settle everything that is due now; return how many orders that was.

        A full batch says that there is more, and the second hand is called.

        :raises DatabaseError: the database is away for either hand; both have ended
        """
        total, more = self.hands[0].drained(orders_settle, stopping, pauses=True)
        if not more:
            return total
        other = self._second.submit(self._second_settled, stopping)
        try:
            total += self.hands[0].drained(orders_settle, stopping, lane=_LANES[0])[0]
        finally:
            # An error of the first hand is not hidden by one of the second, which has most likely the same cause.
            by_other = other.exception() or other.result()
        if isinstance(by_other, BaseException):
            raise by_other
        return total + by_other

    def reset(self) -> None:
        """Drop the connections of both hands: the next batch opens new ones."""
        _connection_drop()
        self._second.submit(_connection_drop).result()

    def end(self) -> None:
        """Drop the connections and end the second hand."""
        with suppress(RuntimeError):
            self.reset()
        self._second.shutdown()

    def _second_settled(self, stopping: Event) -> int:
        try:
            return self.hands[1].drained(orders_settle, stopping, lane=_LANES[1])[0]
        except (DatabaseError, InterfaceError):
            _connection_drop()
            raise


def _connection_drop() -> None:
    """Close the connection of the thread that calls this."""
    connection.close()
