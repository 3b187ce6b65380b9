"""Feed gaps: found in the log alone, cut to the sessions, ended by the next tick or sign (issue: incidents)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import db
from kernel.models import JobRun
from quotes.gaps import NO_TICK, SILENT, gaps_find
from quotes.models import FeedDeclaration, FeedGap, FeedWatch, MarketCalendar, Symbol, TradingWindow
from quotes.services import symbol_halt
from quotes.spans import Span, spans_joined, spans_within, spans_without
from quotes.tasks import quotes_gaps_find
from tests.market import Market, db_now_ms, market_open

pytestmark = pytest.mark.django_db

GRACE_MS = 2_000
spans_drawn = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def _covered(spans: list[Span]) -> set[int]:
    return {instant for begin, end in spans for instant in range(begin, end)}


@given(spans_drawn, st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_spans_hold_the_instants_that_they_should(spans: list[Span], span: Span) -> None:
    """Feed gaps: joined, cut and holed spans against the sets of their instants; sorted, apart, never empty."""
    joined, inside = spans_joined(spans), _covered([span])
    assert _covered(joined) == _covered(spans)
    assert all(left[1] < right[0] for left, right in pairwise(joined))
    assert _covered(spans_within(span, joined)) == inside & _covered(spans)
    without = spans_without(span, joined)
    assert _covered(without) == inside - _covered(spans)
    assert all(begin < end for begin, end in without)


def market_since(age_ms: int) -> tuple[Market, int]:
    """Return a market that was looked at so long ago and not since, and the time of that."""
    market, begin_ms = market_open(price=None), db_now_ms() - age_ms
    FeedWatch.objects.create(symbol=market.symbol, tick_at_ms=begin_ms, sign_ms=begin_ms, watermark_ms=0)
    return market, begin_ms


def gaps(kind: str = NO_TICK) -> list[tuple[int, int | None]]:
    return list(FeedGap.objects.filter(kind=kind).order_by("from_ms").values_list("from_ms", "to_ms"))


def tick(market: Market, at_ms: int) -> None:
    market.tick("1.08512", at_ms=at_ms, received_ms=at_ms)


def sign(market: Market, at_ms: int) -> None:
    """Store a sign of life that was written down then."""
    db.run("INSERT INTO quotes_watermark_raise VALUES (%s, %s, 2, 0, %s)", [market.id, at_ms - GRACE_MS, at_ms])


def session(market: Market, opens_ms: int, closes_ms: int) -> None:
    calendar = MarketCalendar.objects.create(name="hours", time_zone="UTC")
    TradingWindow.objects.create(calendar=calendar, opens_ms=opens_ms, closes_ms=closes_ms, made_at_ms=1)
    Symbol.objects.filter(pk=market.id).update(calendar=calendar)


def test_steps_between_ticks_that_are_too_long_are_gaps() -> None:
    """Feed gaps: exactly the max tick age is none, a millisecond more is one; found once, however often looked for."""
    market, begin_ms = market_since(60_000)
    for after_ms in (1_000, 4_000, 7_001, 9_000):
        tick(market, begin_ms + after_ms)
    for _ in range(2):
        gaps_find(now_ms=begin_ms + 11_000)
    assert gaps() == [(begin_ms + 4_000, begin_ms + 7_001)]
    assert FeedGap.objects.filter(kind=NO_TICK).get().limit_ms == 3_000
    tick(market, begin_ms + 20_000)
    gaps_find(now_ms=begin_ms + 22_000)
    assert gaps()[1:] == [(begin_ms + 9_000, begin_ms + 20_000)]


def test_a_gap_lasts_until_the_next_tick() -> None:
    """Feed gaps: it is published while it lasts, by the same beginning, and the next tick ends it."""
    market, begin_ms = market_since(60_000)
    tick(market, begin_ms + 1_000)
    gaps_find(now_ms=begin_ms + 1_000 + 3_000 + GRACE_MS)
    assert gaps() == []
    for later_ms in (1, 20_000):
        gaps_find(now_ms=begin_ms + 1_000 + 3_000 + GRACE_MS + later_ms)
        assert gaps() == [(begin_ms + 1_000, None)]
    tick(market, begin_ms + 30_000)
    gaps_find(now_ms=begin_ms + 33_000)
    assert gaps() == [(begin_ms + 1_000, begin_ms + 30_000)]


def test_silence_is_the_absence_of_any_sign_of_life() -> None:
    """Rules 1, two heartbeats: packets without ticks are life; what settlement raised by itself is none."""
    market, begin_ms = market_since(60_000)
    for after_ms in range(0, 10_001, 2_500):
        sign(market, begin_ms + after_ms)
    db.run(
        "INSERT INTO quotes_watermark_raise VALUES (%s, %s, 3, 0, %s)",
        [market.id, begin_ms + 12_000, begin_ms + 13_000],
    )
    sign(market, begin_ms + 15_001)
    gaps_find(now_ms=begin_ms + 18_000)
    assert gaps(SILENT) == [(begin_ms + 10_000, begin_ms + 15_001)]
    assert gaps(NO_TICK) == [(begin_ms, None)]


def test_gaps_are_cut_to_the_session() -> None:
    """Feed gaps: nobody waits for ticks before a session opens or after it closes; the same gap ends with it."""
    market, begin_ms = market_since(60_000)
    session(market, begin_ms + 10_000, begin_ms + 20_000)
    tick(market, begin_ms + 11_000)
    gaps_find(now_ms=begin_ms + 18_000)
    assert gaps() == [(begin_ms + 11_000, None)]
    gaps_find(now_ms=begin_ms + 40_000)
    assert gaps() == [(begin_ms + 11_000, begin_ms + 20_000)]


def test_a_session_that_begins_without_ticks_has_a_gap() -> None:
    """Feed gaps: the wait for a session's first tick counts from its opening."""
    market, begin_ms = market_since(60_000)
    session(market, begin_ms + 10_000, begin_ms + 50_000)
    tick(market, begin_ms + 14_000)
    gaps_find(now_ms=begin_ms + 16_000)
    assert gaps() == [(begin_ms + 10_000, begin_ms + 14_000)]


