"""The same log once more, settled by a worker that never crashes: every outcome must be the same (I-12, F-02)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby

from bench.simulator.build import Build
from bench.simulator.database import Database
from bench.simulator.judge import Change, Judge, orders_of
from bench.simulator.rows import AccountRow, OrderRow
from bench.simulator.settling import Worker
from bench.simulator.world import World

PLENTY = 10**12
ENDS = ("state", "payout", "reason", "open_seq", "close_seq", "close_price")


def playback_judge(world: World, database: Database, judge: Judge, build: Build) -> None:
    """Play the recorded log and orders to one undisturbed worker and compare how the orders end."""
    again = World(world.seed + 1_000_003)
    copy = Database(again)
    for key, symbol in database.table("symbol").items():
        copy.table("symbol")[key] = symbol
    # Money is not what is compared here: every account can pay.
    for account in database.table("account"):
        copy.table("account")[account] = AccountRow(PLENTY, 0)
    # What happened at one instant happens in its order.
    for at_ms, changes in groupby(judge.history, key=lambda change: change.at_ms):
        again.later(at_ms, partial(_apply, copy, list(changes)))
    worker = Worker(again, copy, build, "undisturbed", crash_chance=0.0, raises=False)
    again.live(worker.process)
    orders = orders_of(database)
    again.run(world.now_ms + 60_000, done=lambda: len(orders_of(copy)) == len(orders) and not copy.table("open"))
    ends = {key: _end(order) for key, order in orders_of(copy).items()}
    for key, order in orders.items():
        if ends.get(key) != _end(order):
            world.found("I-12", f"undisturbed, order {order['client_order_id']} ends as {ends.get(key)}")


def _end(order: OrderRow) -> tuple[object, ...]:
    return tuple(order[name] for name in ENDS)


def _apply(database: Database, changes: Sequence[Change]) -> None:
    for change in changes:
        _change(database, change)
    database.world.tell("watermark")


def _change(database: Database, change: Change) -> None:
    """Let a recorded commit take effect."""
    for key, head in change.heads.items():
        database.table("head")[key] = head
    for log, rows in change.appended.items():
        database.log(log).extend(rows)
    for order in change.placed:
        database.table("order")[order["id"]] = order
        names = ("id", "symbol_id", "expires_at_ms", "entry_after_seq", "entry_until_ms")
        database.table("open")[order["id"]] = {name: order[name] for name in names}
