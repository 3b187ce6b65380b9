"""Properties of ``admission/1`` for any series of ticks (I-14, I-16, I-20) and of the candles made from them."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from quotes.adapters.upstream import PriceTextError, price_decimal
from quotes.domain import (
    ADMISSION,
    CANDLE_INTERVALS_S,
    Admission,
    Head,
    RawTick,
    RecentTicks,
    Refusal,
    admit,
    candles_of,
    price_of,
)
from tests.quotes.ticks import SCALE, T0

LEVEL = 100_000


@st.composite
def series(draw: st.DrawFn) -> list[RawTick]:
    """Return ticks as a feed may send them: jumps, silences, repeats, late ones and ones ahead of time."""
    ticks = []
    recv_ms = T0
    for packet in range(draw(st.integers(1, 40))):
        recv_ms += draw(st.sampled_from([0, 0, 1, 50, 900, 11_000, 61_000]))
        src_ms = recv_ms + draw(st.sampled_from([0, 0, 0, -1, -1_999, -2_001, 500, 501]))
        price = LEVEL + draw(st.one_of(st.integers(-300, 300), st.sampled_from([-9_000, -8_900, 8_900, 9_000, 30_000])))
        source_id = draw(st.sampled_from([None, "u1", "u2", "u3"]))
        number = packet // draw(st.sampled_from([1, 1, 2]))
        value = Decimal(price).scaleb(-SCALE)
        ticks.append(RawTick("x", number, src_ms, recv_ms, value, value, source_id=source_id))
    return ticks


def judged(ticks: list[RawTick], cuts: list[int] | None = None) -> list[Admission]:
    """Admit a series, cut into batches."""
    head, recent, results = Head(), RecentTicks(), []
    bounds = [0, *sorted(cut for cut in cuts or [] if cut < len(ticks)), len(ticks)]
    for start, end in pairwise(bounds):
        result = admit(head=head, ticks=ticks[start:end], recent=recent, price_source="mid", scale=SCALE)
        head = result.head
        results.append(result)
    return results


@given(series())
def test_the_log_is_monotonic_in_time_and_gap_free(ticks: list[RawTick]) -> None:
    """Rules 1: the admitted log never goes back, counts without a gap, and lies above the watermark it met."""
    log = [tick for result in judged(ticks) for tick in result.admitted]

    assert [tick.seq for tick in log] == list(range(1, len(log) + 1))
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(log))
    assert all(-ADMISSION.future_ms <= tick.recv_ms - tick.at_ms <= ADMISSION.grace_ms for tick in log)


@given(series(), st.lists(st.integers(0, 40), max_size=5))
def test_batches_may_be_cut_anywhere_when_time_moves_on(ticks: list[RawTick], cuts: list[int]) -> None:
    """I-14: how packets fall into batches changes no decision.

    The watermark rises between batches only, behind the newest tick; what it would refuse as late is refused as
    out of order within a batch.
    """
    whole, parts = judged(ticks), judged(ticks, cuts)

    assert [tick for result in whole for tick in result.admitted] == [t for result in parts for t in result.admitted]
    assert whole[-1].head == parts[-1].head


@given(series(), st.integers(0, 40))
def test_what_comes_later_changes_no_decision(ticks: list[RawTick], known: int) -> None:
    """I-20: a decision uses only what was received before it: the first ticks are judged as if no more came."""
    first, whole = judged(ticks[:known]), judged(ticks)

    assert [tick for tick in whole[0].admitted if tick.seq <= len(first[0].admitted)] == first[0].admitted
    assert whole[0].refused[: len(first[0].refused)] == first[0].refused


@given(series())
def test_mirrored_prices_get_mirrored_decisions(ticks: list[RawTick]) -> None:
    """I-20: up and down are judged alike.

    Prices are mirrored around the level; the 5 % are taken from the last price, so the series keeps clear of the
    narrow band where 5 % of a higher and of a lower price differ.
    """
    mirror = [replace(tick, bid=_mirrored(tick.bid), ask=_mirrored(tick.ask)) for tick in ticks]

    decisions = [[refused.reason for refused in result.refused] for result in judged(_clear(ticks))]
    mirrored = [[refused.reason for refused in result.refused] for result in judged(_clear(mirror))]

    assert decisions == mirrored


def _mirrored(price: Decimal | None) -> Decimal:
    assert price is not None
    return 2 * Decimal(LEVEL).scaleb(-SCALE) - price


def _clear(ticks: list[RawTick]) -> list[RawTick]:
    """Keep ordinary moves and one size of jump, far above 5 % of any price here."""
    far = Decimal("0.02")
    level = Decimal(LEVEL).scaleb(-SCALE)
    kept = []
    for tick in ticks:
        assert tick.bid is not None
        if abs(tick.bid - level) < far or Decimal("0.08") < abs(tick.bid - level) < Decimal("0.1"):
            kept.append(tick)
    return kept


@given(series(), st.randoms(use_true_random=False))
def test_duplicates_change_nothing(ticks: list[RawTick], chance: random.Random) -> None:
    """I-14, F-16: sending admitted ticks once more leaves the log as it was."""
    head, recent = Head(), RecentTicks()
    for tick in ticks:
        before = admit(head=head, ticks=[tick], recent=recent, price_source="mid", scale=SCALE)
        head = before.head
        if before.admitted and chance.random() < 0.5:
            again = admit(head=head, ticks=[tick], recent=recent, price_source="mid", scale=SCALE)
            assert [refused.reason for refused in again.refused] == [Refusal.DUPLICATE]
            assert again.head == head


@given(st.text(max_size=50) | st.decimals().map(str) | st.floats().map(repr), st.integers(0, 10))
def test_no_text_breaks_a_price(text: str, scale: int) -> None:
    """F-15: whatever a feed calls a price becomes a price within bounds or a refusal."""
    try:
        value = price_decimal(text)
    except PriceTextError:
        return
    for tick in (
        RawTick("x", 1, T0, T0, bid=value, ask=value),
        RawTick("x", 1, T0, T0, bid=Decimal(1), ask=value),
        RawTick("x", 1, T0, T0, last=value, serves_all=True),
    ):
        price = price_of(tick, price_source="mid", scale=scale)
        assert isinstance(price, Refusal) or (price is not None and 0 < price < 2**62)


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 10**9)), max_size=60))
def test_candles_are_what_the_ticks_make_of_them(moves: list[tuple[int, int]]) -> None:
    """Contract, candles: aligned to the epoch, a tick at the start belongs to it, empty intervals are omitted."""
    ticks = sorted(((T0 + after_ms, price) for after_ms, price in moves), key=lambda tick: tick[0])

    for candle in candles_of(ticks, CANDLE_INTERVALS_S.values()):
        size_ms = candle.interval_s * 1000
        inside = [price for at_ms, price in ticks if candle.start_ms <= at_ms < candle.start_ms + size_ms]
        assert candle.start_ms % size_ms == 0
        assert (candle.open, candle.high, candle.low, candle.close, candle.ticks) == (
            inside[0],
            max(inside),
            min(inside),
            inside[-1],
            len(inside),
        )
    total = sum(candle.ticks for candle in candles_of(ticks, (60,)))
    assert total == len(ticks)
