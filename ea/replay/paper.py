"""A ledger on paper: what signals would have staked, won and lost, in minor units; it can place nothing. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

from trading.domain import OrderState, profit_of_win


class Group(NamedTuple):
    """What figures are kept for; ledger and currency are empty where a signal came to no wallet."""

    ledger: str
    currency: str
    strategy: str
    symbol: str


@dataclass(frozen=True, slots=True)
class PaperOrder:
    """An order on paper; money in minor units.

    :param result: None while nobody can know it
    :param payout: what is credited, stake included
    :param known_at_ms: when its result came back to the bridge
    """

    event: int
    link_id: int
    group: Group
    wallet_id: UUID
    stake: int
    result: OrderState | None
    payout: int
    known_at_ms: int


@dataclass(slots=True)
class Figures:
    """What signals of a group came to; money in minor units.

    :param profit: of settled orders
    :param drawdown: the deepest that the profit ever fell below its highest, 0 included
    """

    taken: int = 0
    denied: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    stakes: int = 0
    profit: int = 0
    peak: int = 0
    drawdown: int = 0

    def settle(self, order: PaperOrder) -> None:
        """Take a result."""
        assert order.result is not None
        self.results[order.result.value] += 1
        self.profit += order.payout - order.stake
        self.peak = max(self.peak, self.profit)
        self.drawdown = max(self.drawdown, self.peak - self.profit)

    @property
    def open(self) -> int:
        """How many have no result yet."""
        return self.taken - self.results.total()

    def document(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "taken": self.taken,
            "denied": dict(sorted(self.denied.items())),
            "results": dict(sorted(self.results.items())),
            "open": self.open,
            "stakes": self.stakes,
            "profit": self.profit,
            "drawdown": self.drawdown,
        }


class PaperLedger:
    """Orders that were taken, settled in the order in which their results became known."""

    def __init__(self) -> None:
        self.figures: defaultdict[Group, Figures] = defaultdict(Figures)
        self._waiting: list[tuple[int, int, PaperOrder]] = []
        self._moved: Counter[UUID] = Counter()
        self._nos = count()

    def take(self, order: PaperOrder) -> None:
        """Reserve the stake of an order."""
        figures = self.figures[order.group]
        figures.taken += 1
        figures.stakes += order.stake
        self._moved[order.wallet_id] -= order.stake
        if order.result is not None:
            heapq.heappush(self._waiting, (order.known_at_ms, next(self._nos), order))

    def deny(self, group: Group, code: str) -> None:
        """Count a signal that became no order."""
        self.figures[group].denied[code] += 1

    def settled_until(self, now_ms: int) -> Iterator[PaperOrder]:
        """Pay the orders whose results are known by an instant, and return them one after the other."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            order = heapq.heappop(self._waiting)[2]
            self._moved[order.wallet_id] += order.payout
            self.figures[order.group].settle(order)
            yield order

    def moved(self, wallet_id: UUID) -> int:
        """Return what all orders so far have done to a wallet's balance, in minor units."""
        return self._moved[wallet_id]


def payout_of(result: OrderState, *, stake: int, payout_percent: int) -> int:
    """Return what a result pays on a stake, in minor units (rules, section 2)."""
    if result is OrderState.WON:
        return stake + profit_of_win(stake, payout_percent)
    return 0 if result is OrderState.LOST else stake
