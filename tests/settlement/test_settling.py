"""Due orders are settled from the stored log, once, in a constant number of statements (rules 3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.services import user_ban
from kernel import db
from ledger.selectors import statement
from quotes.models import Symbol
from quotes.services import symbol_halt, symbol_payout_set
from settlement.audit import orders_audit
from settlement.services import orders_settle
from tests.books import violations
from tests.market import Market, Trader, db_now_ms, due, market_open, order_row, settle_due, trader_open
from trading.models import Order

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Case:
    """Ticks as (milliseconds from expiry, price) that follow the opening at 1.08512, and what they decide for up."""

    name: str
    ticks: list[tuple[int, str]]
    state: str
    close: str | None = None
    reason: str | None = None
    terms: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("a win by one step", [(-500, "1.08513"), (1, "1.08000")], "won", "1.08513"),
    Case("a loss by one step", [(-500, "1.08511"), (1, "1.09000")], "lost", "1.08511"),
    Case("a tie at the opening price", [(-500, "1.08512"), (1, "1.09000")], "tied", "1.08512"),
    Case("a tick exactly at expiry counts", [(-1, "1.08000"), (0, "1.09000"), (1, "1.08000")], "won", "1.09000"),
    Case("a tick one millisecond late does not", [(-1, "1.08000"), (1, "1.09000")], "lost", "1.08000"),
    Case("of equal times the last to arrive", [(0, "1.08000"), (0, "1.09000"), (9, "1.08000")], "won", "1.09000"),
    Case("the opening tick itself, if fresh", [(1, "1.09000")], "tied", "1.08512"),
    Case("the oldest fresh tick", [(-3_000, "1.09000"), (1, "1.08000")], "won", "1.09000"),
    Case("a stale tick", [(-3_001, "1.09000"), (1, "1.08000")], "refunded", "1.09000", "stale_tick"),
    Case("a stale opening tick", [(1, "1.08000")], "refunded", "1.08512", "stale_tick", {"duration_s": 9}),
]
MIRRORED = {"won": "lost", "lost": "won", "tied": "tied", "refunded": "refunded"}
PAYOUT = {"won": 1_850, "lost": 0, "tied": 1_000, "refunded": 1_000}


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def _duration(case: Case) -> dict[str, Any]:
    """Let no tick of a case lie before the opening, and the second order have a second left."""
    earliest_ms = -min(offset for offset, _ in case.ticks)
    return {"duration_s": 2 + max(earliest_ms, 0) // 1_000} | case.terms


@pytest.mark.parametrize("ledger", ["demo", "real"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_outcome_follows_from_the_log(market: Market, trader: Trader, case: Case, ledger: str) -> None:
    """Rules 3, I-12, I-13, I-15: evidence is the last tick at or before expiry; up and down mirror each other."""
    before = trader.balance(ledger)
    up = trader.place(market, "up", ledger=ledger, **_duration(case))
    down = trader.place(market, "down", ledger=ledger, duration_s=None, expires_at_ms=order_row(up).expires_at_ms)
    expires_ms = order_row(up).expires_at_ms
    for offset_ms, price in case.ticks:
        market.admitted(price, at_ms=expires_ms + offset_ms)
    market.admitted(case.ticks[-1][1], at_ms=expires_ms + 5_000)
    assert settle_due() == 2
    for order, state in ((order_row(up), case.state), (order_row(down), MIRRORED[case.state])):
        assert (order.state, order.payout, order.reason) == (state, PAYOUT[state], case.reason)
        assert order.close_price == (case.close and int(case.close.replace(".", "")))
        assert order.settled_at_ms is not None
    paid = PAYOUT[case.state] + PAYOUT[MIRRORED[case.state]]
    assert (trader.balance(ledger), trader.open_stakes(ledger)) == (before - 2_000 + paid, 0)
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_an_order_is_due_when_the_watermark_reaches_its_expiry_and_not_before(market: Market, trader: Trader) -> None:
    """Rules 3: due when W >= expires_at; a tick raises W to one millisecond before itself."""
    order = trader.place(market, duration_s=1)
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.09000", at_ms=expires_ms - 1)
    market.admitted("1.09000", at_ms=expires_ms)
    assert settle_due() == 0
    market.admitted("1.09001", at_ms=expires_ms + 1)
    assert settle_due() == 1
    assert settle_due() == 0


def test_only_the_orders_symbol_makes_it_due(market: Market, trader: Trader) -> None:
    """Rules 3: each symbol has its own watermark."""
    order, other = trader.place(market, duration_s=1), market_open("GBPUSD")
    other.admitted("1.08512", at_ms=order_row(order).expires_at_ms + 60_000)
    assert settle_due() == 0


def test_an_order_whose_log_is_gone_is_refunded(market: Market, trader: Trader) -> None:
    """Rules 3, ``no_tick``: silence is a state; nothing is guessed."""
    order = trader.place(market, duration_s=1)
    market.admitted("1.09000", at_ms=order_row(order).expires_at_ms + 1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE quotes_tick DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM quotes_tick WHERE at_ms <= %s", [order_row(order).expires_at_ms])
    assert settle_due() == 1
    row = order_row(order)
    assert (row.state, row.reason, row.payout, row.close_seq) == ("refunded", "no_tick", 1_000, None)
    assert trader.balance() == 1_000_000


def test_another_revision_refunds(market: Market, trader: Trader) -> None:
    """Rules 3, ``revision``: opening and evidence tick mean different things."""
    order = trader.place(market, duration_s=1)
    market.revised()
    market.admitted("1.09000", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.09000", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    row = order_row(order)
    assert (row.state, row.reason, row.close_seq, row.close_price) == ("refunded", "revision", 2, None)
    document = trader.http().get(f"/api/v1/orders/{order.id}").json()
    # The price of another revision may have another scale: it is no price of this order.
    assert (document["close_price"], document["close_tick"], document["payout"]) == (None, None, "10.00")
    assert violations() == {}


def _halted(trader: Trader, market: Market) -> None:
    symbol_halt(code=market.code, reason="news")


def _close_only(trader: Trader, market: Market) -> None:
    symbol_halt(code=market.code, reason="renaming", close_only=True)


def _payout_cut(trader: Trader, market: Market) -> None:
    symbol_payout_set(code=market.code, percent=70, inputs={"cause": "test"})


def _terms_edited(trader: Trader, market: Market) -> None:
    Symbol.objects.filter(pk=market.id).update(
        max_tick_age_ms=1, min_stake_minor=400_000, min_duration_s=80_000, offered_demo=False
    )


def _banned(trader: Trader, market: Market) -> None:
    user_ban(email=trader.user.email, reason="fraud", now_ms=db_now_ms())


@pytest.mark.parametrize("act", [_halted, _close_only, _payout_cut, _terms_edited, _banned])
def test_an_operators_act_never_changes_an_open_orders_result(
    market: Market, trader: Trader, act: Callable[[Trader, Market], None]
) -> None:
    """Rules 3, I-18: halt, close-only, payout edits, new terms and bans bind new orders only."""
    order = trader.place(market, duration_s=1)
    act(trader, market)
    market.admitted("1.09000", at_ms=order_row(order).expires_at_ms - 500)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms + 1)
    assert settle_due() == 1
    row = order_row(order)
    assert (row.state, row.payout, row.payout_percent) == ("won", 1_850, 85)
    assert violations() == {}


def test_profit_is_floored(market: Market, trader: Trader) -> None:
    """I-10: 1.01 at 85 % pays 0.85 of profit, never 0.86."""
    order = trader.place(market, stake="1.01", duration_s=1)
    market.admitted("1.09000", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.09000", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    assert order_row(order).payout == 101 + 85
    entries = statement(account_id=trader.wallets["demo"], before_no=None, limit=3)
    assert [(entry.family, entry.kind, entry.amount) for entry in entries] == [
        ("order.profit", "profit", 85),
        ("order.close", "won", 101),
        ("order.stake", "stake", -101),
    ]


def test_the_events_of_a_batch(market: Market, trader: Trader) -> None:
    """Contract: ``order.settled`` for each order, ``balance.changed`` once per wallet, losses included; I-30."""
    other = trader_open()
    orders = [
        trader.place(market, "up", duration_s=1),
        trader.place(market, "down", duration_s=1),
        other.place(market, "down", duration_s=1),
    ]
    market.admitted("1.09000", at_ms=order_row(orders[-1]).expires_at_ms - 499)
    market.admitted("1.09000", at_ms=order_row(orders[-1]).expires_at_ms + 1)
    settle_due()
    told = [
        (row[0], row[1], json.loads(row[2]))
        for row in db.rows(
            "SELECT user_id, type, payload FROM realtime_event WHERE at_ms >= %s ORDER BY user_id, seq",
            [order_row(orders[0]).settled_at_ms],
        )
    ]
    mine = [(kind, payload) for user, kind, payload in told if user == trader.user.id]
    assert [kind for kind, _ in mine] == ["order.settled", "order.settled", "balance.changed"]
    assert {payload["id"]: (payload["state"], payload["profit"]) for _, payload in mine[:2]} == {
        orders[0].id: ("won", "8.50"),
        orders[1].id: ("lost", "-10.00"),
    }
    assert (mine[2][1]["balance"], mine[2][1]["open_stakes"], mine[2][1]["cause"]) == (
        "9998.50",
        "0.00",
        "order.settled",
    )
    theirs = [(kind, payload.get("balance")) for user, kind, payload in told if user == other.user.id]
    assert theirs == [("order.settled", None), ("balance.changed", "9990.00")]
    assert violations() == {}


def test_balance_after_follows_the_order_of_settlement(market: Market, trader: Trader) -> None:
    """Contract, Order: ``balance_after`` of each order is its wallet's balance after that order."""
    first = trader.place(market, "up", duration_s=1)
    second = trader.place(market, "down", duration_s=2)
    third = trader.place(market, "up", duration_s=3)
    market.admitted("1.09000", at_ms=order_row(first).expires_at_ms)
    market.admitted("1.09000", at_ms=order_row(third).expires_at_ms)
    market.admitted("1.09000", at_ms=order_row(third).expires_at_ms + 1)
    settle_due()
    assert [order_row(order).balance_after for order in (first, second, third)] == [998_850, 998_850, 1_000_700]
    assert trader.balance() == 1_000_700


