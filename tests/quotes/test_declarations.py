"""A feed's own word on its markets: closed, open again, and what that does to orders (rules 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import db
from quotes.adapters.upstream import Declaration
from quotes.admission import LeadershipLostError, watermarks_raise_to_expiry
from quotes.declarations import declarations_store, declared_at_ms
from quotes.domain import ADMISSION, RawTick
from quotes.feed_writer import Choice, FeedWriter, Report
from quotes.feeds import SCRIPT, FeedSettings
from quotes.inbox import Cargo
from quotes.receive_clock import ReceiveClock
from quotes.selectors import symbol_by_code
from settlement.audit import orders_audit
from tests.books import violations
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from tests.quotes.ticks import raw

pytestmark = pytest.mark.django_db

WORDS = "The exchange is under maintenance."


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def word(
    closed: bool, *, at_ms: int | None = None, source_ms: int | None = None, source: str | None = None
) -> Declaration:
    return Declaration(source, closed, at_ms or db_now_ms(), source_ms, WORDS if closed else "")


def declare(market: Market, *words: Declaration) -> int:
    return declarations_store(declared={market.id: words}, logs={market.id: market.log})


def stored(market: Market) -> list[tuple[Any, ...]]:
    """Return what is on record: closed and when, in the order in which settlement reads it."""
    return db.rows(
        "SELECT closed, at_ms FROM quotes_feed_declaration WHERE symbol_id = %s ORDER BY at_ms, id", [market.id]
    )


def watermark(market: Market) -> int:
    found = db.row("SELECT watermark_ms FROM quotes_symbol_head WHERE symbol_id = %s", [market.id])
    assert found is not None
    return int(found[0])


def state(market: Market) -> tuple[str, str]:
    found = symbol_by_code(market.code).market.state
    return found.state.value, found.reason


def test_a_closed_market_says_the_feeds_own_words(market: Market) -> None:
    """Rules 1, market state: ``closed`` as declared by the feed; ticks go on into the log meanwhile."""
    assert state(market) == ("open", "")
    declare(market, word(True))
    assert state(market) == ("closed", WORDS)
    market.admitted("1.08513")
    assert state(market) == ("closed", WORDS)
    declare(market, word(False))
    assert state(market) == ("open", "")


def test_words_that_change_nothing_are_not_stored(market: Market) -> None:
    """Rules 1: repeated and replayed declarations leave the record as it is."""
    closed, opened = word(True), word(False)
    assert declare(market, opened, opened) == 0
    assert declare(market, closed, closed, closed) == 1
    assert declare(market, closed) == 0
    assert declare(market, opened, closed, opened) == 3
    assert [row[0] for row in stored(market)] == [True, False, True, False]


@given(
    source=st.none() | st.integers(0, 100),
    recv=st.integers(0, 100),
    watermark_ms=st.integers(0, 100),
    newest=st.integers(0, 100),
    now=st.integers(0, 100),
)
def test_a_word_takes_effect_behind_the_watermark(
    source: int | None, recv: int, watermark_ms: int, newest: int, now: int
) -> None:
    """Rules 3: an expiry that may be settled already is out of its reach, and words keep their order."""
    said = Declaration("x", True, recv, source)
    at_ms = declared_at_ms(said, watermark_ms=watermark_ms, newest_ms=newest, now_ms=now)

    assert at_ms > watermark_ms
    assert at_ms >= newest
    # Else it is the source's time, unless that lies ahead of us.
    assert at_ms in {watermark_ms + 1, newest, recv if source is None else source, recv, now}
    assert at_ms <= max(now, watermark_ms + 1, newest)


def test_the_record_never_reaches_behind_the_watermark(market: Market) -> None:
    """Rules 3: whatever time the source gives; the head says what the newest record says."""
    market.admitted("1.08513", at_ms=db_now_ms() + 5_000)
    before_ms = watermark(market)
    declare(market, word(True, source_ms=1), word(False, source_ms=db_now_ms() + 3_600_000), word(True, source_ms=2))

    assert [row[0] for row in stored(market)] == [True, False, True]
    assert all(at_ms > before_ms for _, at_ms in stored(market))
    assert state(market)[0] == "closed"


def _through(market: Market, expires_ms: int, *, price: str = "1.09000") -> None:
    """Bring the last tick before an expiry and the first one after it."""
    market.admitted(price, at_ms=expires_ms - 500)
    market.admitted(price, at_ms=expires_ms + 2)


@pytest.mark.parametrize("settlement_rule", ["last_tick/1", "trimmed_mean_10s/1"])
def test_an_order_over_a_closing_is_refunded(trader: Trader, settlement_rule: str) -> None:
    """Rules 3, ``feed_closed``: the feed's last word at expiry was closed, whatever ticks it still sent."""
    market = market_open(settlement_rule=settlement_rule)
    orders = [trader.place(market, "up", ledger=ledger) for ledger in ("demo", "real")]
    expires_ms = max(order_row(order).expires_at_ms for order in orders)
    declare(market, word(True))
    _through(market, expires_ms)

    assert settle_due() == 2
    for order in orders:
        row = order_row(order)
        assert (row.state, row.reason, row.payout) == ("refunded", "feed_closed", 1_000)
    assert orders_audit(from_ms=None, to_ms=None).differences == []
    assert violations() == {}


