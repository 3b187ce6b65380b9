"""Ledger and orders against an independent model (style 18; I-01 to I-30).

The model below is written from the business rules alone and imports nothing of the code that it judges: exact
fractions instead of minor units, a list of ticks instead of a log, and every outcome decided anew from the list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kernel.errors import Problem
from kernel.money import format_scaled
from ledger.selectors import wallets_of
from ledger.services import balance_adjust, demo_refill
from quotes.services import symbol_halt, symbol_payout_set, symbol_resume
from settlement.audit import orders_audit
from tests.books import tables_empty, violations
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from trading.events import OrderDocument


@dataclass
class ModelOrder:
    """What the model knows of an accepted order."""

    ledger: str
    direction: str
    stake: Fraction
    payout_percent: int
    opening: Fraction
    expires_ms: int
    state: str = "open"
    reason: str | None = None


@dataclass
class Model:
    """The platform as the business rules describe it, for one client and one symbol."""

    balances: dict[str, Fraction] = field(default_factory=lambda: {"real": Fraction(0), "demo": Fraction(10_000)})
    ticks: list[tuple[int, Fraction]] = field(default_factory=list)
    orders: list[ModelOrder] = field(default_factory=list)
    payout_percent: int = 85
    halted: bool = False
    max_tick_age_ms: int = 3_000

    def place(self, ledger: str, direction: str, stake: Fraction, expires_ms: int) -> str:
        """Section 2, the checks that these orders can fail, in their order; ``accepted`` when none does."""
        if stake < 1:
            return "order.stake.below_minimum"
        if stake > 5_000:
            return "order.stake.above_maximum"
        if self.halted:
            return "market.halted"
        if stake > self.balances[ledger]:
            return "wallet.insufficient_funds"
        self.balances[ledger] -= stake
        opening = self.ticks[-1][1]
        self.orders.append(ModelOrder(ledger, direction, stake, self.payout_percent, opening, expires_ms))
        return "accepted"

    def settle(self) -> int:
        """Section 3: an order is due once a tick later than its expiry is known; the last one before decides."""
        due = [order for order in self.orders if order.state == "open" and self.ticks[-1][0] > order.expires_ms]
        for order in due:
            at_ms, closing = [tick for tick in self.ticks if tick[0] <= order.expires_ms][-1]
            if order.expires_ms - at_ms > self.max_tick_age_ms:
                order.state, order.reason = "refunded", "stale_tick"
            elif closing == order.opening:
                order.state = "tied"
            else:
                order.state = "won" if (closing > order.opening) == (order.direction == "up") else "lost"
            self.balances[order.ledger] += self.paid(order)
        return len(due)

    def paid(self, order: ModelOrder) -> Fraction:
        """What a settled order credits: on a win the stake and the profit, floored to the minor unit."""
        if order.state == "lost":
            return Fraction(0)
        if order.state != "won":
            return order.stake
        exact = Decimal(order.stake.numerator) / order.stake.denominator * order.payout_percent / 100
        return order.stake + Fraction(exact.quantize(Decimal("0.01"), rounding=ROUND_FLOOR))

    def open_orders(self) -> list[ModelOrder]:
        """The orders that are not settled."""
        return [order for order in self.orders if order.state == "open"]

    def open_stakes(self, ledger: str) -> Fraction:
        """The stakes of open orders."""
        return sum(
            (order.stake for order in self.orders if (order.state, order.ledger) == ("open", ledger)), Fraction(0)
        )


def answer_of(act: Callable[[], object]) -> str:
    """Return the code of a refusal, or ``accepted``."""
    try:
        act()
    except Problem as problem:
        return problem.code
    return "accepted"


LEDGERS = st.sampled_from(["demo", "real"])
STAKES = st.sampled_from(["0.99", "1.00", "1.01", "3.33", "17.77", "100.00", "4999.99", "5000.00", "5000.01"])
TICKETS = st.tuples(LEDGERS, st.sampled_from(["up", "down"]), STAKES, st.integers(1, 9_000))
STEPS = st.tuples(st.integers(0, 3_500), st.integers(-2, 2))


class LedgerAndOrders(RuleBasedStateMachine):
    """Does to the platform and to the model the same things in any order."""

    @initialize(cents=st.sampled_from([10_000, 1_000_000]), tickets=st.lists(TICKETS, min_size=4, max_size=8))
    def begin(self, cents: int, tickets: list[tuple[str, str, str, int]]) -> None:
        """A new client and a new symbol, an hour ahead of the clock: nothing goes stale while the machine thinks."""
        # What an earlier run of the machine left behind is none of this one's.
        tables_empty()
        self.model = Model()
        self.placed: list[tuple[OrderDocument, Callable[[], OrderDocument]]] = []
        self.trader: Trader = trader_open()
        self.market: Market = market_open(price=None)
        self._tick(db_now_ms() + 3_600_000, 108_512)
        self.adjust(cents)
        self.place(tickets)

    def _tick(self, at_ms: int, price: int) -> None:
        self.market.admitted(format_scaled(price, 5), at_ms=at_ms)
        self.model.ticks.append((at_ms, Fraction(price, 100_000)))

    def _next_tick(self, after_ms: int, step: int) -> None:
        # A quote that repeats time and price would be the same quote.
        price = int(self.model.ticks[-1][1] * 100_000) + (step if after_ms else step or 1)
        self._tick(self.market.newest_ms + after_ms, price)

    @rule(steps=st.lists(STEPS, min_size=1, max_size=5))
    def quotes_come(self, steps: list[tuple[int, int]]) -> None:
        """Quotes come, each a little up, down or the same."""
        for after_ms, step in steps:
            self._next_tick(after_ms, step)

    @rule(before_ms=st.integers(1, 1_000))
    def late_quote(self, before_ms: int) -> None:
        """Section 1: what is older than the last admitted tick is refused, and nothing has changed."""
        assert self.market.tick("1.00000", at_ms=self.market.newest_ms - before_ms).admitted == 0

    @rule(tickets=st.lists(TICKETS, min_size=2, max_size=6))
    def place(self, tickets: list[tuple[str, str, str, int]]) -> None:
        """Orders are accepted or refused exactly as the model says."""
        for ledger, direction, stake, in_ms in tickets:
            self._place(ledger, direction, stake, self.market.newest_ms + in_ms)

    def _place(self, ledger: str, direction: str, stake: str, expires_ms: int) -> None:
        ident = f"id-{len(self.placed)}"

        def act() -> OrderDocument:
            return self.trader.place(
                self.market,
                direction,
                stake,
                ledger=ledger,
                client_order_id=ident,
                duration_s=None,
                expires_at_ms=expires_ms,
            )

        expected = self.model.place(ledger, direction, Fraction(stake), expires_ms)
        assert answer_of(lambda: self.placed.append((act(), act))) == expected

    @precondition(lambda self: bool(self.model.open_orders()))
    @rule(data=st.data(), around_ms=st.sampled_from([-3_001, -3_000, -1, 0, 1]), step=st.integers(-2, 2))
    def expire(self, data: st.DataObject, around_ms: int, step: int) -> None:
        """Bring an open order to its expiry, with a quote close to an edge of the rule, and settle."""
        expires_ms = data.draw(st.sampled_from(self.model.open_orders())).expires_ms
        for at_ms in (expires_ms + around_ms, expires_ms + 1):
            if at_ms > self.market.newest_ms:
                self._next_tick(at_ms - self.market.newest_ms, step)
        self.settle(3)

    @rule(limit=st.integers(1, 5))
    def settle(self, limit: int) -> None:
        """All due orders are settled, in batches of any size."""
        assert settle_due(limit=limit) == self.model.settle()

    @precondition(lambda self: bool(self.placed))
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A repeat answers with the same order, open or settled."""
        order, again = data.draw(st.sampled_from(self.placed))
        assert again().id == order.id

    @rule()
    def refill(self) -> None:
        """Section 6: back to 10,000.00 in either direction, unless a demo order is open."""
        expected = "wallet.open_orders" if self.model.open_stakes("demo") else "accepted"
        user_id, wallet_id = self.trader.user.id, self.trader.wallets["demo"]
        assert answer_of(lambda: demo_refill(user_id=user_id, wallet_id=wallet_id)) == expected
        if expected == "accepted":
            self.model.balances["demo"] = Fraction(10_000)

    @rule(cents=st.integers(-200_000, 500_000).filter(bool))
    def adjust(self, cents: int) -> None:
        """Section 6: an adjustment moves money and never below zero."""
        left = self.model.balances["real"] + Fraction(cents, 100)
        expected = "wallet.insufficient_funds" if left < 0 else "accepted"
        wallet_id = self.trader.wallets["real"]
        assert answer_of(lambda: balance_adjust(wallet_id=wallet_id, amount=cents, reason="model")) == expected
        if expected == "accepted":
            self.model.balances["real"] = left

    @rule(percent=st.integers(70, 95))
    def edit_payout(self, percent: int) -> None:
        """An edit of the payout binds new orders only."""
        symbol_payout_set(code=self.market.code, percent=percent, inputs={"cause": "model"})
        self.model.payout_percent = percent

    @rule(ticket=TICKETS)
    def halt_for_a_while(self, ticket: tuple[str, str, str, int]) -> None:
        """A halt refuses new orders and changes nothing about open ones."""
        symbol_halt(code=self.market.code, reason="model")
        self.model.halted = True
        self.place([ticket])
        self.settle(2)
        symbol_resume(code=self.market.code)
        self.model.halted = False

    @invariant()
    def wallets_agree(self) -> None:
        """Balances and open stakes are the model's, to the minor unit, at every step."""
        for row in wallets_of(self.trader.user.id):
            assert Fraction(row.balance, 100) == self.model.balances[row.book]
            assert Fraction(row.open_stakes, 100) == self.model.open_stakes(row.book)

    def _settle_all(self) -> None:
        while waiting := self.model.open_orders():
            expires_ms = min(order.expires_ms for order in waiting)
            self._next_tick(max(expires_ms + 1 - self.market.newest_ms, 0), 1)
            self.settle(4)

    def teardown(self) -> None:
        """Every order ends as the model says, and every invariant holds over all that was done."""
        self._settle_all()
        for (document, _), expected in zip(self.placed, self.model.orders, strict=True):
            row = order_row(document)
            assert (row.state, row.reason) == (expected.state, expected.reason)
            assert row.payout is not None
            assert Fraction(row.payout, 100) == self.model.paid(expected)
        assert violations() == {}
        assert orders_audit(from_ms=None, to_ms=None).differences == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_the_platform_does_what_the_model_does() -> None:
    """Issue: a Hypothesis state machine over ledger and orders against an independent model."""
    run_state_machine_as_test(
        LedgerAndOrders,
        settings=settings(
            max_examples=30,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