def test_the_earliest_expiries_are_settled_first(market: Market, trader: Trader) -> None:
    """Lock order, architecture: orders are claimed by expires_at, id."""
    late = trader.place(market, duration_s=3)
    early = trader.place(market, duration_s=1)
    market.admitted("1.09000", at_ms=order_row(late).expires_at_ms + 1)
    assert orders_settle(due(1)) == 1
    assert (order_row(early).state == "open", order_row(late).state) == (False, "open")


def test_a_limit_bounds_a_batch(market: Market, trader: Trader) -> None:
    """Architecture: a batch takes at most its limit, the rest follows."""
    for _ in range(7):
        trader.place(market, duration_s=1, stake="1.00")
    market.admitted("1.09000", at_ms=db_now_ms() + 60_000)
    assert [orders_settle(due(3)) for _ in range(4)] == [3, 3, 1, 0]
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_a_batch_costs_the_same_statements_whatever_its_size() -> None:
    """Issue: settlement is a constant number of statements per batch, in one transaction, over many wallets."""
    counts = []
    market, traders = market_open(max_tick_age_ms=600_000), [trader_open(real="500.00") for _ in range(10)]
    for size in (2, 200):
        for number in range(size):
            trader = traders[number % len(traders)]
            trader.place(
                market, "up" if number % 3 else "down", "1.00", ledger="real" if number % 2 else "demo", duration_s=1
            )
        market.admitted("1.08600" if size == 2 else "1.08700", at_ms=market.now_ms + 100)
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(expires_at_ms) FROM trading_order_open")
            (last_ms,) = cursor.fetchone() or (0,)
        market.admitted("1.08600", at_ms=max(last_ms, market.now_ms) + 1)
        ids = due(1_000)
        with CaptureQueriesContext(connection) as captured:
            assert orders_settle(ids) == size
        sent = [query["sql"] for query in captured]
        assert (sent[0], sent[-1], sent.count("BEGIN")) == ("BEGIN", "COMMIT", 1)
        counts.append(len(sent) - 2)
    # Claim, what is due no more, facts, the places of wallets that are new here, money, orders, events.
    assert counts[0] == counts[1] == 7
    assert Order.objects.filter(state="open").count() == 0
    assert violations() == {}
