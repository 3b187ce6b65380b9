"""A revision of a symbol binds new orders only: the open ones run out by the old one (rules 1 and 3, F-18)."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

import trading.services as placement
from kernel.errors import Problem
from quotes import revisions
from quotes.admission import SymbolTerms
from quotes.domain import Refusal
from quotes.models import FeedDeclaration, Incident, Symbol, SymbolHead, SymbolRevision
from quotes.revisions import RevisedTerms, revision_cancel, revision_request, revision_terms
from quotes.selectors import candles_between, symbol_by_code
from settlement.audit import orders_audit
from settlement.revisions import revision_emergency_approve, revisions_activate
from settlement.worker import SettlementLoop
from tests.accounts.people import person
from tests.books import violations
from tests.logged import statements_logged
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def revise(market: Market, **changes: Any) -> SymbolRevision:
    """Ask for a revision of the terms in force with some changes."""
    terms = replace(revision_terms(Symbol.objects.get(pk=market.id)), **changes)
    return revision_request(code=market.code, terms=terms, reason="A finer scale", by_id=None, now_ms=db_now_ms())


def follow(market: Market) -> None:
    """Let the market's parser read the symbol again, as it does each second."""
    market.symbol.refresh_from_db()
    symbol, log = market.symbol, market.log
    log.terms = SymbolTerms(
        symbol.pk, symbol.code, symbol.feed, symbol.source, symbol.price_scale, symbol.price_source, symbol.revision
    )


def in_force() -> int:
    """Put in force what may; transactions of other tests on the same server may hold it up for a moment."""
    return eventually(revisions_activate, within_s=30)


def state(market: Market) -> tuple[str, str]:
    """Return a market's state and reason."""
    found = symbol_by_code(market.code).market.state
    return found.state.value, found.reason


def sound(*orders: Any) -> None:
    """Check the books, and that the audit decides as settlement did."""
    assert violations() == {}
    audit = orders_audit(from_ms=0, to_ms=2**53)
    assert (audit.checked, audit.differences) == (len(orders), [])


def test_an_open_order_runs_out_by_the_old_revision_before_the_new_one_is_in_force(
    market: Market, trader: Trader
) -> None:
    """Rules 1: a change takes effect after the last order open at that moment; until then close-only."""
    order = trader.place(market, "up", duration_s=5)
    revise(market, price_scale=3)

    assert state(market) == ("close_only", "The symbol is being revised; its open orders run out first.")
    with pytest.raises(Problem) as problem:
        trader.place(market, "up")
    assert problem.value.code == "market.close_only"
    assert revisions_activate() == 0

    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.08600", at_ms=expires_ms)
    assert settle_due() == 0
    assert revisions_activate() == 0
    market.admitted("1.08000", at_ms=expires_ms + 1)
    assert settle_due() == 1
    assert in_force() == 1

    row = order_row(order)
    assert (row.state, row.close_price, row.revision, row.price_scale) == ("won", 108_600, 1, 5)
    symbol = Symbol.objects.get(pk=market.id)
    assert (symbol.revision, symbol.price_scale, symbol.pending_revision) == (2, 3, None)
    assert SymbolRevision.objects.get(symbol=symbol, number=2).since_ms == expires_ms + 2
    assert revisions_activate() == 0
    sound(order)


def test_orders_under_the_new_revision_open_and_settle_in_the_new_scale(market: Market, trader: Trader) -> None:
    """Rules 1: the log goes on; its numbers, times and watermark never fall."""
    before = SymbolHead.objects.get(pk=market.id)
    revise(market, price_scale=3)
    assert in_force() == 1
    after = SymbolHead.objects.get(pk=market.id)
    assert (after.seq, after.tick_at_ms, after.watermark_ms) == (before.seq, before.tick_at_ms, before.watermark_ms)
    assert (after.tick_price, after.candidate_price) == (None, None)
    assert state(market) == ("stale", "There is no price yet.")

    follow(market)
    assert market.admitted("1.0856") == before.seq + 1
    order = trader.place(market, "up", duration_s=2)
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.087", at_ms=expires_ms)
    market.admitted("1.087", at_ms=expires_ms + 1)
    settle_due()

    row = order_row(order)
    assert (row.state, row.open_price, row.close_price, row.revision, row.price_scale) == ("won", 1_086, 1_087, 2, 3)
    sound(order)


