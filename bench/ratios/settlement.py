"""Settlement in adaptive batches beside one SQL statement and beside the ORM's loop."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import Popen
from threading import Event

from bench.ratios.measures import Row, Slice, at_least, interleaved, per_second, rates, ratio_of
from bench.ratios.processors import own_cpu_s
from bench.ratios.raw_settlement import SETTLE
from bench.ratios.run import Run
from bench.ratios.servers import Rig, running
from bench.ratios.stock import Stock
from kernel import db
from realtime import publishing
from settlement.batches import HeldClock, Plan
from settlement.draining import Drain
from settlement.selectors import orders_due
from settlement.services import orders_settle
from settlement.statistics import SUBSCRIBER
from settlement.worker import SWITCH_S

ORDERS, RAW_ORDERS, TWIN_ORDERS = 10_000, 2_000, 150


class Settler:
    """Settles as the worker does, the size of its batches adapting."""

    def __init__(self) -> None:
        self._waits_ms: list[float] = []
        self.drain = Drain(self._seen)

    def settled(self, rig: Rig, stock: Stock, orders: int) -> Slice:
        """Let so many orders be due and settle all of them."""
        self._waits_ms.clear()
        found = _timed(rig, stock, orders, self._work)
        return replace(found, waits_ms=list(self._waits_ms))

    def _work(self) -> int:
        done = self.drain.settled(Event())
        assert publishing.flush(), "the hints are not sent"
        return done

    def _seen(self, held: HeldClock) -> None:
        if held.held_s:
            self._waits_ms.append(held.held_s * 1000)


def batched(rig: Rig, stock: Stock, orders: int, limit: int) -> Slice:
    """Settle in batches of one size."""

    def work() -> int:
        plan = Plan(orders_due(limit=orders))
        done = sum(orders_settle(batch) for batch in iter(lambda: plan.batch(limit), []))
        assert publishing.flush(), "the hints are not sent"
        return done

    return _timed(rig, stock, orders, work)


def _timed(rig: Rig, stock: Stock, orders: int, work: Callable[[], int]) -> Slice:
    stock.orders_open(orders)
    before, began_s = (own_cpu_s(), rig.postgres_cpu_s()), time.perf_counter()
    done = work()
    wall_s = time.perf_counter() - began_s
    cpu_s = {"python": own_cpu_s() - before[0], "postgres": rig.postgres_cpu_s() - before[1]}
    assert done == orders, f"{done} of {orders} orders were due"
    return Slice(done, wall_s, cpu_s)


def raw(rig: Rig, stock: Stock) -> Slice:
    """Settle a batch by one statement."""
    stock.orders_open(RAW_ORDERS)
    before, began_s = rig.postgres_cpu_s(), time.perf_counter()
    found = db.row(SETTLE, {"limit": RAW_ORDERS, "skip": [], "subscribers": [SUBSCRIBER]})
    wall_s = time.perf_counter() - began_s
    assert found == (RAW_ORDERS,), found
    return Slice(RAW_ORDERS, wall_s, {"postgres": rig.postgres_cpu_s() - before})


class Loop:
    """The loop of the ORM, in a process with the settings that Django has by itself."""

    def __init__(self, rig: Rig, process: Popen[str]) -> None:
        self._rig = rig
        self._process = process

    def settled(self, stock: Stock, orders: int) -> Slice:
        """Let so many orders be due and have them settled."""
        stock.orders_open(orders)
        before = self._rig.postgres_cpu_s()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{orders}\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        assert told["done"] == orders, told
        cpu_s = {"python": told["cpu_s"], "postgres": self._rig.postgres_cpu_s() - before}
        return Slice(orders, told["wall_s"], cpu_s)


@contextmanager
def looping(rig: Rig) -> Iterator[Loop]:
    """Keep the twin running."""
    environ = rig.environ | {"DJANGO_SETTINGS_MODULE": "bench.ratios.twins.settings"}
    log = rig.data_dir / "loop.log"
    with running("-m", "bench.ratios.twins.settling_process", environ=environ, log=log) as process:
        yield Loop(rig, process)


def rows(run: Run) -> list[Row]:
    """Measure the three of them."""
    rig, stock, rounds = run.rig, run.stock, run.rounds
    settler = Settler()
    # As the worker's loop does.
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
    raw(rig, stock)
    settler.settled(rig, stock, RAW_ORDERS)
    stock.analyze()
    with looping(rig) as loop:
        loop.settled(stock, 20)
        found = interleaved(
            rounds,
            {
                "ours": lambda: settler.settled(rig, stock, ORDERS),
                "limit": lambda: raw(rig, stock),
                "twin": lambda: loop.settled(stock, TWIN_ORDERS),
            },
        )
    ours = per_second(found["ours"], "orders")
    waits = sorted(wait for one in found["ours"] for wait in one.waits_ms)
    held = f"held {waits[len(waits) // 2]:.0f} ms at the median"
    note = f"batches of {settler.drain.batch.limit} orders at the end, {held}; {_costs(found)}"
    return [
        Row(
            "settlement in adaptive batches, publishing included", ours, "one SQL statement over 2,000 orders",
            per_second(found["limit"], "orders"), ratio_of(rates(found["ours"]), rates(found["limit"])), "share",
            at_least(0.45), at_least(0.75), note,
        ),
        Row(
            "settlement", ours, "ORM, order by order", per_second(found["twin"], "orders"),
            ratio_of(rates(found["ours"]), rates(found["twin"])), "times", at_least(80), at_least(150),
        ),
    ]  # fmt: skip


def _costs(found: dict[str, list[Slice]]) -> str:
    told = []
    for name in ("ours", "limit", "twin"):
        last = found[name][-1]
        parts = ", ".join(f"{used * 1e6 / last.operations:,.0f} us {who}" for who, used in last.cpu_s.items())
        told.append(f"{name} {parts}")
    return "processor an order: " + "; ".join(told)