def test_an_order_is_settled_when_the_market_opened_again_in_time(market: Market, trader: Trader) -> None:
    """Rules 3: closed and open again before expiry is no reason for a refund."""
    order = trader.place(market, "up")
    declare(market, word(True), word(False))
    _through(market, order_row(order).expires_at_ms)

    assert settle_due() == 1
    assert (order_row(order).state, order_row(order).reason) == ("won", None)
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_an_opening_after_the_expiry_comes_too_late(market: Market, trader: Trader) -> None:
    """Rules 3: decided as of the expiry; what the feed says later changes nothing, settled or not."""
    order = trader.place(market, "up")
    declare(market, word(True))
    _through(market, order_row(order).expires_at_ms)
    declare(market, word(False, source_ms=order_row(order).accepted_at_ms + 1))

    assert settle_due() == 1
    assert order_row(order).reason == "feed_closed"
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_a_closing_that_is_told_after_the_watermark_passed_comes_too_late(market: Market, trader: Trader) -> None:
    """Rules 3: the outcome is a function of the log as it stood when the order fell due, settled or not yet."""
    early, late = (trader.place(market, "up", duration_s=seconds) for seconds in (50, 60))
    _through(market, order_row(late).expires_at_ms)
    declare(market, word(True, source_ms=order_row(early).expires_at_ms - 1))

    assert settle_due() == 2
    assert {order_row(order).reason for order in (early, late)} == {"stale_tick", None}
    declare(market, word(False), word(True))
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_settlements_own_raise_bounds_a_word_too() -> None:
    """Rules 1, cause 3: once settlement has fenced an expiry, a word that was held up does not reach it."""
    market, expires_ms = market_open(price=None), db_now_ms() - ADMISSION.grace_ms - 100
    assert watermarks_raise_to_expiry(targets={market.id: expires_ms}) == 1
    declare(market, word(True, source_ms=expires_ms - 50))

    assert stored(market) == [(True, expires_ms + 1)]


def test_a_rival_that_wrote_costs_the_lead_and_nothing_is_stored(market: Market) -> None:
    """Rules 1: compare-and-set of seq fences words as it fences ticks."""
    db.run("UPDATE quotes_symbol_head SET seq = seq + 1 WHERE symbol_id = %s", [market.id])
    with pytest.raises(LeadershipLostError):
        declare(market, word(True))

    assert stored(market) == []


def test_a_word_of_another_revision_is_left_alone(market: Market) -> None:
    """Rules 1: what the old source said says nothing about the market that the new revision prices."""
    db.run("UPDATE quotes_symbol SET revision = 2 WHERE id = %s", [market.id])

    assert declare(market, word(True)) == 0


@contextmanager
def leading(*codes: str) -> Iterator[FeedWriter]:
    """Lead the feed on this thread's session."""
    settings = FeedSettings(SCRIPT)
    writer = FeedWriter(settings=settings, clock=ReceiveClock(), choice=Choice(codes=frozenset(codes)))
    try:
        assert writer.lead()
        yield writer
    finally:
        writer.leave()


def cargo(*declared: Declaration, ticks: tuple[RawTick, ...] = (), clock_sane: bool = True) -> Cargo:
    return Cargo(list(ticks), [], db_now_ms(), declared, clock_sane)


def report(*, clock_sane: bool = True) -> Report:
    return Report(connected=True, detail="", alive_ms=db_now_ms(), clock_offset_ms=None, clock_sane=clock_sane)


@pytest.mark.django_db(transaction=True)
def test_a_word_closes_one_market_or_all_that_the_feed_carries() -> None:
    """Rules 1: by upstream symbol, or for the whole feed; symbols of other parsers are not touched."""
    one, two, other = market_open("ONE"), market_open("TWO"), market_open("OTHER")
    with leading("ONE", "TWO") as writer:
        writer.write(cargo(word(True, source="ONE")))
        first = [state(market)[0] for market in (one, two, other)]
        writer.write(cargo(word(False, source="ONE"), word(True)))
        second = [state(market)[0] for market in (one, two, other)]
        writer.write(cargo(word(True, source="NOBODY"), word(False)))
        third = [state(market)[0] for market in (one, two, other)]

    assert (first, second, third) == (["closed", "open", "open"], ["closed", "closed", "open"], ["open"] * 3)


@pytest.mark.django_db(transaction=True)
def test_a_word_takes_effect_before_the_ticks_that_came_with_it() -> None:
    """Rules 3: ticks of the same write do not push it behind themselves."""
    market = market_open("ONE")
    with leading() as writer:
        said_ms = db_now_ms()
        writer.write(cargo(word(True, at_ms=said_ms, source="ONE"), ticks=(raw("1.1", said_ms + 300, source="ONE"),)))

    assert stored(market) == [(True, said_ms)]
    assert watermark(market) == said_ms + 299


@pytest.mark.django_db(transaction=True)
def test_a_symbol_that_comes_later_hears_what_was_said_before() -> None:
    """Rules 1: a symbol that is offered during maintenance is closed from the start; a new connection says it anew."""
    market_open("ONE", price=None)
    with leading() as writer:
        writer.write(cargo(word(True)))
        late = market_open("LATE", price=None)
        writer.beat(report())
        heard = state(late)[0]
        writer.forget()
        later = market_open("LATER", price=None)
        writer.beat(report())

    assert (heard, state(later)[0]) == ("closed", "stale")


@pytest.mark.django_db(transaction=True)
def test_a_clock_that_is_off_is_told_with_the_next_write() -> None:
    """Rules 1: the feed is ``stale`` at once, not only when heartbeats are missed; and open when it is back."""
    market = market_open("ONE")
    with leading() as writer:
        writer.beat(report())
        before = state(market)
        writer.write(cargo(ticks=(raw("1.1", db_now_ms(), source="ONE"),), clock_sane=False))
        off = state(market)
        writer.write(cargo(ticks=(raw("1.1", db_now_ms(), source="ONE"),)))
        back = state(market)
        writer.beat(report(clock_sane=False))
        silent = state(market)
    with leading() as writer:
        writer.beat(report())
        anew = state(market)

    assert before == back == anew == ("open", "")
    assert off == silent == ("stale", "The clock of the feed is off.")
