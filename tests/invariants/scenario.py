"""A small day on the platform through its real services: both ledgers, all outcomes, both pairs of rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction

from accounts.services import user_ban
from kernel import db
from kernel.facts import facts_apply
from ledger.services import balance_adjust, demo_refill
from quotes.admission import heartbeats_record
from quotes.calendar import Session
from quotes.hours import Hours, calendar_add
from quotes.models import MarketCalendar, Symbol
from tests.market import Market, Trader, db_now_ms, market_open, order_row, session_held, settle_due, trader_open
from trading.events import OrderDocument
from trading.limits import break_begin, limits_put

_NESTED = "_from_testcase"
# What is open when a mutant begins expires so far ahead of the clock: a slow machine makes nothing late.
AHEAD_MS = 600_000
HOUR_S = 3_600
ALL_WEEK = tuple(Session(weekday, 0, 1_440) for weekday in range(7))


@dataclass
class Scenario:
    """Markets, clients and their open orders, and the way in which the day goes on."""

    begun_ms: int
    market: Market
    waits: Market
    ann: Trader
    bob: Trader
    cleo: Trader
    orders: dict[str, OrderDocument]

    def fork(self) -> Scenario:
        """Return the same day for one course of it: what parsers remember of the logs is copied."""
        return replace(
            self,
            market=replace(self.market, log=deepcopy(self.market.log)),
            waits=replace(self.waits, log=deepcopy(self.waits.log)),
            orders=dict(self.orders),
        )

    def go_on(self) -> None:
        """Let the day go on to its end: expiries, entries, new orders and clients, acts of clients and operators."""
        self.expire()
        self.enter()
        self.place_again()
        self.act()

    def expire(self) -> None:
        """Bring the ticks that decide the open orders: wins and losses, a tie, a stale tick."""
        expires_ms = order_row(self.orders["up"]).expires_at_ms
        self.market.admitted("1.08600", at_ms=expires_ms - 1_000)
        self.market.admitted("1.08700", at_ms=expires_ms)
        self.market.admitted("1.08512", at_ms=expires_ms + 1)
        settle_due()
        facts_apply(100)
        self.market.admitted("1.08512", at_ms=order_row(self.orders["tied"]).expires_at_ms)
        self.market.admitted("1.08800", at_ms=order_row(self.orders["stale"]).expires_at_ms + 1)
        settle_due()
        facts_apply(100)

    def enter(self) -> None:
        """Let orders enter at the next tick and close at a mean; two of them do not enter."""
        self.waits.admitted("1.08513")
        won = self.ann.place(self.waits, "up", stake="10.01", duration_s=4)
        lost = self.bob.place(self.waits, "down", duration_s=4)
        self.bob.place(self.waits, "up", expected_price="2.0", max_price_drift="0")
        self.waits.admitted("1.08520")
        settle_due()
        late = self.ann.place(self.waits, "up", ledger="real")
        # The mean of four is that of the middle two, 1.08525, while the last tick is 1.08533.
        self.waits.admitted("1.08530", at_ms=order_row(late).accepted_at_ms + 3_001)
        ends_ms = max(order_row(won).expires_at_ms, order_row(lost).expires_at_ms)
        self.waits.admitted("1.08533", at_ms=ends_ms)
        self.waits.admitted("1.08533", at_ms=ends_ms + 1)
        settle_due()
        facts_apply(100)

    def place_again(self) -> None:
        """Open orders that stay open, with an odd stake that wins, in hours of an exchange too; one waits to enter."""
        odd = self.bob.place(self.market, "up", stake="10.01", ledger="real", duration_s=2 * AHEAD_MS // 1_000)
        # Nothing may be due before the market's time has come.
        at_ms = max(self.market.now_ms, order_row(odd).expires_at_ms)
        self.market.admitted("1.08900", at_ms=at_ms)
        self.market.admitted("1.08901", at_ms=at_ms + 1)
        settle_due()
        for trader, direction, ledger in ((self.ann, "down", "real"), (self.bob, "up", "demo")):
            trader.place(self.market, direction, ledger=ledger, duration_s=HOUR_S)
        self.bob.place(self.waits, "down", duration_s=HOUR_S)
        hours = market_in_hours("STOCK", Hours("America/New_York", ALL_WEEK))
        self.ann.place(hours, "up", duration_s=HOUR_S)

    def act(self) -> None:
        """Let clients and operators do what they do besides trading."""
        newcomer = trader_open(real="20.00")
        newcomer.place(self.market, "up", ledger="real", duration_s=HOUR_S)
        demo_refill(user_id=self.cleo.user.id, wallet_id=self.cleo.wallets["demo"])
        balance_adjust(wallet_id=self.cleo.wallets["real"], amount=-500, reason="taken back")
        now_ms = db_now_ms()
        limits_put(user_id=self.ann.user.id, wanted={"stake_day": 500_000, "open_orders": 50}, now_ms=now_ms)
        break_begin(user_id=self.cleo.user.id, days=1, now_ms=now_ms)
        user_ban(email=self.bob.user.email, reason="tests", now_ms=now_ms)
        heartbeats_record(heartbeats={self.waits.id: self.waits.newest_ms + 2_500})


def market_in_hours(code: str, hours: Hours, **terms: Any) -> Market:
    """Open a market with trading hours as people save them."""
    calendar: MarketCalendar = calendar_add(name=f"hours of {code}", hours=hours, by_id=None, now_ms=db_now_ms())
    market = market_open(code, **terms)
    Symbol.objects.filter(pk=market.id).update(calendar=calendar)
    return market


def scenario_begun() -> Scenario:
    """Sign clients up and open the orders that the day begins with."""
    begun_ms = db_now_ms()
    market = market_open()
    waits = market_open("WAITS", entry_rule="next_tick/1", settlement_rule="trimmed_mean_10s/1")
    ann, bob, cleo = trader_open(real="100.00"), trader_open(real="50.00"), trader_open(real="30.00")
    expires_ms = begun_ms + AHEAD_MS
    session_held(market, closes_ms=expires_ms + 2 * HOUR_S * 1_000)
    orders = {}
    for trader in (ann, bob):
        for ledger in ("demo", "real"):
            for direction in ("up", "down"):
                orders[direction] = trader.place(
                    market, direction, ledger=ledger, duration_s=None, expires_at_ms=expires_ms
                )
    orders["tied"] = ann.place(market, duration_s=None, expires_at_ms=expires_ms + 1_000)
    orders["stale"] = cleo.place(market, duration_s=None, expires_at_ms=expires_ms + 9_000)
    # Orders that a mutant places later find a fresh price, ahead of the clock.
    market.admitted("1.08512", at_ms=begun_ms + AHEAD_MS // 2)
    return Scenario(begun_ms, market, waits, ann, bob, cleo, orders)


@contextmanager
def undone() -> Iterator[None]:
    """Undo at the end all that services and the owner of the tables did, committed or not."""
    block = transaction.atomic()
    # As in Django's own test case: a service may ask for the outermost transaction inside this one.
    setattr(block, _NESTED, True)
    with block:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield
        transaction.set_rollback(True)


def statement(sql: str) -> None:
    """Run a statement as the owner of the tables; it must have touched something."""
    assert db.run(sql) != 0, f"nothing was changed by {sql}"
