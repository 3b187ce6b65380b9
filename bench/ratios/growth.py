"""How costs grow with what is stored: processor time of an operation before and after everything has grown."""

from __future__ import annotations

from collections.abc import Callable

from bench.ratios import placement, settlement, ticks
from bench.ratios.measures import Row, Slice, at_most, costs, interleaved, microseconds, ratio_of
from bench.ratios.processors import timed
from bench.ratios.servers import Rig
from bench.ratios.stock import Stock

ROUNDS, SECONDS, ORDERS, GROWS_AT_MOST = 5, 1.5, 3_000, 1.3


def costs_measured(rig: Rig, stock: Stock) -> dict[str, list[Slice]]:
    """Measure what an operation costs both Python and PostgreSQL at the present size."""
    writer = ticks.Writer(stock)

    def settled() -> Slice:
        # A batch of one size, so that the cost is not that of the size which suits the minute.
        return settlement.batched(rig, stock, ORDERS, 250)

    contestants: dict[str, Callable[[], Slice]] = {
        "placement": lambda: placement.placing(rig, stock, seconds=SECONDS, name="growth"),
        "settlement": settled,
        "ticks": lambda: timed(writer.batch, seconds=SECONDS, others=rig.postgres_cpu_s),
    }
    for work in contestants.values():
        work()
    return interleaved(ROUNDS, contestants)


def rows(before: dict[str, list[Slice]], after: dict[str, list[Slice]], scale: int) -> list[Row]:
    """Compare."""
    return [
        Row(
            f"processor time of {name} with {scale}x users, open orders and ticks", microseconds(after[name]),
            "the same with 1x", microseconds(before[name]), ratio_of(costs(after[name]), costs(before[name])), "times",
            at_most(GROWS_AT_MOST), at_most(1.1),
        )
        for name in before
    ]  # fmt: skip
