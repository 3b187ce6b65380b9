"""The simulator (contract, Feeds): lively, deterministic by seed and symbol, continuous over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest

from kernel.clock import wall_ms
from quotes.adapters.simulator import LEVELS, PACE_S, Simulator, Walk
from quotes.adapters.upstream import Wanted
from quotes.domain import FEED_SILENT_MS


def walked(symbol: str, steps: int, *, seed: int = 1, last_price: Decimal | None = None) -> list[Decimal]:
    """Return the mids of a walk."""
    walk = Walk(seed=seed, symbol=symbol, last_price=last_price)
    return [sum(walk.step(), Decimal(0)) / 2 for _ in range(steps)]


def test_a_walk_depends_on_seed_and_symbol_alone() -> None:
    """Contract, Feeds: deterministic by seed."""
    assert walked("EURUSD", 100) == walked("EURUSD", 100)
    assert walked("EURUSD", 100) != walked("EURUSD", 100, seed=2)
    assert walked("AAA", 100) != walked("BBB", 100)


@pytest.mark.parametrize("symbol", [*LEVELS, "ANYTHING"])
def test_a_day_of_a_walk_looks_like_a_market(symbol: str) -> None:
    """A chart that is flat, or one that the outlier rule would cut, shows nothing."""
    mids = walked(symbol, 20_000)

    assert _equal_neighbours(mids) < 0.02
    assert all(mid > 0 for mid in mids)
    assert max(mids) / min(mids) < Decimal("1.3")
    assert all(abs(after - before) / before < Decimal("0.01") for before, after in pairwise(mids))


def _equal_neighbours(mids: Sequence[Decimal]) -> float:
    return sum(1 for before, after in pairwise(mids) if before == after) / len(mids)


def test_a_walk_goes_on_from_the_last_price() -> None:
    """A restart is no jump: the outlier rule would refuse the first ticks after it."""
    mids = walked("EURUSD", 10, last_price=Decimal("1.20000"))

    assert abs(mids[0] - Decimal("1.2")) < Decimal("0.001")


@pytest.mark.asyncio
async def test_all_wanted_symbols_tick_together_four_to_five_times_a_second() -> None:
    """One packet a step keeps the writes few; new symbols join without a break in the others."""
    simulator = Simulator(seed=1, clock=wall_ms)
    await simulator.resubscribe({"EURUSD": Wanted()})
    packets = simulator.packets()

    first = await anext(packets)
    await simulator.resubscribe({"EURUSD": Wanted(), "NEW": Wanted()})
    second = await anext(packets)
    await packets.aclose()

    assert [tick.source for tick in first.ticks] == ["EURUSD"]
    assert [tick.source for tick in second.ticks] == ["EURUSD", "NEW"]
    assert 4 <= 1 / PACE_S[1] <= 1 / PACE_S[0] <= 5.5
    assert PACE_S[1] * 1000 < FEED_SILENT_MS


@pytest.mark.asyncio
async def test_nothing_wanted_is_nothing_told() -> None:
    """A feed without symbols gives no sign of life for symbols that it does not carry."""
    packets = Simulator(seed=1, clock=wall_ms).packets()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await anext(packets)
