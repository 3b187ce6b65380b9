"""A settlement worker, as ``settlement.worker`` and ``settlement.services`` are one, around the real rules.

Rows become terms by the product's own ``settlement.claims``; entry, outcome and the numbering of transfers are its pure
functions. Simulated are the statements, each one step, and the loop that turns.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from msgspec import structs

from bench.simulator.build import Build
from bench.simulator.database import Database, Session, SessionGoneError, Transaction, UniqueError
from bench.simulator.placing import post
from bench.simulator.rows import HeadRow, OrderRow, RaiseRow
from bench.simulator.world import Process, Step, Steps, Wait, World
from ledger.domain import AccountKind, GuardedBalance, InsufficientFundsError, house_account_id, house_stripe
from quotes.domain import RaiseCause
from settlement.claims import ClaimedOrder
from settlement.domain import Entry, Evidence, Outcome, Tick
from trading.domain import TRIMMED_MEAN, OrderState

INTERVAL_MS = 1_000


class BatchFailedError(Exception):
    """A batch was at odds with the books."""


@dataclass(slots=True)
class Worker:
    """One settlement worker; any number of them may run."""

    world: World
    database: Database
    build: Build
    name: str
    crash_chance: float = 0.008
    # Outcomes are computed again from a recorded log: nothing is raised by this worker then.
    raises: bool = True
    process: Process = field(init=False)
    _draws: random.Random = field(init=False)
    _session: Session | None = None

    def __post_init__(self) -> None:
        self._draws = self.world.draws(f"worker {self.name}")
        self.process = Process(self.name, self._run, self._gone, crash_chance=self.crash_chance)

    def _gone(self) -> None:
        if self._session is not None:
            self._session.end()

    def _run(self) -> Steps:
        self._session = Session(self.database, self.name)
        while True:
            try:
                yield from self._turn(self._session)
                yield Wait("watermark", INTERVAL_MS)
            except SessionGoneError:
                yield Step("has lost the database", INTERVAL_MS // 2)
                self._session = Session(self.database, self.name)
            except BatchFailedError as error:
                self.world.found("I-11", f"a batch failed: {error}")
                self._session.end()
                yield Step("has a failed batch", INTERVAL_MS)
                self._session = Session(self.database, self.name)

    def _turn(self, session: Session) -> Steps:
        """Raise what is overdue, let orders enter, settle what is due (``SettlementLoop.turn``)."""
        if not self.database.table("open"):
            return
        if self.raises:
            yield from self._raise_overdue(session)
        while (yield from self._batch(session, self._enter)):
            pass
        while (yield from self._batch(session, self._settle)):
            pass

    def _batch(self, session: Session, work: Any) -> Steps:
        transaction = session.begin()
        try:
            some: bool = yield from work(transaction)
            return some
        except (LookupError, AssertionError, InsufficientFundsError, UniqueError) as error:
            raise BatchFailedError(repr(error)) from error

    def _raise_overdue(self, session: Session) -> Steps:
        """Raise watermarks to what is overdue, in a committed step of its own (``watermarks_raise_to_expiry``)."""
        targets: dict[int, int] = {}
        now_ms = self.database.now_ms()
        for opened in self.database.table("open").values():
            waits = opened["entry_after_seq"] is not None
            for until_ms in (opened["expires_at_ms"], opened["entry_until_ms"] if waits else None):
                key = opened["symbol_id"]
                if until_ms is not None and self.build.is_overdue(until_ms, self.database.table("head")[key], now_ms):
                    targets[key] = max(targets.get(key, 0), until_ms)
        if not targets:
            return
        stale = {key: self.database.table("head")[key] for key in targets}
        yield Step("knows what is overdue", self._takes())
        transaction = session.begin()
        yield from transaction.lock("head", sorted(targets))
        now_ms = self.database.now_ms()
        for key, until_ms in targets.items():
            head: HeadRow = transaction.read("head", key) if self.build.fence_locked else stale[key]
            if self.build.is_overdue(until_ms, head, now_ms):
                raised = replace(head, head=structs.replace(head.head, watermark_ms=until_ms))
                transaction.write("head", key, raised)
                transaction.append(("raise", key), [RaiseRow(until_ms, RaiseCause.SETTLEMENT, now_ms)])
                self.world.seen["fence raised"] += 1
        yield Step("commits the fence", self._takes())
        transaction.commit()
        yield Step("has committed the fence")

    def _claimed(self, transaction: Transaction, entering: bool) -> list[OrderRow]:
        """Lock what can be decided, leaving out what another worker holds (SKIP LOCKED)."""
        found: list[OrderRow] = []
        limit = self._draws.choice((1, 2, 5, 50))
        ready = [opened for opened in self.database.table("open").values() if self._ready(opened, entering)]
        for opened in sorted(ready, key=lambda row: (row["expires_at_ms"], row["id"])):
            free = not self.build.claims_locked or len(found) == limit or transaction.try_lock("open", opened["id"])
            if free and len(found) < limit:
                found.append(transaction.read("order", opened["id"]))
        return found

    def _ready(self, opened: OrderRow, entering: bool) -> bool:
        if (opened["entry_after_seq"] is not None) is not entering:
            return False
        head: HeadRow = self.database.table("head")[opened["symbol_id"]]
        if entering:
            return bool(opened["entry_after_seq"] < head.head.seq or opened["entry_until_ms"] <= head.head.watermark_ms)
        return self.build.is_due(opened, head, self.database.now_ms())

    def _log(self, order: OrderRow) -> list[Tick]:
        return self.database.log(("tick", order["symbol_id"]))

    def _enter(self, transaction: Transaction) -> Steps:
        """Let orders enter at their next tick, or refund them (``orders_enter``)."""
        claimed, now_ms = self._claimed(transaction, entering=True), self.database.now_ms()
        ticks = [self.build.entry_at(self._log(order), order) for order in claimed]
        if not claimed:
            transaction.commit()
            return False
        yield Step("has claimed entries", self._takes())
        refunded: list[tuple[OrderRow, Outcome]] = []
        for order, tick in zip(claimed, ticks, strict=True):
            made: Entry = self.build.entry(terms=ClaimedOrder(order, now_ms).entry_terms, tick=tick)
            entered = dict(ClaimedOrder(order, now_ms).entered(made.tick).row)
            if made.refund is None:
                transaction.write("order", order["id"], entered)
                opened = transaction.read("open", order["id"])
                transaction.write("open", order["id"], {**opened, "entry_after_seq": None})
                self.world.seen["entered"] += 1
            else:
                refunded.append((entered, Outcome(OrderState.REFUNDED, order["stake"], None, made.refund)))
        yield Step("has written entries", self._takes())
        if refunded:
            yield from self._ends_write(transaction, refunded)
        yield Step("commits entries", self._takes())
        transaction.commit()
        yield Step("has committed entries")
        return True

    def _settle(self, transaction: Transaction) -> Steps:
        """Settle due orders in one transaction (``orders_settle``)."""
        claimed, now_ms = self._claimed(transaction, entering=False), self.database.now_ms()
        if not claimed:
            transaction.commit()
            return False
        found = [(self.build.evidence_at(self._log(order), order), self._closed(order)) for order in claimed]
        yield Step("has claimed due orders", self._takes())
        decided: list[tuple[OrderRow, Outcome]] = []
        for order, (tick, closed) in zip(claimed, found, strict=True):
            window = self.build.window_at(self._log(order), order) if order["settlement_rule"] == TRIMMED_MEAN else []
            evidence = Evidence(
                tick, tuple(tick.price for tick in window), frozenset(tick.revision for tick in window), closed
            )
            terms = ClaimedOrder(self._terms_of(order), now_ms).terms
            decided.append((order, self.build.outcome(terms=terms, evidence=evidence)))
        yield Step("has decided", self._takes())
        yield from self._ends_write(transaction, decided)
        yield Step("commits settlements", self._takes())
        transaction.commit()
        for _, outcome in decided:
            self.world.seen[f"settled: {outcome.state}"] += 1
        yield Step("has committed settlements")
        return True

    def _terms_of(self, order: OrderRow) -> OrderRow:
        if self.build.terms_frozen:
            return order
        symbol = self.database.table("symbol")[order["symbol_id"]]
        return {**order, "payout_percent": symbol.payout_percent, "max_tick_age_ms": symbol.max_tick_age_ms}

    def _closed(self, order: OrderRow) -> bool:
        """Return the feed's last word on the market at the expiry."""
        said = self.database.log(("declaration", order["symbol_id"]))
        told = [(row.at_ms, place, row.closed) for place, row in enumerate(said) if row.at_ms <= order["expires_at_ms"]]
        return max(told)[2] if told else False

    def _ends_write(self, transaction: Transaction, decided: Sequence[tuple[OrderRow, Outcome]]) -> Steps:
        """Lock the wallets, move the money, write the ends (``settlement.services._settled``)."""
        wallet_ids = sorted({order["wallet_id"] for order, _ in decided})
        yield from transaction.lock("account", wallet_ids)
        yield Step("holds wallets", self._takes())
        guarded: dict[UUID, GuardedBalance] = {}
        for order, _ in decided:
            for account_id in (order["wallet_id"], order["stakes_id"]):
                row = transaction.read("account", account_id)
                guarded.setdefault(account_id, GuardedBalance(row.balance, row.entry_no))
        drafts = []
        for order, outcome in decided:
            stripe = house_stripe(order["id"])
            house = house_account_id(order["book"], order["currency"], AccountKind.HOUSE, stripe)
            drafts += self.build.transfers_of(order, outcome, house)
        post(self.build, transaction, drafts, guarded)
        if not self.build.settled_at_once:
            transaction.commit()
            yield Step("has moved money alone", self._takes())
            assert self._session is not None
            transaction = self._session.begin()
        for order, outcome in decided:
            self._end_write(transaction, order, outcome)
        if not self.build.settled_at_once:
            transaction.commit()

    def _end_write(self, transaction: Transaction, order: OrderRow, outcome: Outcome) -> None:
        ended = {
            "state": outcome.state.value,
            "payout": outcome.payout,
            "reason": outcome.reason and outcome.reason.value,
            "close_seq": outcome.tick and outcome.tick.seq,
            "close_price": outcome.close_price,
        }
        if outcome.reason is not None:
            self.world.seen[f"refunded: {outcome.reason}"] += 1
        transaction.write("order", order["id"], {**order, **ended})
        transaction.write("open", order["id"], None)

    def _takes(self) -> int:
        """Return how long a statement takes: mostly nothing to speak of, at times very long."""
        drawn = self._draws.random()
        return 0 if drawn < 0.6 else self._draws.randint(1, 6) if drawn < 0.97 else self._draws.randint(50, 2_500)
