"""One lock order for everybody (architecture): recorded from the statements of every service."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ledger.services import balance_adjust, demo_refill
from quotes.services import heartbeats_record, watermarks_raise_to_expiry
from settlement.services import orders_enter, orders_settle
from tests.logged import statements_logged
from tests.market import Market, Trader, db_now_ms, due, entering, market_open, order_row, trader_open

pytestmark = pytest.mark.django_db

# What is locked, in the platform's order.
ORDER = ("symbol_head", "orders", "wallets", "event_counters")
_LOCKED = {
    "symbol_head": r"FROM quotes_symbol_head( AS \w+)?\s+WHERE.* FOR NO KEY UPDATE|UPDATE quotes_symbol_head",
    "orders": r"FROM trading_order_open.* FOR NO KEY UPDATE OF opened",
    "wallets": r"FROM ledger_account.* FOR NO KEY UPDATE|UPDATE ledger_account",
    "event_counters": r"FROM realtime_event_counter.* FOR NO KEY UPDATE|UPDATE realtime_event_counter",
}


def locks_of(statements: list[str]) -> list[str]:
    """Return what each statement locks, in the order of the statements and of their parts."""
    found = []
    for statement in statements:
        places = [
            (match.start(), name)
            for name, pattern in _LOCKED.items()
            for match in re.finditer(pattern, statement, re.IGNORECASE)
        ]
        found += [name for _, name in sorted(places)]
    return found


def in_order(locks: list[str]) -> bool:
    """Whether no lock comes after one that stands behind it."""
    ranks = [ORDER.index(name) for name in locks]
    return ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("locks", "expected"),
    [
        (["orders", "wallets", "event_counters"], True),
        (["wallets", "wallets", "event_counters"], True),
        (["wallets", "orders"], False),
        (["event_counters", "wallets"], False),
        (["wallets", "symbol_head"], False),
    ],
)
def test_the_check_itself_tells_orders_apart(locks: list[str], expected: bool) -> None:
    """Control: a service that locks in another order would turn the tests below red."""
    assert in_order(locks) is expected


def _recorded(act: Callable[[], object]) -> list[str]:
    with statements_logged() as log:
        act()
    return log


def _judged(log: list[str]) -> list[str]:
    """Check one service's statements and return what it locks, each kind once."""
    locks = locks_of(log)
    assert in_order(locks), locks
    for statement in log:
        # FOR UPDATE would block the checks of foreign keys.
        assert not re.search(r"FOR UPDATE|FOR SHARE", statement), statement
        # Rows of one kind are locked in the order of their keys, never in that of a plan.
        assert "FOR NO KEY UPDATE" not in statement or "ANY" not in statement or "ORDER BY" in statement, statement
    return list(dict.fromkeys(locks))


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="10.00")


def test_placement_locks_the_wallet_then_the_event_counter(market: Market, trader: Trader) -> None:
    """Architecture, lock order: wallets before event counters; nothing is locked after those."""
    log = _recorded(lambda: trader.place(market))
    assert _judged(log) == ["wallets", "event_counters"]


def test_settlement_locks_orders_then_wallets_then_event_counters(market: Market, trader: Trader) -> None:
    """Architecture, lock order: orders by expires_at and id, wallets by id, counters by user."""
    orders = [one.place(market, duration_s=1) for one in (trader, trader_open(), trader)]
    market.admitted("1.08600", at_ms=order_row(orders[-1]).expires_at_ms + 1)
    log = _recorded(lambda: orders_settle(due(10)))
    assert _judged(log) == ["orders", "wallets", "event_counters"]
    claim = next(statement for statement in log if "SKIP LOCKED" in statement)
    assert "ORDER BY opened.expires_at_ms, opened.order_id" in claim
    assert sum("FROM realtime_event_counter" in statement and "ORDER BY user_id" in statement for statement in log) == 1


def test_entering_locks_orders_then_wallets_then_event_counters(trader: Trader) -> None:
    """Architecture, lock order: orders that enter and those that are refunded at entry, in one batch."""
    market = market_open(entry_rule="next_tick/1")
    for person in (trader, trader_open()):
        person.place(market)
        person.place(market, expected_price="2.0", max_price_drift="0")
    market.admitted("1.08600")
    log = _recorded(lambda: orders_enter(entering(10)))
    assert _judged(log) == ["orders", "wallets", "event_counters"]
    claim = next(statement for statement in log if "SKIP LOCKED" in statement)
    assert "ORDER BY opened.expires_at_ms, opened.order_id" in claim


def test_a_batch_that_only_enters_locks_no_wallet(market: Market, trader: Trader) -> None:
    """Architecture, lock order: an entry moves no money, so no wallet waits for it."""
    waiting = market_open("GBPUSD", entry_rule="next_tick/1")
    trader.place(waiting)
    waiting.admitted("1.08600")
    assert _judged(_recorded(lambda: orders_enter(entering(10)))) == ["orders", "event_counters"]


def test_a_refill_locks_the_wallet_then_the_event_counter(market: Market, trader: Trader) -> None:
    """Architecture, lock order."""
    order = trader.place(market, duration_s=1)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms + 1)
    orders_settle(due(10))
    log = _recorded(lambda: demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"]))
    assert _judged(log) == ["wallets", "event_counters"]


def test_an_adjustment_locks_the_wallet_then_the_event_counter(trader: Trader) -> None:
    """Architecture, lock order."""
    log = _recorded(lambda: balance_adjust(wallet_id=trader.wallets["real"], amount=1, reason="test"))
    assert _judged(log) == ["wallets", "event_counters"]


def test_the_quote_path_locks_heads_only(market: Market) -> None:
    """Architecture, lock order: admission, heartbeats and the fence take heads by symbol and nothing else."""
    other = market_open("GBPUSD")
    assert _judged(_recorded(lambda: market.admitted("1.08513"))) == ["symbol_head"]
    beats = {other.id: db_now_ms(), market.id: db_now_ms()}
    assert _judged(_recorded(lambda: heartbeats_record(heartbeats=beats))) == ["symbol_head"]
    targets = {other.id: 1, market.id: 1}
    assert _judged(_recorded(lambda: watermarks_raise_to_expiry(targets=targets))) == ["symbol_head"]
