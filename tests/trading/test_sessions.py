"""Orders and trading hours (rules 1 and 2, check 7): a session holds an order's whole life, and settles nothing."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest

from kernel.clock import rfc3339
from kernel.errors import Problem
from quotes.calendar import MINUTE_MS, Session
from quotes.hours import Hours, calendar_add, calendar_by_name, hours_set
from quotes.models import MarketCalendar, Symbol, TradingWindow
from quotes.services import symbol_halt
from tests.books import fingerprint, violations
from tests.crowd import at_once, meanwhile
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db

DAY_MINUTES = 1_440
# 1 January 1970 was a Thursday.
FIRST_WEEKDAY = 3
OUTSIDE, CLOSED = "order.expiry.outside_session", "market.closed"


def session_of(opens_ms: int, minutes: int) -> Session:
    """Return the weekly session of UTC that is held from an instant on, which is floored to its minute."""
    day, minute = divmod(opens_ms // MINUTE_MS, DAY_MINUTES)
    return Session((FIRST_WEEKDAY + day) % 7, minute, minute + minutes)


def running(*, minutes: int = 10) -> Hours:
    """Return hours with a session from an hour ago for some minutes to come; the minute that runs does not count."""
    return Hours("UTC", (session_of(db_now_ms() - 60 * MINUTE_MS, 60 + 1 + minutes),))


def coming() -> Hours:
    """Return hours whose only session begins in two hours."""
    return Hours("UTC", (session_of(db_now_ms() + 120 * MINUTE_MS, 30),))


def desk(hours: Hours) -> MarketCalendar:
    return calendar_add(name="Desk", hours=hours, by_id=None, now_ms=db_now_ms())


def hours_now(hours: Hours) -> MarketCalendar:
    """Change the hours of the only calendar at once."""
    return hours_set(calendar=calendar_by_name("Desk"), hours=hours, by_id=None, now_ms=db_now_ms())


def end_ms() -> int:
    """Return the end of the session that is held now."""
    now_ms = db_now_ms()
    return TradingWindow.objects.get(
        superseded_at_ms__isnull=True, opens_ms__lte=now_ms, closes_ms__gt=now_ms
    ).closes_ms


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="1000.00")


def refused(trader: Trader, market: Market, **terms: Any) -> str:
    """Return the code of a refusal, which has changed nothing."""
    before = fingerprint()
    with pytest.raises(Problem) as refusal:
        trader.place(market, **terms)
    assert fingerprint() == before
    return refusal.value.code


def test_an_order_is_taken_in_a_session_and_keeps_its_end(trader: Trader) -> None:
    """I-21: the window that an order was accepted in is on record."""
    desk(running())
    market = market_open(calendar="Desk")

    order = order_row(trader.place(market))

    assert order.session_closes_ms == end_ms()
    assert violations() == {}


def test_an_expiry_at_the_very_end_is_taken_and_a_millisecond_later_refused(trader: Trader) -> None:
    """Rules 2, check 7: the expiry lies inside the current session, its end included."""
    desk(running())
    market = market_open(calendar="Desk")
    closes_ms = end_ms()

    assert refused(trader, market, expires_at_ms=closes_ms + 1) == OUTSIDE
    order = trader.place(market, expires_at_ms=closes_ms)

    assert order_row(order).expires_at_ms == order_row(order).session_closes_ms == closes_ms
    assert violations() == {}


def test_a_duration_that_reaches_beyond_the_session_is_refused(trader: Trader) -> None:
    desk(running(minutes=2))
    market = market_open(calendar="Desk")

    assert refused(trader, market, duration_s=240) == OUTSIDE
    assert trader.place(market, duration_s=60).state == "open"


def test_the_break_of_a_day_is_no_session(trader: Trader) -> None:
    """An order does not reach over a lunch break into the session after it; sessions that touch are one."""
    now_ms = db_now_ms()
    first = session_of(now_ms - 30 * MINUTE_MS, 40)
    after_a_break = session_of(now_ms + 15 * MINUTE_MS, 30)
    at_once_after = session_of(now_ms + 10 * MINUTE_MS, 35)
    desk(Hours("UTC", (first, after_a_break)))
    market = market_open(calendar="Desk")

    assert refused(trader, market, duration_s=20 * 60) == OUTSIDE
    hours_now(Hours("UTC", (first, at_once_after)))
    market.admitted("1.08512")
    assert trader.place(market, duration_s=20 * 60).state == "open"


def test_outside_its_sessions_a_market_is_closed_and_tells_the_next_opening(trader: Trader) -> None:
    """Rules 1: ``closed`` with the next opening; contract: state, state_reason and next_open of GET /symbols."""
    desk(coming())
    market = market_open(calendar="Desk")
    opens_ms = TradingWindow.objects.order_by("opens_ms").values_list("opens_ms", flat=True)[0]

    assert refused(trader, market) == CLOSED
    shown = trader.http().get(f"/api/v1/symbols/{market.code}").json()
    assert (shown["state"], shown["next_open"]) == ("closed", rfc3339(opens_ms))
    assert shown["state_reason"] == "Outside trading hours."


def test_an_open_market_tells_when_its_session_ends(trader: Trader) -> None:
    """The terminal offers the end of the session as an expiry, and nothing after it."""
    desk(running())
    market = market_open(calendar="Desk")
    closes_ms = order_row(trader.place(market)).session_closes_ms

    shown = trader.http().get(f"/api/v1/symbols/{market.code}").json()
    assert closes_ms is not None
    assert (shown["session_ends"], shown["next_open"]) == (rfc3339(closes_ms), None)


def test_being_closed_goes_before_an_operator_s_halt(trader: Trader) -> None:
    desk(coming())
    market = market_open(calendar="Desk")
    symbol_halt(code=market.code, reason="Outage")

    assert refused(trader, market) == CLOSED
    hours_now(running())
    assert refused(trader, market) == "market.halted"


def test_a_market_without_hours_trades_round_the_clock(trader: Trader) -> None:
    desk(coming())
    market = market_open()

    assert order_row(trader.place(market)).session_closes_ms is None
    shown = trader.http().get(f"/api/v1/symbols/{market.code}").json()
    assert (shown["next_open"], shown["session_ends"]) == (None, None)


def test_windows_that_ran_out_close_the_market(trader: Trader) -> None:
    """Fail closed: what is not known to be open is not open."""
    desk(running())
    market = market_open(calendar="Desk")
    TradingWindow.objects.update(superseded_at_ms=db_now_ms())

    assert refused(trader, market) == CLOSED
    assert trader.http().get(f"/api/v1/symbols/{market.code}").json()["next_open"] is None


def test_a_market_opens_and_closes_as_hours_are_changed(trader: Trader) -> None:
    desk(coming())
    market = market_open(calendar="Desk")
    assert refused(trader, market) == CLOSED

    hours_now(running())
    market.admitted("1.08512")
    assert trader.place(market).state == "open"

    hours_now(coming())
    market.admitted("1.08512")
    assert refused(trader, market) == CLOSED
    assert violations() == {}


@pytest.mark.parametrize(("direction", "state"), [("up", "won"), ("down", "lost")])
@pytest.mark.parametrize("shorter", [True, False], ids=["closed under them", "a session that ends before they expire"])
def test_open_orders_settle_by_their_terms_whatever_becomes_of_the_hours(
    trader: Trader, direction: str, state: str, shorter: bool
) -> None:
    """Rules 3: an operator's act never changes an open order's result; a symbol without hours is the measure."""
    desk(running())
    market, measure = market_open(calendar="Desk"), market_open("GBPUSD")
    orders = [trader.place(symbol, direction, duration_s=300) for symbol in (market, measure)]

    hours_now(coming() if shorter else running(minutes=1))
    Symbol.objects.filter(pk=market.id).update(calendar=None)
    for symbol, order in zip((market, measure), orders, strict=True):
        expires_ms = order_row(order).expires_at_ms
        symbol.admitted("1.09000", at_ms=expires_ms)
        symbol.admitted("1.08000", at_ms=expires_ms + 1)
    assert settle_due() == 2

    told, expected = (order_row(order) for order in orders)
    assert (told.state, told.close_price, told.payout, told.reason) == (
        expected.state,
        expected.close_price,
        expected.payout,
        expected.reason,
    )
    assert told.state == state
    assert violations() == {}


def test_a_change_of_hours_leaves_open_orders_as_they_were(trader: Trader) -> None:
    desk(running())
    market = market_open(calendar="Desk")
    trader.place(market, ledger="real")
    before = fingerprint()

    hours_now(coming())

    assert fingerprint() == before
    assert violations() == {}


def test_an_order_outside_every_window_turns_the_invariant_red(trader: Trader) -> None:
    """I-21 has a mutant: a window that was not in force when the order was accepted is none."""
    desk(running())
    market = market_open(calendar="Desk")
    trader.place(market)
    assert violations() == {}

    TradingWindow.objects.all().delete()

    assert [name[:4] for name in violations()] == ["I-21"]


@pytest.mark.django_db(transaction=True)
def test_hours_that_change_under_placements() -> None:
    """I-21: whoever is accepted was accepted in a window of that moment; the others are refused, nothing else."""
    desk(running())
    market = market_open(calendar="Desk", max_tick_age_ms=60_000)
    traders = [trader_open() for _ in range(3)]
    hours = [running(), coming(), running(minutes=20)]
    turns = cycle(hours)

    def change() -> None:
        hours_now(next(turns))

    def place(number: int) -> list[str]:
        answers = []
        for _ in range(15):
            market.heartbeat()
            try:
                answers.append(traders[number].place(market).state)
            except Problem as problem:
                answers.append(problem.code)
        return answers

    with meanwhile(change) as raised:
        answers = [answer for one in at_once(3, place) for answer in one]

    assert raised == []
    assert set(answers) <= {"open", CLOSED}
    assert "open" in answers
    assert violations() == {}
