"""Orders placed at the same time (rules 2; I-03, I-17, I-23, I-24; F-10)."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from kernel.errors import Problem
from ledger.selectors import statement
from quotes.models import Symbol
from tests.books import SnapshotReader, fingerprint, violations
from tests.crowd import at_once, meanwhile, other_connection
from tests.market import db_now_ms, market_open, order_row, settle_due, trader_open
from tests.support import eventually
from trading.events import OrderDocument
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_id_32_times_at_once_is_one_order() -> None:
    """Issue, I-23: one order, 31 repeats, one stake, one pair of events."""
    market, trader = market_open(), trader_open()
    placed = at_once(32, lambda _: trader.placed(market, client_order_id="same"))
    assert Counter(one.repeated for one in placed) == {False: 1, True: 31}
    assert len({one.order.id for one in placed}) == 1
    assert (trader.balance(), trader.open_stakes()) == (999_000, 1_000)
    assert Order.objects.count() == 1
    assert violations() == {}


def test_the_same_id_with_two_terms_at_once_is_one_order_of_one_of_them() -> None:
    """I-23, contract: under one id only one set of terms is ever accepted."""
    market, trader = market_open(), trader_open()

    def place(number: int) -> str:
        try:
            return str(trader.place(market, "up" if number % 2 else "down", client_order_id="same").direction)
        except Problem as problem:
            return problem.code

    answers = Counter(at_once(32, place))
    assert answers["order.client_order_id.reused"] == 16
    assert answers["up"] + answers["down"] == 16
    assert {answers["up"], answers["down"]} == {0, 16}
    assert violations() == {}


def test_16_clients_on_one_wallet_spend_it_once() -> None:
    """Issue, I-02, I-03: 16 clients place until the wallet is empty; not one unit is spent twice."""
    market, trader = market_open(), trader_open(real="100.00")
    reader = SnapshotReader()

    def place(number: int) -> list[int]:
        accepted = []
        for turn in range(10):
            stake = 1 + (number * 5 + turn) % 3
            try:
                order = trader.place(market, "up" if number % 2 else "down", f"{stake}.00", ledger="real")
            except Problem:
                continue
            assert not order.balance_after.startswith("-")
            accepted.append(stake * 100)
        return accepted

    with meanwhile(reader) as raised:
        accepted = at_once(16, place)
    spent = sum(stake for stakes in accepted for stake in stakes)
    assert raised == []
    assert reader.reads > 0
    assert trader.balance("real") == 10_000 - spent < 300
    assert trader.open_stakes("real") == spent
    entries = statement(account_id=trader.wallets["real"], before_no=None, limit=500)
    assert min(entry.balance_after for entry in entries) >= 0
    assert violations() == {}


def test_refusals_under_contention_are_of_funds_only() -> None:
    """F-10: contention brings no deadlock and no failure of ours: every answer is an order or a refusal by rule."""
    market, traders = market_open(), [trader_open(real="30.00") for _ in range(4)]

    def place(number: int) -> Counter[str]:
        answers: Counter[str] = Counter()
        for turn in range(8):
            trader = traders[(number + turn) % len(traders)]
            try:
                trader.place(market, ledger="real" if turn % 2 else "demo", stake="2.00")
                answers["placed"] += 1
            except Problem as problem:
                answers[problem.code] += 1
        return answers

    answers = sum(at_once(16, place), Counter())
    assert set(answers) <= {"placed", "wallet.insufficient_funds"}
    assert answers["placed"] >= 64
    assert violations() == {}


def _someone_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        found = cursor.fetchone()
        return found is not None and found[0] > 0


def test_a_wallet_that_stays_locked_answers_busy_and_nothing_has_happened() -> None:
    """Rules 2, check 1: the lock is waited for at most 2 s, then 503 ``order.busy``, retryable."""
    market, trader = market_open(), trader_open()
    before = fingerprint()
    with other_connection() as holder:
        holder.execute("SELECT id FROM ledger_account WHERE id = %s FOR NO KEY UPDATE", [trader.wallets["demo"]])
        started = time.monotonic()
        with pytest.raises(Problem) as refused:
            trader.place(market, client_order_id="busy")
        waited = time.monotonic() - started
    assert (refused.value.status, refused.value.code, refused.value.retryable) == (503, "order.busy", True)
    assert 1.9 < waited < 4
    assert fingerprint() == before
    assert not trader.placed(market, client_order_id="busy").repeated


def test_price_and_clock_are_read_after_the_wallets_lock() -> None:
    """I-17, architecture: everything is read in a new snapshot after the lock; an older price would be stale."""
    market, trader = market_open(), trader_open()

    def place() -> OrderDocument:
        try:
            return trader.place(market)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, other_connection() as holder:
        holder.execute("SELECT id FROM ledger_account WHERE id = %s FOR NO KEY UPDATE", [trader.wallets["demo"]])
        waiting = pool.submit(place)
        eventually(_someone_waits, within_s=2, every_s=0.01)
        newest = market.admitted("1.08999")
        released_ms = db_now_ms()
        holder.rollback()
        row = order_row(waiting.result(timeout=10))
    assert row.accepted_at_ms >= released_ms
    assert (row.open_seq, row.open_price) == (newest, 108_999)


def test_an_order_that_waited_is_judged_by_the_market_as_it_is_then() -> None:
    """I-17, rules 2: a halt that came while the order waited for its wallet refuses it."""
    market, trader = market_open(), trader_open()

    def place() -> str:
        try:
            return trader.place(market).id
        except Problem as problem:
            return problem.code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, other_connection() as holder:
        holder.execute("SELECT id FROM ledger_account WHERE id = %s FOR NO KEY UPDATE", [trader.wallets["demo"]])
        waiting = pool.submit(place)
        eventually(_someone_waits, within_s=2, every_s=0.01)
        Symbol.objects.filter(pk=market.id).update(operator_state="halted", state_reason="news")
        holder.rollback()
        assert waiting.result(timeout=10) == "market.halted"


def test_placing_and_settling_at_once_keep_the_books() -> None:
    """F-10, I-01, I-02: traders place while settlement takes their wallets' locks; nothing deadlocks or is lost."""
    market, traders = market_open(max_tick_age_ms=60_000), [trader_open() for _ in range(4)]
    for trader in traders:
        for _ in range(5):
            trader.place(market, duration_s=1)
    market.admitted("1.08600")
    market.admitted("1.08600", at_ms=db_now_ms() + 1_500)

    def act(number: int) -> int:
        if number < 2:
            return settle_due(limit=3)
        for _ in range(5):
            traders[number % 4].place(market, duration_s=30)
        return 0

    assert sum(at_once(8, act)) == 20
    assert Order.objects.filter(state="won").count() == 20
    assert Order.objects.filter(state="open").count() == 30
    assert violations() == {}
