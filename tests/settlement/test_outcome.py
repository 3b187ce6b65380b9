"""The outcome of an order is a pure function of its terms and the admitted log (principle 4, rules 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.batches import BatchSize
from settlement.domain import Outcome, Refund, Terms, Tick, outcome
from trading.domain import Direction, OrderState

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
DOWN = replace(UP, direction=Direction.DOWN)


@dataclass(frozen=True)
class Vector:
    """A published test vector of ``last_tick/1``."""

    name: str
    terms: Terms
    evidence: Tick | None
    state: str
    payout: int
    reason: str | None = None


def _tick(price: int, *, before_ms: int = 0, revision: int = 4) -> Tick:
    return Tick(seq=900, at_ms=EXPIRES_MS - before_ms, price=price, revision=revision)


VECTORS = [
    Vector("up wins one step above", UP, _tick(108_513), "won", 1_850),
    Vector("up loses one step below", UP, _tick(108_511), "lost", 0),
    Vector("up ties at the opening price", UP, _tick(108_512), "tied", 1_000),
    Vector("down wins one step below", DOWN, _tick(108_511), "won", 1_850),
    Vector("down loses one step above", DOWN, _tick(108_513), "lost", 0),
    Vector("down ties at the opening price", DOWN, _tick(108_512), "tied", 1_000),
    Vector("a tick exactly at expiry counts", UP, _tick(108_513, before_ms=0), "won", 1_850),
    Vector("the oldest tick that counts", UP, _tick(108_513, before_ms=3_000), "won", 1_850),
    Vector("one millisecond older", UP, _tick(108_513, before_ms=3_001), "refunded", 1_000, "stale_tick"),
    Vector("a stale tick at the opening price", UP, _tick(108_512, before_ms=3_001), "refunded", 1_000, "stale_tick"),
    Vector("no tick", UP, None, "refunded", 1_000, "no_tick"),
    Vector("another revision", UP, _tick(108_513, revision=5), "refunded", 1_000, "revision"),
    Vector(
        "a stale tick of another revision", UP, _tick(1, before_ms=3_001, revision=5), "refunded", 1_000, "stale_tick"
    ),
    Vector("profit is floored", replace(UP, stake=101, payout_percent=85), _tick(108_513), "won", 101 + 85),
    Vector("a profit below one minor unit", replace(UP, stake=1, payout_percent=50), _tick(108_513), "won", 1),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vectors_of_last_tick_1(vector: Vector) -> None:
    """Rules 3 and 4: win, loss, tie, stale, missing and revised evidence, to the millisecond and the price step."""
    decided = outcome(terms=vector.terms, evidence=vector.evidence)
    assert decided == Outcome(
        OrderState(vector.state),
        vector.payout,
        vector.evidence,
        None if vector.reason is None else Refund(vector.reason),
    )


def evidence_of(log: list[Tick], expires_at_ms: int) -> Tick | None:
    """Choose the evidence by the words of the rule: the last admitted tick at or before expiry."""
    counting = [tick for tick in log if tick.at_ms <= expires_at_ms]
    return max(counting, key=lambda tick: (tick.at_ms, tick.seq), default=None)


@st.composite
def logs(draw: st.DrawFn) -> list[Tick]:
    """Admitted logs around the expiry: monotonic in time, gap-free in seq."""
    steps = draw(st.lists(st.tuples(st.integers(0, 2_000), st.integers(108_505, 108_520)), max_size=12))
    at_ms = EXPIRES_MS - draw(st.integers(min_value=0, max_value=8_000))
    ticks = []
    for seq, (step_ms, price) in enumerate(steps, start=1):
        at_ms += step_ms
        ticks.append(Tick(seq, at_ms, price, 4))
    return ticks


@settings(max_examples=500)
@given(log=logs(), data=st.data())
def test_arrival_duplicates_and_later_ticks_change_nothing(log: list[Tick], data: st.DataObject) -> None:
    """I-14: the outcome ignores the order of reading, doubled rows, and whatever came after the expiry."""
    expected = outcome(terms=UP, evidence=evidence_of(log, EXPIRES_MS))
    doubled = log + data.draw(st.lists(st.sampled_from(log), max_size=5) if log else st.just([]))
    shuffled = data.draw(st.permutations(doubled))
    first_after = max((tick.seq for tick in log), default=0) + 1
    later = [
        Tick(first_after + number, EXPIRES_MS + 1 + number, price, 4)
        for number, price in enumerate(data.draw(st.lists(st.integers(1, 10**6), max_size=5)))
    ]
    assert outcome(terms=UP, evidence=evidence_of([*shuffled, *later], EXPIRES_MS)) == expected


@settings(max_examples=500)
@given(log=logs(), stake=st.integers(1, 10**9), payout=st.integers(0, 98))
def test_up_and_down_mirror_each_other(log: list[Tick], stake: int, payout: int) -> None:
    """I-15: up wins exactly where down loses; ties and refunds return both stakes."""
    up = replace(UP, stake=stake, payout_percent=payout)
    evidence = evidence_of(log, EXPIRES_MS)
    one = outcome(terms=up, evidence=evidence)
    other = outcome(terms=replace(up, direction=Direction.DOWN), evidence=evidence)
    mirrored = {"won": "lost", "lost": "won", "tied": "tied", "refunded": "refunded"}
    assert other.state == mirrored[one.state]
    assert other.reason == one.reason
    if one.state in ("tied", "refunded"):
        assert one.payout == other.payout == stake
    else:
        assert {one.payout, other.payout} == {0, stake + stake * payout // 100}


@given(log=logs(), price=st.integers(108_500, 108_525))
def test_the_mirrored_price_series_mirrors_the_outcome(log: list[Tick], price: int) -> None:
    """I-15: no direction is favoured: reflecting all prices at the opening price swaps up and down."""
    up = replace(UP, open_price=price)
    reflected = [replace(tick, price=2 * price - tick.price) for tick in log]
    one = outcome(terms=up, evidence=evidence_of(log, EXPIRES_MS))
    other = outcome(terms=replace(up, direction=Direction.DOWN), evidence=evidence_of(reflected, EXPIRES_MS))
    assert (one.state, one.payout, one.reason) == (other.state, other.payout, other.reason)


def test_a_refund_has_only_the_reasons_of_the_rules() -> None:
    """Rules 3: refund only for these; an operator's act is not among them."""
    assert {reason.value for reason in Refund} <= {"no_tick", "stale_tick", "feed_closed", "no_entry_tick", "revision"}


def test_the_batch_grows_while_quick_and_shrinks_when_slow() -> None:
    """Architecture, Settlement: a batch adapts between 50 and 2,000 to hold its locks about 25 ms."""
    size = BatchSize()
    assert size.limit == 250
    for _ in range(10):
        size.observe(settled=size.limit, held_s=0.001)
    assert size.limit == 2_000
    size.observe(settled=2_000, held_s=10.0)
    assert size.limit == 1_000
    for _ in range(10):
        size.observe(settled=size.limit, held_s=10.0)
    assert size.limit == 50
    size.observe(settled=49, held_s=0.0001)
    assert size.limit == 50