def test_the_first_tick_after_a_change_of_scale_is_no_outlier_and_the_second_may_be(market: Market) -> None:
    """Rules 1: the level starts anew with a revision, and the outlier rule with it."""
    revise(market, price_scale=1)
    in_force()
    follow(market)

    market.admitted("64000.5")
    batch = market.tick("71000.0")

    assert [one.reason for one in batch.refused] == [Refusal.OUTLIER]
    assert SymbolHead.objects.get(pk=market.id).tick_price == 640_005


def test_a_tick_of_the_old_revision_is_refused_once_the_new_one_is_in_force(market: Market) -> None:
    """Rules 1: what a parser received before it learnt of a revision means something else. Nobody loses the lead."""
    revise(market, price_scale=3)
    in_force()
    head = SymbolHead.objects.get(pk=market.id)

    batch = market.tick("1.08513")

    assert (batch.admitted, [one.reason for one in batch.refused]) == (0, [Refusal.REVISION])
    assert SymbolHead.objects.get(pk=market.id).seq == head.seq
    follow(market)
    assert market.admitted("1.085") == head.seq + 1


def test_another_feed_writes_on_while_the_old_one_still_sends(market: Market) -> None:
    """Rules 1: the old parser's sequence is behind, but it has lost nothing it should stop for."""
    old = market.log.terms
    revise(market, feed="simulator", source="EURUSD")
    in_force()
    follow(market)
    market.admitted("1.09000")
    market.log.terms, market.log.seq = old, 1

    batch = market.tick("1.08513")

    assert [one.reason for one in batch.refused] == [Refusal.REVISION]


def test_a_tick_from_before_the_revision_is_refused(market: Market) -> None:
    """Rules 1: ticks of a revision have times from its beginning on, so that no expiry before it meets them."""
    revise(market, price_scale=3)
    in_force()
    follow(market)
    since_ms = SymbolRevision.objects.get(symbol_id=market.id, number=2).since_ms
    assert since_ms is not None

    early = market.tick("1.085", at_ms=since_ms - 1, received_ms=since_ms + 100)
    timely = market.tick("1.085", at_ms=since_ms, received_ms=since_ms + 100)

    assert [one.reason for one in early.refused] == [Refusal.REVISION]
    assert timely.admitted == 1


def test_candles_across_a_revision_keep_each_tick_in_its_own_scale(market: Market) -> None:
    """Contract, candles: one interval, prices as decimals, whatever the scale was."""
    market.admitted("1.08520")
    revise(market, price_scale=2)
    in_force()
    follow(market)
    market.admitted("1.09")

    rows = candles_between(symbol_id=market.id, interval_s=86_400, from_ms=0, to_ms=2**53)
    if len({row[0] for row in rows}) == 1:
        assert [(row[4], row[6], row[5]) for row in rows] == [(108_520, 1, 2), (109, 2, 1)]
        body = trader_open().http().get(f"/api/v1/symbols/{market.code}/candles?interval=1d").json()["data"]
        assert [(body[-1][key]) for key in ("open", "low", "close", "ticks")] == ["1.08512", "1.08512", "1.09", 3]
        assert body[-1]["high"] == "1.09"


