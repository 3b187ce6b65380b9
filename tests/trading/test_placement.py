"""Placing orders on a real database: one transaction, nothing changed by a refusal (rules 2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import user_ban
from kernel import db
from kernel.clock import rfc3339
from kernel.errors import Problem
from ledger.selectors import statement
from quotes.models import Symbol
from quotes.services import symbol_halt, symbol_payout_set
from tests.books import fingerprint, violations
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from trading.models import Order, OrderOpen, TradingPolicy

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def test_an_accepted_order_is_stored_with_all_that_belongs_to_it(market: Market, trader: Trader) -> None:
    """Rules 2: wallet to stakes, order with frozen terms, what is due, events: all in one."""
    before_ms = db_now_ms()
    order = trader.place(market, "down", "12.34", client_order_id="first", duration_s=30)
    row = order_row(order)
    assert before_ms <= row.accepted_at_ms <= db_now_ms()
    assert row.expires_at_ms == row.accepted_at_ms + 30_000
    assert (row.state, row.stake, row.direction, row.payout_percent) == ("open", 1_234, "down", 85)
    assert (row.open_seq, row.open_price, row.entered_at_ms) == (1, 108_512, row.accepted_at_ms)
    assert OrderOpen.objects.get(pk=row.id).expires_at_ms == row.expires_at_ms
    assert (trader.balance(), trader.open_stakes()) == (998_766, 1_234)
    newest = statement(account_id=trader.wallets["demo"], before_no=None, limit=1)[0]
    assert (newest.family, newest.amount, newest.reference) == ("order.stake", -1_234, row.id)
    assert violations() == {}


def test_the_answer_is_the_order_of_the_contract(market: Market, trader: Trader) -> None:
    """Contract, Order: every member, as text in its scale; ``entered_at`` = ``accepted_at`` under last_tick/1."""
    order = trader.place(market, ledger="real", client_order_id="a1")
    row = order_row(order)
    assert (order.client_order_id, order.ledger, order.wallet_id) == ("a1", "real", str(trader.wallets["real"]))
    assert (order.symbol, order.direction, order.stake, order.payout_percent) == ("EURUSD", "up", "10.00", 85)
    assert (order.entry_rule, order.settlement_rule, order.state) == ("last_tick/1", "last_tick/1", "open")
    assert order.accepted_at == order.entered_at == rfc3339(row.accepted_at_ms)
    assert order.expires_at == rfc3339(row.expires_at_ms)
    assert order.open_tick is not None
    assert (order.open_price, order.open_tick.price, order.open_tick.seq) == ("1.08512", "1.08512", 1)
    unsettled = (order.close_price, order.close_tick, order.settled_at, order.payout, order.profit)
    assert unsettled == (None, None, None, None, None)
    assert (order.reason, order.source, order.balance_after) == (None, "api", "90.00")


def test_the_events_of_a_placement(market: Market, trader: Trader) -> None:
    """Contract, I-29, I-30: ``order.opened`` with the order, then ``balance.changed``, gap-free."""
    first = _newest_seq(trader)
    order = trader.place(market)
    told = db.rows(
        "SELECT seq, book, type, payload FROM realtime_event WHERE user_id = %s AND seq > %s ORDER BY seq",
        [trader.user.id, first],
    )
    assert [row[:3] for row in told] == [(first + 1, "demo", "order.opened"), (first + 2, "demo", "balance.changed")]
    opened, changed = (json.loads(row[3]) for row in told)
    assert (opened["id"], opened["balance_after"]) == (order.id, "9990.00")
    assert changed == {
        "wallet_id": str(trader.wallets["demo"]),
        "ledger": "demo",
        "balance": "9990.00",
        "open_stakes": "10.00",
        "cause": "order.opened",
    }


def _newest_seq(trader: Trader) -> int:
    found = db.row("SELECT seq FROM realtime_event_counter WHERE user_id = %s", [trader.user.id])
    assert found is not None
    return int(found[0])


def _banned(trader: Trader, _: Market) -> None:
    user_ban(email=trader.user.email, reason="fraud", now_ms=db_now_ms())


def _user(**fields: Any) -> Callable[[Trader, Market], None]:
    def change(trader: Trader, _: Market) -> None:
        User.objects.filter(pk=trader.user.id).update(**fields)

    return change


def _symbol(**fields: Any) -> Callable[[Trader, Market], None]:
    def change(_: Trader, market: Market) -> None:
        Symbol.objects.filter(pk=market.id).update(**fields)

    return change


def _bonus_wallet(trader: Trader) -> UUID:
    """Open an empty wallet that policies bind; bonuses themselves come with payments."""
    wallet_id, stakes_id = uuid4(), uuid4()
    for account_id, kind, of in ((wallet_id, "bonus", None), (stakes_id, "stakes", wallet_id)):
        db.run(
            "INSERT INTO ledger_account (id, owner_id, book, currency, kind, stripe, wallet_id, balance, entry_no,"
            " opened_at_ms) VALUES (%s, %s, 'real', 'USD', %s, 0, %s, 0, 0, 0)",
            [account_id, trader.user.id, kind, of],
        )
    return wallet_id


def _policy(**fields: Any) -> Callable[[Trader, Market], None]:
    def change(trader: Trader, _: Market) -> None:
        trader.wallets["bonus"] = _bonus_wallet(trader)
        TradingPolicy.objects.create(wallet_id=trader.wallets["bonus"], **fields)

    return change


def _stale(_: Trader, market: Market) -> None:
    Symbol.objects.filter(pk=market.id).update(max_tick_age_ms=1)
    db.run("SELECT pg_sleep(0.01)")


def _clock_set_back(_: Trader, market: Market) -> None:
    """Leave the log where a clock that was ahead has brought it (F-12)."""
    market.admitted("1.08600", at_ms=market.now_ms + 10_000)


def _halted(_: Trader, market: Market) -> None:
    symbol_halt(code=market.code, reason="news")


def _close_only(_: Trader, market: Market) -> None:
    symbol_halt(code=market.code, reason="renaming", close_only=True)


def _nothing(_: Trader, __: Market) -> None:
    """Change nothing."""


FAR_MS = 9_000_000_000_000
REFUSALS: list[tuple[str, Callable[[Trader, Market], None], dict[str, Any]]] = [
    ("account.banned", _banned, {}),
    ("account.excluded", _user(excluded_until_ms=FAR_MS), {}),
    ("account.on_break", _user(break_until_ms=FAR_MS), {}),
    ("account.unverified", _user(level=0), {}),
    ("wallet.not_tradable", _policy(tradable_from_ms=FAR_MS), {}),
    ("wallet.not_tradable", _policy(tradable_until_ms=1), {}),
    ("symbol.unknown", _nothing, {"symbol": "NOPE"}),
    ("symbol.unknown", _nothing, {"symbol": "EURUSD' OR '1'='1"}),
    ("symbol.not_offered", _symbol(offered_real=False), {}),
    ("wallet.symbol_not_allowed", _policy(symbols=["GBPUSD"]), {}),
    ("order.direction.invalid", _nothing, {"direction": "UP"}),
    ("order.stake.precision", _nothing, {"stake": "10.001"}),
    ("order.stake.below_minimum", _nothing, {"stake": "0.99"}),
    ("order.stake.above_maximum", _nothing, {"stake": "5000.01"}),
    ("order.stake.above_maximum", _nothing, {"stake": "9" * 15}),
    ("order.stake.above_maximum", _policy(max_stake=999), {}),
    ("order.stake.below_minimum", _policy(min_stake=1_001), {}),
    ("order.duration.out_of_range", _nothing, {"duration_s": 86_401}),
    ("order.duration.out_of_range", _nothing, {"duration_s": None, "expires_at_ms": 0}),
    ("order.duration.out_of_range", _nothing, {"duration_s": None, "expires_at_ms": FAR_MS}),
    ("market.halted", _halted, {}),
    ("market.close_only", _close_only, {}),
    ("market.stale", _stale, {}),
    ("market.stale", _clock_set_back, {"duration_s": 5}),
    ("order.payout_moved", _nothing, {"min_payout_percent": 86}),
    ("order.price_moved", _nothing, {"expected_price": "1.09", "max_price_drift": "0.001"}),
    ("wallet.insufficient_funds", _nothing, {"stake": "100.01"}),
]


@pytest.mark.parametrize(("code", "arrange", "terms"), REFUSALS)
def test_a_refusal_changes_nothing(
    market: Market, trader: Trader, code: str, arrange: Callable[[Trader, Market], None], terms: dict[str, Any]
) -> None:
    """Rules 2: the first check that fails is the answer, and nothing has changed."""
    arrange(trader, market)
    before = fingerprint()
    asked: dict[str, Any] = {"market": market, "ledger": "real"} | terms
    if "bonus" in trader.wallets:
        asked["wallet_id"] = trader.wallets["bonus"]
    with pytest.raises(Problem) as refused:
        trader.place(**asked)
    assert refused.value.code == code
    assert fingerprint() == before


@pytest.mark.parametrize("ledger", ["real", "demo"])
def test_no_policy_narrows_one_clients_ordinary_wallet(market: Market, trader: Trader, ledger: str) -> None:
    """Fairness: a row for a real or demo wallet, however it came there, binds nobody."""
    TradingPolicy.objects.create(
        wallet_id=trader.wallets[ledger], symbols=[], min_stake=1, max_stake=1, tradable_until_ms=1
    )
    assert trader.place(market, ledger=ledger).state == "open"


def test_a_symbol_without_ticks_is_stale(trader: Trader) -> None:
    """Rules 2, checks 8 and 9: no tick, no order."""
    with pytest.raises(Problem, match=r"market\.stale"):
        trader.place(market_open("GBPUSD", price=None))


def test_the_ledgers_are_offered_apart(market: Market, trader: Trader) -> None:
    """Rules 2, check 5: offered on this ledger."""
    Symbol.objects.filter(pk=market.id).update(offered_demo=False)
    assert trader.place(market, ledger="real").ledger == "real"
    with pytest.raises(Problem, match=r"symbol\.not_offered"):
        trader.place(market, ledger="demo")


def test_a_foreign_or_missing_wallet_is_unknown(market: Market, trader: Trader) -> None:
    """Contract: 404 ``wallet.unknown`` for what is not yours, the stakes account included."""
    stakes = db.row("SELECT id FROM ledger_account WHERE wallet_id = %s", [trader.wallets["demo"]])
    assert stakes is not None
    for wallet_id in (trader_open().wallets["demo"], UUID(int=404), stakes[0]):
        with pytest.raises(Problem) as refused:
            trader.place(market, wallet_id=wallet_id)
        assert (refused.value.status, refused.value.code) == (404, "wallet.unknown")


def test_a_token_bound_to_a_ledger_learns_nothing_of_others(market: Market, trader: Trader) -> None:
    """Contract, Auth: orders on other ledgers are 403, by ledger and by wallet_id."""
    trader.caller = replace(trader.caller, ledgers=frozenset({"demo"}))
    for terms in ({"ledger": "real"}, {"wallet_id": trader.wallets["real"]}):
        with pytest.raises(Problem) as refused:
            trader.place(market, **terms)
        assert (refused.value.status, refused.value.code) == (403, "auth.ledger")
    assert trader.place(market, wallet_id=trader.wallets["demo"]).ledger == "demo"


# --- repeats ---------------------------------------------------------------------------------------


def test_a_repeat_is_answered_with_the_order_as_it_is_now(market: Market, trader: Trader) -> None:
    """Contract, Idempotency: a repeat with equal terms answers with the order as it is now."""
    placed = trader.placed(market, client_order_id="same", duration_s=5)
    before = fingerprint()
    again = trader.placed(market, client_order_id="same", duration_s=5)
    assert (placed.repeated, again.repeated) == (False, True)
    assert again.order == placed.order
    assert fingerprint() == before
    market.admitted("1.09000", at_ms=order_row(placed.order).expires_at_ms)
    market.admitted("1.09000", at_ms=order_row(placed.order).expires_at_ms + 1)
    settle_due()
    settled = trader.placed(market, client_order_id="same", duration_s=5)
    assert (settled.repeated, settled.order.id, settled.order.state) == (True, placed.order.id, "won")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"stake": "10"}, {"stake": "10.00"}),
        ({"stake": "10.00"}, {"stake": "0010.0"}),
        (
            {"max_price_drift": "0.10", "expected_price": "1.0850"},
            {"max_price_drift": "0.1", "expected_price": "01.085"},
        ),
    ],
)
def test_equal_terms_are_equal_however_they_are_spelt(
    market: Market, trader: Trader, first: dict[str, Any], again: dict[str, Any]
) -> None:
    """Contract, Idempotency: amounts compare by value."""
    placed = trader.placed(market, client_order_id="spelt", **first)
    assert trader.placed(market, client_order_id="spelt", **again).order.id == placed.order.id


def test_a_ledger_equals_its_wallet_id(market: Market, trader: Trader) -> None:
    """Contract, Idempotency: ``ledger`` equals its ``wallet_id``."""
    placed = trader.placed(market, client_order_id="same")
    assert trader.placed(market, client_order_id="same", wallet_id=trader.wallets["demo"]).order == placed.order


@pytest.mark.parametrize(
    "other",
    [
        {"stake": "10.01"},
        {"direction": "down"},
        {"symbol": "GBPUSD"},
        {"duration_s": 61},
        {"duration_s": None, "expires_at_ms": FAR_MS},
        {"min_payout_percent": 80},
        {"max_price_drift": "1", "expected_price": "1.08"},
        {"stake": "10.001"},
        {"direction": "sideways"},
        {"symbol": "NOPE"},
    ],
)
def test_other_terms_under_a_known_id_are_refused(market: Market, trader: Trader, other: dict[str, Any]) -> None:
    """Contract, Idempotency: 422 ``order.client_order_id.reused``, before anything else of the terms is judged."""
    market_open("GBPUSD")
    trader.place(market, client_order_id="same")
    before = fingerprint()
    asked: dict[str, Any] = {"market": market, "client_order_id": "same"} | other
    with pytest.raises(Problem) as refused:
        trader.place(**asked)
    assert (refused.value.status, refused.value.code) == (422, "order.client_order_id.reused")
    assert fingerprint() == before


def test_a_duration_never_equals_an_expiry(market: Market, trader: Trader) -> None:
    """Contract, Idempotency: ``duration_s`` never equals ``expires_at``, even when they name the same instant."""
    placed = trader.place(market, client_order_id="same")
    expires_at_ms = order_row(placed).expires_at_ms
    with pytest.raises(Problem, match=r"client_order_id\.reused"):
        trader.place(market, client_order_id="same", duration_s=None, expires_at_ms=expires_at_ms)


def test_an_id_is_the_wallets_own(market: Market, trader: Trader) -> None:
    """Contract: unique per wallet for ever: another wallet or user may use the same one."""
    ids = {trader.place(market, client_order_id="one", ledger=ledger).id for ledger in ("demo", "real")}
    ids.add(trader_open().place(market, client_order_id="one").id)
    assert len(ids) == 3


def test_a_refused_id_may_be_used_again(market: Market, trader: Trader) -> None:
    """I-24, contract: only an accepted order uses up its id: a refused one is judged anew."""
    symbol_halt(code=market.code, reason="news")
    with pytest.raises(Problem, match=r"market\.halted"):
        trader.place(market, client_order_id="again")
    Symbol.objects.filter(pk=market.id).update(operator_state="open", state_reason="")
    assert not trader.placed(market, client_order_id="again").repeated


def test_a_repeat_is_answered_whatever_has_become_of_the_account(market: Market, trader: Trader) -> None:
    """Rules 2, check 2: same terms return the stored order whatever the account's state is now."""
    placed = trader.place(market, client_order_id="same")
    _banned(trader, market)
    symbol_halt(code=market.code, reason="news")
    assert trader.placed(market, client_order_id="same").order == placed