def test_what_the_feed_declared_closed_is_no_gap() -> None:
    """Feed gaps: a market that its feed has closed owes no ticks, from its word to the next one."""
    market, begin_ms = market_since(60_000)
    tick(market, begin_ms + 1_000)
    for after_ms, closed in ((2_000, True), (20_000, False)):
        FeedDeclaration.objects.create(
            symbol_id=market.id, at_ms=begin_ms + after_ms, received_at_ms=begin_ms + after_ms, closed=closed
        )
    tick(market, begin_ms + 25_000)
    gaps_find(now_ms=begin_ms + 26_000)
    assert gaps() == [(begin_ms + 20_000, begin_ms + 25_000)]


def test_a_halt_hides_no_gap() -> None:
    """Feed gaps: what an operator did does not matter; open orders of a halted market still need ticks."""
    market, begin_ms = market_since(60_000)
    symbol_halt(code=market.code, reason="maintenance")
    gaps_find(now_ms=begin_ms + 30_000)
    assert gaps() == [(begin_ms, None)]


def test_a_symbol_that_is_not_offered_any_more_has_no_gap() -> None:
    """Feed gaps: the gap ends; offered again, the symbol is looked at anew."""
    market, begin_ms = market_since(60_000)
    tick(market, begin_ms + 1_000)
    gaps_find(now_ms=begin_ms + 10_000)
    Symbol.objects.filter(pk=market.id).update(offered_real=False, offered_demo=False)
    gaps_find(now_ms=begin_ms + 20_000)
    assert gaps() == [(begin_ms + 1_000, begin_ms + 18_000)]
    assert not FeedWatch.objects.exists()


def test_a_longer_tick_age_ends_a_gap_that_is_none_any_more() -> None:
    """Feed gaps: where the operator allows older ticks, a lasting gap does not last for ever."""
    market, begin_ms = market_since(60_000)
    tick(market, begin_ms + 1_000)
    gaps_find(now_ms=begin_ms + 10_000)
    Symbol.objects.filter(pk=market.id).update(max_tick_age_ms=60_000)
    tick(market, begin_ms + 20_000)
    gaps_find(now_ms=begin_ms + 23_000)
    assert gaps() == [(begin_ms + 1_000, begin_ms + 20_000)]


def test_symbols_are_judged_apart() -> None:
    """Feed gaps: one symbol's ticks do not fill another one's gap."""
    market, begin_ms = market_since(60_000)
    other = market_open("GBPUSD", price=None)
    tick(market, begin_ms + 1_000)
    tick(other, db_now_ms())
    gaps_find(now_ms=begin_ms + 20_000)
    assert list(FeedGap.objects.filter(kind=NO_TICK).values_list("symbol__code", flat=True)) == ["EURUSD"]


@pytest.mark.django_db(transaction=True)
def test_the_job_looks_once_a_minute() -> None:
    """F-04: asked more often, it runs once in its period."""
    market_open()
    for _ in range(2):
        quotes_gaps_find()
    assert JobRun.objects.filter(name="quotes.gaps_find", outcome="done").count() in (1, 2)
