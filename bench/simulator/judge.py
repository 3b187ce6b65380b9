"""The judge who looks on: every commit is held against the rules while the run goes on.

It knows rows, not the code that wrote them, and keeps what happened for the reckoning at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bench.simulator.database import Database, Transaction
from bench.simulator.parsing import AdmittedNote
from bench.simulator.placing import PlacedNote
from bench.simulator.rows import HeadRow, OrderRow, RaiseRow
from bench.simulator.world import World
from quotes.domain import RaiseCause

GRACE_MS = 2_000
SILENT_MS = 5_000
FROZEN = (
    *("id", "wallet_id", "stakes_id", "book", "client_order_id", "symbol_id", "direction", "stake", "payout_percent"),
    *("entry_rule", "settlement_rule", "max_tick_age_ms", "accepted_at_ms", "expires_at_ms", "expected_price"),
    *("max_price_drift", "entry_after_seq", "entry_after_ms", "entry_until_ms"),
)
OPENING = ("open_seq", "open_at_ms", "open_price")


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit did to heads, logs and new orders, with its instant."""

    at_ms: int
    heads: dict[int, HeadRow]
    appended: dict[Any, list[Any]]
    placed: list[OrderRow]


@dataclass(slots=True)
class Judge:
    """Judges commits as they happen."""

    world: World
    database: Database
    history: list[Change] = field(default_factory=list)
    # Batches in the order of their commits, each with the watermark that was committed then.
    batches: list[tuple[AdmittedNote, int]] = field(default_factory=list)

    def committing(self, transaction: Transaction) -> None:
        """Judge a transaction before it takes effect."""
        heads: dict[int, HeadRow] = {}
        placed: list[OrderRow] = []
        for log, rows in transaction.appended.items():
            if isinstance(log, tuple) and log[0] == "tick":
                self._ticks(log[1], rows)
        for (table, key), row in transaction.written.items():
            before: Any = self.database.table(table).get(key)
            if table == "head":
                symbol_id: Any = key
                heads[symbol_id] = row
                self._head(symbol_id, before, row, transaction)
            elif table == "order" and before is None:
                placed.append(row)
            elif table == "order":
                self._order(before, row)
            elif table == "account" and row.balance < 0:
                self.world.found("I-03", f"account {key} falls to {row.balance}")
        for note in transaction.notes:
            if isinstance(note, PlacedNote):
                self._placed(note, transaction.written["order", note.order_id])
            else:
                self.batches.append((note, self._watermark(note.symbol.id)))
        if heads or placed or transaction.appended:
            self.history.append(Change(self.world.now_ms, heads, dict(transaction.appended), placed))

    def _watermark(self, symbol_id: int) -> int:
        row: HeadRow = self.database.table("head")[symbol_id]
        return row.head.watermark_ms

    def _ticks(self, symbol_id: int, ticks: list[Any]) -> None:
        """The log has no gaps, is never earlier, and nothing is admitted at or below the watermark (I-16)."""
        log, watermark_ms = self.database.log(("tick", symbol_id)), self._watermark(symbol_id)
        seq, at_ms = (log[-1].seq, log[-1].at_ms) if log else (0, 0)
        for tick in ticks:
            if tick.seq != seq + 1 or tick.at_ms < at_ms:
                self.world.found("rules 1", f"tick {tick} follows {seq} of {at_ms}")
            if tick.at_ms <= watermark_ms:
                self.world.found("I-16", f"tick {tick} is admitted at or below the watermark {watermark_ms}")
            seq, at_ms = tick.seq, tick.at_ms

    def _head(self, symbol_id: int, before: HeadRow, after: HeadRow, transaction: Transaction) -> None:
        """A watermark never falls and is raised for three causes only; the head says where the log ends."""
        ticks = [*self.database.log(("tick", symbol_id)), *transaction.appended.get(("tick", symbol_id), ())]
        if after.head.seq != (ticks[-1].seq if ticks else 0):
            self.world.found("rules 1", f"head {symbol_id} stands at {after.head.seq}, its log does not")
        was_ms, is_ms = before.head.watermark_ms, after.head.watermark_ms
        if is_ms < was_ms:
            self.world.found("I-16", f"watermark of {symbol_id} falls from {was_ms} to {is_ms}")
        if is_ms > was_ms:
            raises: list[RaiseRow] = transaction.appended.get(("raise", symbol_id), [])
            if len(raises) != 1 or raises[0].watermark_ms != is_ms or not self._allowed(raises[0], ticks):
                self.world.found("I-16", f"watermark of {symbol_id} is raised to {is_ms} by {raises}")

    def _allowed(self, raised: RaiseRow, ticks: list[Any]) -> bool:
        if raised.cause is RaiseCause.TICK:
            return bool(raised.watermark_ms <= ticks[-1].at_ms - 1)
        if raised.cause is RaiseCause.HEARTBEAT:
            return raised.watermark_ms <= raised.heartbeat_ms - GRACE_MS
        return raised.watermark_ms + GRACE_MS < raised.raised_at_ms

    def _placed(self, note: PlacedNote, order: OrderRow) -> None:
        """An order is accepted on a live market, at terms that are public, and before its result is known."""
        symbol, head = note.symbol, note.head
        assert symbol is not None
        terms = (symbol.payout_percent, symbol.entry_rule, symbol.settlement_rule, symbol.max_tick_age_ms)
        frozen = tuple(order[name] for name in ("payout_percent", "entry_rule", "settlement_rule", "max_tick_age_ms"))
        if terms != frozen or order["accepted_at_ms"] != note.now_ms:
            self.world.found("I-18", f"order {order['client_order_id']} has {frozen}, not {terms}")
        if symbol.operator_state != "open" or head.closed_by_feed is not None or not head.clock_sane:
            self.world.found("rules 2", f"order {order['client_order_id']} is accepted on a market that is not open")
        if head.heartbeat_ms is None or note.now_ms - head.heartbeat_ms > SILENT_MS:
            self.world.found("F-14", f"order {order['client_order_id']} is accepted while the feed is silent")
        if head.head.tick_at_ms is None or note.now_ms - head.head.tick_at_ms > symbol.max_tick_age_ms:
            self.world.found("I-17", f"order {order['client_order_id']} is accepted at a stale price")
        if order["expires_at_ms"] <= head.head.watermark_ms:
            self.world.found("F-12", f"order {order['client_order_id']} is accepted when its result is known already")
        self._entry_frozen(order, head)

    def _entry_frozen(self, order: OrderRow, head: HeadRow) -> None:
        if order["entry_rule"] == "last_tick/1":
            newest = (head.head.seq, head.head.tick_at_ms, head.head.tick_price)
            if tuple(order[name] for name in OPENING) != newest:
                self.world.found("rules 2", f"order {order['client_order_id']} does not open at {newest}")
        elif order["entry_after_seq"] != head.head.seq:
            self.world.found("rules 2", f"order {order['client_order_id']} does not wait behind {head.head.seq}")

    def _order(self, before: OrderRow, after: OrderRow) -> None:
        """Terms stay, an order ends once, and not before its watermark has come (I-11, I-16, I-18)."""
        name = after["client_order_id"]
        if before["state"] != "open":
            self.world.found("I-11", f"order {name} ends as {before['state']} and again as {after['state']}")
            return
        for column in FROZEN:
            if before[column] != after[column]:
                self.world.found("I-18", f"{column} of order {name} changes")
        if before["open_seq"] is not None and any(before[column] != after[column] for column in OPENING):
            self.world.found("I-18", f"order {name} opens twice")
        if after["state"] != "open":
            self._ended(after)

    def _ended(self, order: OrderRow) -> None:
        head: HeadRow = self.database.table("head")[order["symbol_id"]]
        if order["reason"] in ("no_entry_tick", "price_moved"):
            known = order["entry_after_seq"] < head.head.seq or order["entry_until_ms"] <= head.head.watermark_ms
        else:
            known = order["expires_at_ms"] <= head.head.watermark_ms
        if not known:
            at_ms = head.head.watermark_ms
            self.world.found("I-16", f"order {order['client_order_id']} ends while the watermark is at {at_ms}")


def orders_of(database: Database) -> dict[UUID, OrderRow]:
    """Return the committed orders by id."""
    return database.table("order")