# --- what is frozen --------------------------------------------------------------------------------


def test_later_edits_bind_new_orders_only(market: Market, trader: Trader) -> None:
    """I-18, rules 2: payout, max tick age and rules are frozen on the order."""
    old = trader.place(market)
    symbol_payout_set(code=market.code, percent=70, inputs={"cause": "test"})
    Symbol.objects.filter(pk=market.id).update(max_tick_age_ms=2_000)
    new = trader.place(market)
    assert (order_row(old).payout_percent, order_row(old).max_tick_age_ms) == (85, 3_000)
    assert (order_row(new).payout_percent, order_row(new).max_tick_age_ms) == (70, 2_000)


def test_the_newest_admitted_tick_opens(market: Market, trader: Trader) -> None:
    """Rules 2, entry rule last_tick/1: the newest admitted tick at acceptance, the same for every ledger."""
    market.admitted("1.08513")
    seq = market.admitted("1.08514")
    market.tick("1.50000")
    opened = [trader.place(market, ledger=ledger).open_tick for ledger in ("demo", "real")]
    assert [(tick.seq, tick.price) for tick in opened if tick is not None] == [(seq, "1.08514")] * 2


# --- cost ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_placement_is_one_transaction_of_at_most_6_statements() -> None:
    """Issue, architecture: one transaction, three statements between BEGIN and COMMIT, accepted or repeated."""
    market, trader = market_open(), trader_open()
    trader.place(market)
    for terms in ({}, {"client_order_id": "same"}, {"client_order_id": "same"}):
        with CaptureQueriesContext(connection) as captured:
            trader.place(market, **terms)
        sent = [query["sql"] for query in captured]
        assert (sent[0], sent[-1]) == ("BEGIN", "COMMIT")
        assert sent.count("BEGIN") == sent.count("COMMIT") == 1
        assert len(sent[1:-1]) == 3
        assert not any("SAVEPOINT" in sql for sql in sent)
    assert Order.objects.count() == 3
