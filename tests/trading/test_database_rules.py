"""What the tables of orders refuse by themselves (rules 2 and 3; I-10, I-11, I-18)."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from kernel.ids import uuid7
from tests.crowd import other_connection
from tests.market import market_open, order_row, settle_due, trader_open
from trading.models import Order, OrderOpen

pytestmark = pytest.mark.django_db


def _row(**changes: Any) -> Order:
    """Store a row directly, past the services: an open order unless told otherwise."""
    trader = trader_open()
    columns: dict[str, Any] = {
        "client_order_id": str(uuid7()),
        "user_id": trader.user.id,
        "wallet_id": trader.wallets["demo"],
        "book": "demo",
        "currency": "USD",
        "source": "api",
        "asked": "",
        "symbol_id": 1,
        "symbol": "EURUSD",
        "direction": "up",
        "stake": 1_000,
        "payout_percent": 85,
        "entry_rule": "last_tick/1",
        "settlement_rule": "last_tick/1",
        "max_tick_age_ms": 3_000,
        "revision": 1,
        "price_scale": 5,
        "accepted_at_ms": 1_000,
        "expires_at_ms": 61_000,
        "entered_at_ms": 1_000,
        "open_seq": 1,
        "open_at_ms": 900,
        "open_price": 100,
        "state": "open",
        "balance_after": 0,
    }
    return Order.objects.create(**(columns | changes))


SETTLED: dict[str, Any] = {"settled_at_ms": 61_001, "close_seq": 2, "close_at_ms": 60_000}
WON = SETTLED | {"state": "won", "payout": 1_850, "close_price": 101}
LOST = SETTLED | {"state": "lost", "payout": 0, "close_price": 99}
TIED = SETTLED | {"state": "tied", "payout": 1_000, "close_price": 100}
REFUNDED = {"state": "refunded", "payout": 1_000, "settled_at_ms": 61_001, "reason": "no_tick"}
UNOPENED: dict[str, Any] = dict.fromkeys(("entered_at_ms", "open_seq", "open_at_ms", "open_price"))
WAITING = UNOPENED | {
    "entry_rule": "next_tick/1",
    "entry_after_seq": 1,
    "entry_after_ms": 900,
    "entry_until_ms": 4_000,
}
OPENING = {"entered_at_ms": 1_500, "open_seq": 2, "open_at_ms": 4_000, "open_price": 100}
ENTERED = WAITING | OPENING


GOOD: list[dict[str, Any]] = [
    {},
    WON,
    LOST,
    TIED,
    REFUNDED,
    REFUNDED | SETTLED | {"close_price": 1},
    WAITING,
    ENTERED,
    ENTERED | WON,
    WAITING | REFUNDED | {"reason": "no_entry_tick"},
    ENTERED | REFUNDED | {"reason": "price_moved"},
    WAITING | {"entry_until_ms": 61_000},
    {"session_closes_ms": 61_000},
    WON | {"close_tick_price": 7},
]


@pytest.mark.parametrize("good", GOOD)
def test_the_rows_that_the_attacks_vary_are_accepted(good: dict[str, Any]) -> None:
    """Control: the refusals below come from their own fault."""
    assert _row(**good).stake == 1_000


BAD: list[tuple[str, dict[str, Any]]] = [
    ("trading_order_terms", {"stake": 0}),
    ("trading_order_terms", {"stake": -1}),
    ("trading_order_terms", {"payout_percent": -1}),
    ("trading_order_terms", {"payout_percent": 99}),
    ("trading_order_terms", {"max_tick_age_ms": 0}),
    ("trading_order_terms", {"expires_at_ms": 1_000}),
    ("trading_order_opening", {"open_seq": None}),
    ("trading_order_(opening|entry)", {"open_price": None}),
    ("trading_order_opening", {"open_at_ms": None}),
    ("trading_order_opening", {"entered_at_ms": None}),
    ("trading_order_opening", {"open_price": 0}),
    ("trading_order_opening", {"open_seq": 0}),
    ("trading_order_states", {"payout": 0}),
    ("trading_order_states", {"settled_at_ms": 61_001}),
    ("trading_order_states", {"reason": "no_tick"}),
    ("trading_order_states", {"state": "voided"}),
    ("trading_order_states", WON | {"payout": 1_851}),
    ("trading_order_states", WON | {"payout": 1_849}),
    ("trading_order_states", WON | {"payout": None}),
    ("trading_order_states", WON | {"stake": 101, "payout": 187}),
    ("trading_order_states", WON | {"settled_at_ms": None}),
    ("trading_order_states", WON | {"reason": "no_tick"}),
    ("trading_order_(direction|states)", WON | {"close_price": None}),
    ("trading_order_states", LOST | {"payout": 1}),
    ("trading_order_states", LOST | {"payout": None}),
    ("trading_order_states", LOST | {"settled_at_ms": None}),
    ("trading_order_states", LOST | {"reason": "stale_tick"}),
    ("trading_order_states", TIED | {"payout": 999}),
    ("trading_order_states", TIED | {"payout": None}),
    ("trading_order_states", TIED | {"close_price": 101}),
    ("trading_order_states", TIED | {"close_price": None}),
    ("trading_order_states", REFUNDED | {"payout": 0}),
    ("trading_order_states", REFUNDED | {"payout": None}),
    ("trading_order_states", REFUNDED | {"reason": None}),
    ("trading_order_states", REFUNDED | {"settled_at_ms": None}),
    ("trading_order_direction", WON | {"close_price": 100}),
    ("trading_order_direction", WON | {"close_price": 99}),
    ("trading_order_direction", WON | {"direction": "down"}),
    ("trading_order_direction", LOST | {"close_price": 101}),
    ("trading_order_direction", LOST | {"direction": "down"}),
    ("trading_order_direction", WON | {"direction": "both"}),
    (
        "trading_order_direction",
        WON | {"open_seq": None, "open_at_ms": None, "open_price": None, "entered_at_ms": None},
    ),
    ("trading_order_entry", UNOPENED),
    ("trading_order_entry", {"entry_rule": "best_tick/1"}),
    ("trading_order_entry", {"entry_after_seq": 1}),
    ("trading_order_entry", {"entry_after_ms": 900}),
    ("trading_order_entry", {"entry_until_ms": 4_000}),
    ("trading_order_entry", WAITING | {"entry_after_seq": None}),
    ("trading_order_entry", WAITING | {"entry_after_ms": None}),
    ("trading_order_entry", WAITING | {"entry_until_ms": None}),
    ("trading_order_entry", WAITING | {"entry_until_ms": 61_001}),
    ("trading_order_entry", WAITING | {"entry_rule": "last_tick/1"}),
    ("trading_order_entry", ENTERED | {"open_seq": 1}),
    ("trading_order_entry", ENTERED | {"open_seq": 3}),
    ("trading_order_entry", ENTERED | {"open_at_ms": 4_001}),
    ("trading_order_opening", ENTERED | {"entered_at_ms": None}),
    ("trading_order_opening", ENTERED | {"open_at_ms": None}),
    ("trading_order_(entry|direction)", WAITING | WON),
    ("trading_order_(entry|direction)", WAITING | LOST),
    ("trading_order_(entry|states)", WAITING | TIED),
    ("trading_order_in_session", {"session_closes_ms": 60_999}),
    ("trading_order_reasons", REFUNDED | {"reason": "operator"}),
    ("trading_order_reasons", REFUNDED | {"reason": ""}),
    ("trading_order_wallet_place", {"book": "real"}),
    ("trading_order_wallet_place", {"currency": "EUR"}),
]


@pytest.mark.parametrize(("constraint", "changes"), BAD, ids=[f"{name}-{n}" for n, (name, _) in enumerate(BAD)])
def test_a_row_that_no_rule_allows_is_refused(constraint: str, changes: dict[str, Any]) -> None:
    """I-10, rules 2 and 3: terms, opening, result and payout of each state are checked by the database itself."""
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        _row(**changes)


def test_a_client_order_id_is_used_once_in_a_wallet() -> None:
    """Contract: unique per wallet for ever, by constraint."""
    first = _row()
    with pytest.raises(IntegrityError, match="trading_order_client_id"), transaction.atomic():
        _row(wallet_id=first.wallet_id, client_order_id=first.client_order_id)


FROZEN: dict[str, Any] = {
    "client_order_id": "other",
    "user_id": uuid7(),
    "source": "web",
    "asked": "more",
    "symbol_id": 2,
    "symbol": "GBPUSD",
    "direction": "down",
    "stake": 1,
    "payout_percent": 98,
    "entry_rule": "next_tick/1",
    "settlement_rule": "trimmed_mean_10s/1",
    "max_tick_age_ms": 1,
    "revision": 2,
    "price_scale": 4,
    "accepted_at_ms": 1,
    "expires_at_ms": 70_000,
    "open_seq": 2,
    "open_at_ms": 1,
    "open_price": 1,
    "entered_at_ms": 2_000,
    "token_id": uuid7(),
    "custom": True,
    "session_closes_ms": 70_000,
    "expected_price": "1.0",
    "max_price_drift": "0.1",
    "currency": "EUR",
    "entry_after_seq": 7,
    "entry_after_ms": 7,
    "entry_until_ms": 7,
}


@pytest.mark.parametrize("column", FROZEN)
def test_the_terms_of_an_order_are_frozen(column: str) -> None:
    """I-18, rules 2: no path of code changes a term after acceptance: the trigger refuses every one."""
    order = _row()
    with pytest.raises(DatabaseError, match="are frozen"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**{column: FROZEN[column]})


@pytest.mark.parametrize("column", ["entry_after_seq", "entry_after_ms", "entry_until_ms"])
@pytest.mark.parametrize("stored", [WAITING, ENTERED], ids=["waiting", "entered"])
def test_what_an_order_waits_for_is_frozen(stored: dict[str, Any], column: str) -> None:
    """I-18, rules 2: nobody gives a waiting order another tick or more time, before its entry or after."""
    order = _row(**stored)
    with pytest.raises(DatabaseError, match="are frozen"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**{column: FROZEN[column]})


def test_an_order_enters_once() -> None:
    """Rules 2, next_tick/1: the opening is written where there was none, and never changes after that."""
    order = _row(**WAITING)
    assert Order.objects.filter(pk=order.pk).update(**OPENING) == 1
    for column, other in {"open_price": 101, "open_at_ms": 3_999, "entered_at_ms": 1_501}.items():
        with pytest.raises(DatabaseError, match="are frozen"), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(**{column: other})
    with pytest.raises(DatabaseError, match="are frozen"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**UNOPENED)


@pytest.mark.parametrize("changes", [{"payout": 1_850}, {"state": "lost", "payout": 0}, {"balance_after": 7}])
def test_a_settled_order_never_changes(changes: dict[str, Any]) -> None:
    """I-11, rules 3: each order settles exactly once; its result is for ever."""
    order = _row(**WON)
    with pytest.raises(DatabaseError, match="is settled"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**changes)


def test_an_order_is_never_deleted() -> None:
    """Rules 3: an order is never deleted, open or settled."""
    for order in (_row(), _row(**LOST)):
        with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
            Order.objects.filter(pk=order.pk).delete()


def test_orders_cannot_be_truncated() -> None:
    """Rules 3, I-07: not even the owner of the tables empties them."""
    _row()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE trading_order CASCADE")
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM trading_order",
        "TRUNCATE trading_order CASCADE",
        "ALTER TABLE trading_order DISABLE TRIGGER trading_order_frozen",
        "ALTER TABLE trading_order DROP CONSTRAINT trading_order_states",
    ],
)
def test_the_application_may_not_remove_orders_or_their_guards(attack: str) -> None:
    """S-41: the application's role has no right to."""
    with other_connection(user="fairstrike") as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(attack.encode())


def test_what_is_due_belongs_to_an_order() -> None:
    """I-11: a row of what is due refers to its order and goes at settlement only once."""
    trader, market = trader_open(), market_open()
    order = trader.place(market)
    market.admitted("1.09", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.09", at_ms=order_row(order).expires_at_ms + 1)
    assert (OrderOpen.objects.count(), settle_due(), OrderOpen.objects.count()) == (1, 1, 0)
    due = OrderOpen(order_id=uuid7(), symbol_id=market.id, wallet_id=trader.wallets["demo"], expires_at_ms=1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError), transaction.atomic():
        due.save(force_insert=True)
