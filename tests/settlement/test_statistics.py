"""Statistics follow settlement through the fact queue: every settled order once, in its day (D-56, I-35)."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from django.db import connection, transaction

from kernel import db
from kernel.facts import facts_apply
from kernel.models import FactBatch
from settlement.models import DailySymbol, DailyUser, WindowOrder
from settlement.statistics import DAY_SQL, statistics_apply
from tests.books import violations
from tests.crowd import at_once
from tests.logged import statements_logged
from tests.market import Market, Trader, market_open, order_row, settle_due, trader_open
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)

FIGURES = ("won", "lost", "tied", "refunded", "stakes", "payouts", "returned")


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="500.00")


def traded(market: Market, *traders: Trader, ledger: str = "real", won: int = 0, lost: int = 0, tied: int = 0) -> None:
    """Let each trader win, lose and tie so many orders of 10.00; the price is 1.08512 before and after."""
    for directions, price in ((["up"] * won + ["down"] * lost, "1.08600"), (["up"] * tied, "1.08512")):
        expires_ms = market.now_ms + 2_000
        for trader in traders:
            for direction in directions:
                trader.place(market, direction, ledger=ledger, duration_s=None, expires_at_ms=expires_ms)
        if directions:
            market.admitted(price, at_ms=expires_ms)
            market.admitted("1.08512", at_ms=expires_ms + 1)
            assert settle_due() == len(traders) * len(directions)


def refunded(market: Market, trader: Trader, *, ledger: str = "real") -> None:
    """Let one order be refunded: the log has no fresh tick at its expiry."""
    order = order_row(trader.place(market, ledger=ledger, duration_s=60))
    market.admitted("1.08512", at_ms=order.expires_at_ms + 1)
    settle_due()
    assert Order.objects.get(pk=order.pk).state == "refunded"


def day(kind: str) -> dict[str, int]:
    """Return the figures of the only day of a ledger, which the days by user must agree with."""
    (by_symbol,) = DailySymbol.objects.filter(book_kind=kind).values(*FIGURES)
    by_user = list(DailyUser.objects.filter(book_kind=kind).values(*FIGURES))
    assert by_symbol == {name: sum(row[name] for row in by_user) for name in FIGURES}
    return dict(by_symbol)


def test_ties_and_refunds_are_neither_wins_nor_losses(market: Market, trader: Trader) -> None:
    """D-56: each state has its own count; turnover and house result come from won and lost orders only."""
    traded(market, trader, won=2, lost=3, tied=1)
    refunded(market, trader)
    assert facts_apply(100) > 0
    assert day("real") == {
        "won": 2,
        "lost": 3,
        "tied": 1,
        "refunded": 1,
        "stakes": 5_000,
        "payouts": 2 * 1_850,
        "returned": 2_000,
    }
    assert WindowOrder.objects.count() == 5
    assert WindowOrder.objects.filter(won=True).count() == 2
    assert violations() == {}


def test_ledgers_symbols_users_and_days_have_their_own_rows(trader: Trader) -> None:
    """Rules 3: per symbol and day; real, demo and tournament apart."""
    first, second, other = market_open(), market_open("GBPUSD"), trader_open(real="50.00")
    traded(first, trader, other, lost=1)
    traded(first, trader, ledger="demo", won=1)
    traded(second, trader, lost=1)
    facts_apply(100)
    settled = Order.objects.get(symbol="GBPUSD").settled_at_ms or 0
    assert (
        db.rows("SELECT day = to_timestamp(%s)::date FROM settlement_daily_symbol", [settled // 1000]) == [(True,)] * 3
    )
    assert list(
        DailySymbol.objects.order_by("book_kind", "symbol_id").values_list("book_kind", "symbol_id", "won", "lost")
    ) == [("demo", first.id, 1, 0), ("real", first.id, 0, 2), ("real", second.id, 0, 1)]
    assert sorted(DailyUser.objects.values_list("book_kind", "user_id", "won", "lost")) == sorted(
        [("demo", trader.user.id, 1, 0), ("real", trader.user.id, 0, 2), ("real", other.user.id, 0, 1)]
    )
    assert set(DailySymbol.objects.values_list("currency", flat=True)) == {"USD"}
    assert violations() == {}


def test_demo_and_tournament_orders_stay_out_of_the_window(market: Market, trader: Trader) -> None:
    """Rules 5: the payout is reckoned from real orders only; all tournaments are one kind of book."""
    traded(market, trader, ledger="demo", won=1, lost=1)
    # No tournament can be opened yet: the orders are put on books of two by hand.
    with transaction.atomic():
        db.run("ALTER TABLE trading_order DROP CONSTRAINT trading_order_wallet_place")
        db.run("ALTER TABLE trading_order DISABLE TRIGGER USER")
        db.run("UPDATE trading_order SET book = 't:' || gen_random_uuid()")
        statistics_apply(list(Order.objects.values_list("pk", flat=True)))
        found = day("tournament")
        transaction.set_rollback(True)
    assert (found["won"], found["lost"]) == (1, 1)
    traded(market, trader, ledger="demo", lost=1)
    facts_apply(100)
    assert (day("demo")["won"], day("demo")["lost"]) == (1, 2)
    assert WindowOrder.objects.count() == 0


@pytest.mark.parametrize(
    ("settled_at_ms", "expected"),
    [(0, "1970-01-01"), (86_399_999, "1970-01-01"), (86_400_000, "1970-01-02"), (1_798_761_599_999, "2026-12-31")],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_a_day_ends_at_midnight_utc(settled_at_ms: int, expected: str, zone: str) -> None:
    """Rules 3: the day is the UTC day of the settlement, to the millisecond, whatever the session's time zone."""
    with transaction.atomic():
        db.run(f"SET LOCAL timezone = '{zone}'")
        assert db.row(f"SELECT ({DAY_SQL})::text FROM (SELECT {settled_at_ms} AS settled_at_ms) AS o") == (expected,)


