"""Placement without HTTP: the service on one connection beside pgbench."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count

from bench.ratios.limits import Pgbench
from bench.ratios.measures import Row, Slice, at_least, interleaved, per_second, rates, ratio_of
from bench.ratios.processors import timed
from bench.ratios.run import Run
from bench.ratios.servers import Rig
from bench.ratios.stock import Stock
from trading.domain import Ticket
from trading.services import order_place

_numbers = count(1)


def tickets(stock: Stock, *, name: str = "service") -> Iterator[Ticket]:
    """Yield tickets for the demo ledger that are due in an hour."""
    codes = list(stock.still)
    while True:
        number = next(_numbers)
        yield Ticket(
            client_order_id=f"{name}-{number}",
            symbol=codes[number % len(codes)],
            direction="up" if number % 2 else "down",
            stake="1.00",
            ledger="demo",
            duration_s=3_600,
        )


def placing(rig: Rig, stock: Stock, *, seconds: float, users: range | None = None, name: str = "service") -> Slice:
    """Place orders of users drawn by chance, one after the other."""
    asked, drawn, span = tickets(stock, name=name), random.Random(1), users or range(1, stock.users + 1)
    callers = {number: stock.caller(number) for number in span}

    def place() -> int:
        order_place(caller=callers[drawn.choice(span)], ticket=next(asked))
        return 1

    return timed(place, seconds=seconds, others=rig.postgres_cpu_s)


def rows(run: Run) -> list[Row]:
    """Measure the service beside its limit."""
    rig, stock, rounds, seconds = run.rig, run.stock, run.rounds, run.seconds
    pgbench = Pgbench(rig, stock)
    placing(rig, stock, seconds=0.3)
    found = interleaved(
        rounds,
        {
            "ours": lambda: placing(rig, stock, seconds=seconds),
            "limit": lambda: pgbench.placements(1, seconds=seconds),
        },
    )
    return [
        Row(
            figure="placement service, 1 connection",
            ours=per_second(found["ours"], "orders"),
            against="pgbench, the same SQL",
            other=per_second(found["limit"], "orders"),
            ratio=ratio_of(rates(found["ours"]), rates(found["limit"])),
            shown="share",
            required=at_least(0.50),
            aim=at_least(0.75),
        )
    ]
