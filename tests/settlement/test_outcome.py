"""The outcome of an order is a pure function of its terms and the admitted log (principle 4, rules 3 and 4)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from settlement.batches import BatchSize
from settlement.domain import Evidence, Refund, Terms, Tick, outcome, trimmed_mean
from trading.domain import Direction

EXPIRES_MS = 1_800_000_060_000
UP = Terms(
    direction=Direction.UP,
    stake=1_000,
    payout_percent=85,
    expires_at_ms=EXPIRES_MS,
    max_tick_age_ms=3_000,
    revision=4,
    open_price=108_512,
)
RULES = ("last_tick/1", "trimmed_mean_10s/1")


def evidence_of(log: list[Tick], expires_at_ms: int = EXPIRES_MS) -> Evidence:
    """Choose the evidence by the words of the rules: every tick of the log once, none after the expiry."""
    counting = sorted({tick.seq: tick for tick in log if tick.at_ms <= expires_at_ms}.values(), key=lambda t: t.seq)
    window = [tick for tick in counting if tick.at_ms > expires_at_ms - 10_000]
    return Evidence(
        tick=max(counting, key=lambda tick: (tick.at_ms, tick.seq), default=None),
        window=tuple(tick.price for tick in window),
        window_revisions=frozenset(tick.revision for tick in window),
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Tick]:
    """Admitted logs around the expiry: monotonic in time, gap-free in seq."""
    steps = draw(st.lists(st.tuples(st.integers(0, 2_000), st.integers(108_505, 108_520)), max_size=16))
    at_ms = EXPIRES_MS - draw(st.integers(min_value=0, max_value=12_000))
    ticks = []
    for seq, (step_ms, price) in enumerate(steps, start=1):
        at_ms += step_ms
        ticks.append(Tick(seq, at_ms, price, 4))
    return ticks


@settings(max_examples=500)
@given(rule=st.sampled_from(RULES), log=logs(), data=st.data())
def test_arrival_duplicates_and_later_ticks_change_nothing(rule: str, log: list[Tick], data: st.DataObject) -> None:
    """I-14: the outcome ignores the order of reading, doubled rows, and whatever came after the expiry."""
    terms = replace(UP, settlement_rule=rule)
    expected = outcome(terms=terms, evidence=evidence_of(log))
    doubled = log + data.draw(st.lists(st.sampled_from(log), max_size=5) if log else st.just([]))
    shuffled = data.draw(st.permutations(doubled))
    first_after = max((tick.seq for tick in log), default=0) + 1
    later = [
        Tick(first_after + number, EXPIRES_MS + 1 + number, price, 4)
        for number, price in enumerate(data.draw(st.lists(st.integers(1, 10**6), max_size=5)))
    ]
    assert outcome(terms=terms, evidence=evidence_of([*shuffled, *later])) == expected


@settings(max_examples=500)
@given(rule=st.sampled_from(RULES), log=logs(), stake=st.integers(1, 10**9), payout=st.integers(0, 98))
def test_up_and_down_mirror_each_other(rule: str, log: list[Tick], stake: int, payout: int) -> None:
    """I-15: up wins exactly where down loses; ties and refunds return both stakes."""
    up = replace(UP, stake=stake, payout_percent=payout, settlement_rule=rule)
    one = outcome(terms=up, evidence=evidence_of(log))
    other = outcome(terms=replace(up, direction=Direction.DOWN), evidence=evidence_of(log))
    mirrored = {"won": "lost", "lost": "won", "tied": "tied", "refunded": "refunded"}
    assert other.state == mirrored[one.state]
    assert (other.reason, other.close_price) == (one.reason, one.close_price)
    if one.state in ("tied", "refunded"):
        assert one.payout == other.payout == stake
    else:
        assert {one.payout, other.payout} == {0, stake + stake * payout // 100}


@settings(max_examples=500)
@given(rule=st.sampled_from(RULES), log=logs(), price=st.integers(108_500, 108_525))
def test_the_mirrored_price_series_mirrors_the_outcome(rule: str, log: list[Tick], price: int) -> None:
    """I-15: no direction is favoured: reflecting all prices at the opening price swaps up and down.

    That holds for the rounding of a mean, too: half to even is its own mirror image.
    """
    up = replace(UP, open_price=price, settlement_rule=rule)
    reflected = [replace(tick, price=2 * price - tick.price) for tick in log]
    one = outcome(terms=up, evidence=evidence_of(log))
    other = outcome(terms=replace(up, direction=Direction.DOWN), evidence=evidence_of(reflected))
    assert (one.state, one.payout, one.reason) == (other.state, other.payout, other.reason)


@settings(max_examples=500)
@given(prices=st.lists(st.integers(1, 10**7), min_size=1, max_size=40))
def test_the_trimmed_mean_is_the_nearest_step_to_the_exact_one(prices: list[int]) -> None:
    """Rules 4: floor(3n/10) of each side are dropped, the rest is averaged exactly and rounded once."""
    dropped = 3 * len(prices) // 10
    kept = sorted(prices)[dropped : len(prices) - dropped]
    exact = Fraction(sum(kept), len(kept))
    mean = trimmed_mean(prices)
    assert abs(mean - exact) <= Fraction(1, 2)
    if abs(mean - exact) == Fraction(1, 2):
        assert mean % 2 == 0
    assert trimmed_mean(prices[::-1]) == mean


@given(
    prices=st.lists(st.integers(100_000, 100_100), min_size=4, max_size=40), data=st.data(), spike=st.integers(1, 10**9)
)
def test_a_single_spike_cannot_move_the_mean_out_of_the_others(
    prices: list[int], data: st.DataObject, spike: int
) -> None:
    """Rules 4: what the trimming is for: from four ticks on, one bad price decides nothing."""
    place = data.draw(st.integers(0, len(prices) - 1))
    others = prices[:place] + prices[place + 1 :]
    assert min(others) <= trimmed_mean([*others, spike]) <= max(others)


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_that_an_order_froze_decides(rule: str) -> None:
    """Rules 4: an accepted order keeps its rule; the same evidence ends differently under each."""
    log = [Tick(1, EXPIRES_MS - 900, 108_000, 4), Tick(2, EXPIRES_MS - 100, 108_513, 4)]
    decided = outcome(terms=replace(UP, settlement_rule=rule), evidence=evidence_of(log))
    assert decided.state == {"last_tick/1": "won", "trimmed_mean_10s/1": "lost"}[rule]
    assert decided.tick == log[-1]


def test_a_refund_has_only_the_reasons_of_the_rules() -> None:
    """Rules 2 and 3: refund only for these; an operator's act is not among them."""
    known = {"no_tick", "stale_tick", "feed_closed", "no_entry_tick", "revision", "price_moved"}
    assert {reason.value for reason in Refund} == known


def test_the_batch_grows_while_quick_and_shrinks_when_slow() -> None:
    """Architecture, Settlement: a batch adapts between 64 and 2,000 to hold its locks about 14 ms (ADR 0040)."""
    size = BatchSize()
    assert size.limit == 100
    for _ in range(10):
        size.observe(settled=size.limit, held_s=0.001)
    assert size.limit == 2_000
    size.observe(settled=2_000, held_s=10.0)
    assert size.limit == 1_000
    for _ in range(10):
        size.observe(settled=size.limit, held_s=10.0)
    assert size.limit == 64
    size.observe(settled=31, held_s=0.0001)
    assert size.limit == 64
    size.observe(settled=32, held_s=0.0047)
    assert 90 < size.limit < 100