def test_nothing_is_counted_before_its_settlement_is_committed(market: Market, trader: Trader) -> None:
    """Architecture: the fact goes with the transaction that settles; open orders are not counted."""
    trader.place(market, ledger="real", duration_s=60)
    facts_apply(100)
    assert (FactBatch.objects.count(), DailySymbol.objects.count()) == (0, 0)


def test_racing_workers_count_each_order_once(market: Market) -> None:
    """F-04, I-35: many batches of the same days applied by four workers add up, and none deadlocks."""
    people = [trader_open(real="900.00") for _ in range(4)]
    for _ in range(3):
        traded(market, *people, won=2, lost=2)
    # Batches of one order each are what contends most.
    waiting = FactBatch.objects.filter(subscriber="statistics").values_list("references", flat=True)
    references = [one for batch in waiting for one in batch]
    FactBatch.objects.all().delete()
    FactBatch.objects.bulk_create(
        FactBatch(subscriber="statistics", fact="order.settled", references=[one], at_ms=0) for one in references
    )
    taken = at_once(4, lambda _: facts_apply(1_000))
    assert sum(taken) == len(references) == 48
    assert (day("real")["won"], day("real")["lost"], WindowOrder.objects.count()) == (24, 24, 48)
    assert violations() == {}


def test_an_order_that_comes_twice_is_refused(market: Market, trader: Trader) -> None:
    """I-35: whatever goes wrong, a real order is not counted twice: its batch fails and says so."""
    traded(market, trader, won=1)
    (references,) = FactBatch.objects.filter(subscriber="statistics").values_list("references", flat=True)
    facts_apply(100)
    FactBatch.objects.create(subscriber="statistics", fact="order.settled", references=references, at_ms=0)
    assert facts_apply(100) == 1
    assert "IntegrityError" in FactBatch.objects.get().failed_reason
    assert day("real")["won"] == 1


def test_a_batch_costs_three_statements_whatever_its_size(market: Market, trader: Trader) -> None:
    """Architecture: a subscriber works set-based; its statements lock rows in the order of their keys."""
    people = [trader, *(trader_open(real="90.00") for _ in range(5))]
    traded(market, *people, won=2, lost=1)
    ids = list(Order.objects.values_list("pk", flat=True))
    with statements_logged() as log, transaction.atomic():
        statistics_apply(ids)
    assert [bool(re.search("ORDER BY 1, 2, 3, 4 ON CONFLICT", statement)) for statement in log] == [False, True, True]


def test_orders_settled_before_there_were_statistics_are_counted(market: Market, trader: Trader) -> None:
    """Upgrade: the migration leaves the orders of an older platform in the queue, a thousand to a batch."""
    traded(market, trader, won=2, lost=1)
    refunded(market, trader, ledger="demo")
    trader.place(market, duration_s=60)
    FactBatch.objects.all().delete()
    assert "I-35" in " ".join(violations())
    with connection.cursor() as cursor:
        cursor.execute(import_module("settlement.migrations.0001_statistics").SETTLED_BEFORE)
    assert FactBatch.objects.count() == 1
    assert violations() == {}
    facts_apply(100)
    assert (day("real")["won"], day("real")["lost"], day("demo")["refunded"]) == (2, 1, 1)
    assert violations() == {}