@pytest.mark.parametrize("terms", [{"price_scale": 2}, {"price_source": "last"}, {"feed": "binance", "source": "X"}])
def test_no_revision_leaves_an_order_stuck(market: Market, trader: Trader, terms: dict[str, Any]) -> None:
    """F-18: revised in the middle of an order: it settles by its own terms, even when its feed falls silent."""
    orders = [trader.place(market, "up", duration_s=2), trader.place(market, "down", duration_s=2)]
    revise(market, **terms)
    loop = SettlementLoop()
    expires_ms = order_row(orders[1]).expires_at_ms

    market.admitted("1.08600", at_ms=expires_ms + 1)
    loop.turn()

    assert [order_row(order).state for order in orders] == ["tied", "tied"]

    def revised() -> bool:
        loop.turn()
        return Symbol.objects.get(pk=market.id).revision == 2

    # Transactions of other tests on the same server may hold it up for a moment.
    assert eventually(revised, within_s=30)
    sound(*orders)


def test_a_placement_in_flight_when_the_revision_was_asked_for_is_waited_for(
    market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules 1: an order accepted on the old terms, not committed yet, is open at that moment, too."""
    read, go_on = threading.Event(), threading.Event()
    placed: list[Any] = []
    written = placement._written

    def held_open(*args: Any) -> Any:
        """Stop between what placement reads and what it writes."""
        read.set()
        assert go_on.wait(20)
        return written(*args)

    monkeypatch.setattr(placement, "_written", held_open)

    def place() -> None:
        try:
            placed.append(trader.place(market, "up", duration_s=2))
        finally:
            connection.close()

    thread = threading.Thread(target=place)
    waits = revisions._waits

    def place_before_the_commit(symbol: Symbol, number: int | None) -> None:
        """Let the placement begin when the request has its transaction number, and read before the request commits.

        The request's number is then the highest that has ended, and the placement's lies above it.
        """
        waits(symbol, number)
        thread.start()
        assert read.wait(20)

    monkeypatch.setattr(revisions, "_waits", place_before_the_commit)
    revise(market, price_scale=3)
    try:
        activated_early = [revisions_activate() for _ in range(3)]
    finally:
        go_on.set()
        thread.join(20)
    activated_open = revisions_activate()

    assert activated_early == [0, 0, 0]
    assert (len(placed), activated_open) == (1, 0)
    row = order_row(placed[0])
    assert (row.revision, row.price_scale) == (1, 5)
    market.admitted("1.08513", at_ms=row.expires_at_ms)
    market.admitted("1.08513", at_ms=row.expires_at_ms + 1)
    settle_due()
    assert in_force() == 1
    assert order_row(placed[0]).state == "won"
    sound(*placed)


def test_two_workers_put_a_revision_in_force_once(market: Market) -> None:
    """F-04: several settlement workers may run."""
    revise(market, price_scale=3)
    found: list[int] = []
    gate = threading.Barrier(4)

    def work() -> None:
        try:
            gate.wait(20)
            found.append(revisions_activate())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    if not sum(found):
        found.append(in_force())
    found.append(revisions_activate())

    assert sum(found) == 1
    assert Symbol.objects.get(pk=market.id).revision == 2


def test_a_withdrawn_revision_never_takes_effect_and_its_number_is_not_used_again(
    market: Market, trader: Trader
) -> None:
    """Rules 1: the market takes orders again; the request stays on record."""
    order = trader.place(market, "up", duration_s=2)
    revision = revise(market, price_scale=3)
    revision_cancel(code=market.code, number=revision.number, by_id=None, now_ms=db_now_ms())
    assert state(market)[0] == "open"
    with pytest.raises(Problem) as problem:
        revision_cancel(code=market.code, number=revision.number, by_id=None, now_ms=db_now_ms())
    assert problem.value.code == "revision.not_waiting"

    again = revise(market, price_scale=2)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    in_force()

    assert (again.number, Symbol.objects.get(pk=market.id).price_scale) == (3, 2)
    assert SymbolRevision.objects.get(symbol_id=market.id, number=2).since_ms is None


def test_what_the_old_feed_declared_does_not_close_the_market_of_the_new_one(market: Market, trader: Trader) -> None:
    """Rules 3, feed_closed: only the feed that prices an order can declare its market closed."""
    FeedDeclaration.objects.create(
        symbol_id=market.id, at_ms=market.newest_ms, received_at_ms=market.newest_ms, closed=True, reason="Maintenance"
    )
    SymbolHead.objects.filter(pk=market.id).update(closed_by_feed="Maintenance")
    revise(market, feed="simulator")
    in_force()
    follow(market)
    market.admitted("1.08512")

    order = trader.place(market, "up", duration_s=2)
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.08600", at_ms=expires_ms)
    market.admitted("1.08600", at_ms=expires_ms + 1)
    settle_due()

    assert order_row(order).state == "won"
    sound(order)


def test_an_order_that_waits_for_its_entry_keeps_the_old_revision(trader: Trader) -> None:
    """Rules 2, next_tick/1: the entry tick is the next one, of the same revision; the revision waits for the order."""
    market = market_open(entry_rule="next_tick/1")
    order = trader.place(market, "up", duration_s=3)
    revise(market, price_scale=3)
    assert revisions_activate() == 0

    market.admitted("1.08513")
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.08600", at_ms=expires_ms)
    market.admitted("1.08600", at_ms=expires_ms + 1)
    settle_due()

    row = order_row(order)
    assert (row.state, row.open_price, row.close_price) == ("won", 108_513, 108_600)
    assert in_force() == 1
    sound(order)


def test_nothing_is_asked_twice_and_nothing_is_revised_into_what_it_is(market: Market) -> None:
    """Rules 1: one revision waits at a time, and it changes something."""
    terms = revision_terms(market.symbol)

    def request(**changes: Any) -> str:
        with pytest.raises(Problem) as problem:
            revise(market, **changes)
        return problem.value.code

    assert request() == "revision.unchanged"
    assert request(feed="nobody") == "request.invalid"
    assert request(price_scale=11) == "request.invalid"
    assert request(price_source="ask") == "request.invalid"
    assert request(source="") == "request.invalid"
    assert Symbol.objects.get(pk=market.id).pending_revision is None
    revise(market, price_scale=3)
    assert request(price_scale=2) == "revision.pending"
    assert revision_terms(market.symbol) == terms == RevisedTerms("script", market.code, "", 5, "mid")


def test_two_persons_who_approve_at_once_make_one_incident(market: Market, trader: Trader) -> None:
    """S-20, approved twice: the second one finds that nothing waits any more."""
    trader.place(market)
    asker, *approvers = [person(staff=True) for _ in range(5)]
    terms = replace(revision_terms(market.symbol), price_scale=3)
    revision_request(code=market.code, terms=terms, reason="Wrong", by_id=asker.pk, now_ms=db_now_ms(), emergency=True)
    gate, codes = threading.Barrier(len(approvers)), []

    def approve(by_id: UUID) -> None:
        try:
            gate.wait(20)
            revision_emergency_approve(code=market.code, number=2, by_id=by_id)
            codes.append("approved")
        except Problem as problem:
            codes.append(problem.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=approve, args=[user.pk]) for user in approvers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(codes) == ["approved", *["revision.not_waiting"] * 3]
    assert [incident.orders for incident in Incident.objects.all()] == [1]


def test_a_revision_takes_effect_under_the_head_s_lock_and_costs_one_statement_while_none_waits(
    market: Market,
) -> None:
    """Architecture, lock order: the head before the symbol, so that no batch of ticks can straddle a revision."""
    with statements_logged() as idle:
        revisions_activate()
    revise(market, price_scale=3)
    with statements_logged() as busy:
        assert in_force() == 1

    locked = [one for one in busy if "FOR NO KEY UPDATE" in one]
    assert len(idle) == 1
    assert ['"quotes_symbol_head"' in one for one in locked] == [True, False]
    assert '"quotes_symbol"' in locked[1]
