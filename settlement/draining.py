"""Working off what is to be decided, batch after batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol
from uuid import UUID

import structlog

from kernel.metrics import count
from settlement.batches import BatchSize, HeldClock, Plan, SetAside
from settlement.selectors import orders_due, orders_entering
from settlement.services import BatchFailedError, orders_enter, orders_settle

log = structlog.get_logger(__name__)

# How many orders are looked for at once: so many that a backlog has several of the same wallet among them.
PLANNED = 10_000


class _Find(Protocol):
    def __call__(self, *, limit: int, skip: Sequence[UUID]) -> list[list[UUID]]:
        """Return the orders to decide, by wallet."""


class _Step(Protocol):
    def __call__(self, order_ids: Sequence[UUID], *, held: HeldClock) -> int:
        """Decide one batch; return how many orders it had."""


class Drain:
    """Both steps of settlement: orders enter, and due orders are settled.

    By one connection: on a machine that also serves traders a second one gains little and costs them much (ADR 0040).

    :param seen: told of each batch and how long it held its wallets
    """

    def __init__(self, seen: Callable[[HeldClock], None] = lambda _: None) -> None:
        self.batch = BatchSize()
        self._aside = SetAside()
        self._seen = seen

    def entered(self, stopping: Event) -> int:
        """Let every order enter that can be decided; return how many."""
        return self._drained(orders_entering, orders_enter, stopping)

    def settled(self, stopping: Event) -> int:
        """Settle everything that is due now; return how many orders that was.

        :raises DatabaseError: the database is away
        """
        return self._drained(orders_due, orders_settle, stopping)

    def _drained(self, find: _Find, step: _Step, stopping: Event) -> int:
        """Plan and work until nothing can be decided any more; what others have in hand is left to them."""
        total = 0
        while not stopping.is_set():
            plan = Plan(find(limit=PLANNED, skip=self._aside.orders(time.monotonic())))
            moved = self._worked(step, plan, stopping)
            total += moved
            if not moved:
                break
        return total

    def _worked(self, step: _Step, plan: Plan, stopping: Event) -> int:
        """Decide orders until the plan is empty, in batches as large as their time allows; return how many."""
        total = 0
        while not stopping.is_set() and (orders := plan.batch(self.batch.limit)):
            started_s, held = time.monotonic(), HeldClock()
            try:
                moved = step(orders, held=held)
            except BatchFailedError as failure:
                self._failed(plan, failure.order_ids)
                continue
            finally:
                self._seen(held)
            total += moved
            self.batch.observe(settled=moved, held_s=held.held_s or time.monotonic() - started_s)
        return total

    def _failed(self, plan: Plan, orders: Sequence[UUID]) -> None:
        """Find the order that makes a batch fail, and keep it out of the way of the others."""
        if len(orders) == 1:
            self._aside.add(orders[0], time.monotonic())
        else:
            plan.one_by_one(orders)
        count("settlement_batches_failed")
        log.exception("settlement_batch_failed", orders=[str(one) for one in orders[:5]])
