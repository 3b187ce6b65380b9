"""What settlement does to those who trade: waits of placement while batches hold their wallets, and deadlocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.ratios.measures import (
    Ratio,
    Row,
    Slice,
    at_most,
    interleaved,
    milliseconds,
    percentile,
    percentiles,
    ratio_of,
)
from bench.ratios.placement import placing
from bench.ratios.run import Run
from bench.ratios.servers import Rig, running
from bench.ratios.stock import Stock
from kernel import db

# The traders of the batches: few, so that each placement meets a wallet that a batch holds or will hold.
TRADERS = range(1, 201)
POOL, WORKERS = 12_000, 4
SETTLED_LIMIT_S = 60.0


def _due() -> int:
    found = db.row("SELECT count(*) FROM trading_order_open AS w JOIN quotes_symbol_head AS h USING (symbol_id)"
                   " WHERE w.expires_at_ms <= h.watermark_ms")  # fmt: skip
    assert found is not None
    return int(found[0])


def _deadlocks() -> int:
    found = db.row("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert found is not None
    return int(found[0])


def _await_settled() -> None:
    until_s = time.monotonic() + SETTLED_LIMIT_S
    while _due():
        if time.monotonic() > until_s:
            raise RuntimeError("the workers do not settle")
        time.sleep(0.05)


def _during(rig: Rig, stock: Stock, *, seconds: float) -> Slice:
    """Let orders of the traders be due, and place more of them while workers settle those."""
    stock.orders_open(POOL, users=len(TRADERS), first_user=TRADERS[0])
    db.run("NOTIFY settlement_due")
    found: list[Slice] = []
    until_s = time.monotonic() + seconds
    while _due() and time.monotonic() < until_s:
        found.append(placing(rig, stock, seconds=0.2, users=TRADERS, name="trader"))
    _await_settled()
    waits = [wait for one in found for wait in one.waits_ms]
    return Slice(len(waits), sum(one.wall_s for one in found) or 1.0, {}, waits)


@contextmanager
def _workers(rig: Rig, number: int) -> Iterator[None]:
    """Keep settlement workers running."""
    with ExitStack() as stack:
        for _ in range(number):
            worker = stack.enter_context(
                running("-m", "bench.ratios.settler", environ=rig.environ, log=rig.data_dir / "settler.log")
            )
            assert worker.stdout is not None
            worker.stdout.readline()
        yield


def rows(run: Run) -> list[Row]:
    """Measure the waits of one worker's traders, and the deadlocks of four workers with placement."""
    rig, stock, rounds, seconds = run.rig, run.stock, run.rounds, run.seconds
    rounds = min(rounds, 3)
    with _workers(rig, 1):
        found = interleaved(
            rounds,
            {
                "without": lambda: placing(rig, stock, seconds=2 * seconds, users=TRADERS, name="trader"),
                "with": lambda: _during(rig, stock, seconds=4 * seconds),
            },
        )
    before = _deadlocks()
    with _workers(rig, WORKERS):
        crowded = _during(rig, stock, seconds=4 * seconds)
    # The statistics of a database are told by its sessions once they are idle.
    time.sleep(1.5)
    deadlocks = float(_deadlocks() - before)
    usual, waits = percentiles(found["without"], 0.99), percentiles(found["with"], 0.99)
    return [
        Row(
            "placement p99 of users in the batch being settled", milliseconds(waits), "without settlement",
            milliseconds(usual), ratio_of(waits, usual), "times", at_most(4), at_most(2),
            f"{sum(len(one.waits_ms) for one in found['with']):,} orders placed meanwhile, one worker",
        ),
        Row(
            f"deadlocks, {WORKERS} settlement workers with placement running", f"{deadlocks:.0f}", "none", "0",
            Ratio(deadlocks, deadlocks, deadlocks), "", at_most(0), at_most(0),
            f"{POOL:,} orders of {len(TRADERS)} users settled, {len(crowded.waits_ms):,} placed by them;"
            f" placement p99 {percentile(crowded.waits_ms, 0.99):.0f} ms",
        ),
    ]  # fmt: skip
