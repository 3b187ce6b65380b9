"""Writes of settlement: orders enter, and due orders are settled in batches, each exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from kernel import db
from kernel.facts import facts_enqueue
from kernel.failpoints import reach
from kernel.metrics import count
from ledger.domain import (
    AccountKind,
    Family,
    InsufficientFundsError,
    TransferDraft,
    house_account_id,
    house_stripe,
)
from ledger.locks import wallets_lock
from ledger.selectors import WalletState, wallet_states
from ledger.services import transfers_post
from quotes.domain import ADMISSION
from quotes.services import watermarks_raise_to_expiry
from realtime.balances import balance_draft
from realtime.events import EventDraft, payload_encoded
from realtime.services import counters_raise, events_append
from settlement import statements
from settlement.batches import HeldClock
from settlement.claims import (
    ORDER_WIDTH,
    ClaimedOrder,
    SettledOrder,
    evidence_of,
    open_row,
    order_of,
    settled_row,
    tick_of,
)
from settlement.domain import Entry, Outcome, Refund, entry, outcome
from trading.domain import TRIMMED_MEAN, OrderState
from trading.events import order_document, payload_before_balance, payload_with_balance

log = structlog.get_logger(__name__)


def watermarks_raise_overdue() -> int:
    """Raise the watermark of silent symbols to what is overdue, in a committed step of its own.

    This fences off a slow parser before anything is decided: what it still brings from before is refused as late.

    :return: how many symbols were raised
    """
    targets = dict(db.rows(statements.OVERDUE, {"grace_ms": ADMISSION.grace_ms}))
    raised = watermarks_raise_to_expiry(targets=targets) if targets else 0
    if raised:
        reach("fence.committed")
    return raised


class BatchFailedError(Exception):
    """A batch could not be settled and was rolled back; its cause is a defect, not the database being away."""

    def __init__(self, order_ids: Sequence[UUID]) -> None:
        super().__init__(f"{len(order_ids)} orders could not be settled together")
        self.order_ids = tuple(order_ids)


_DEFECTS = (LookupError, AssertionError, InsufficientFundsError, IntegrityError)


@dataclass(frozen=True, slots=True)
class Lane:
    """A share of all wallets: those whose id ends in these bits, under the mask."""

    mask: int = 0
    bits: int = 0


ALL = Lane()


def orders_enter(*, limit: int, skip: Sequence[UUID] = (), held: HeldClock | None = None, lane: Lane = ALL) -> int:
    """Let up to ``limit`` orders enter at their next tick, or refund them, in one transaction.

    :param skip: orders that failed by themselves and wait for somebody to look
    :param held: learns how long the batch held its wallets
    :param lane: only orders of these wallets
    :return: how many orders were decided; 0 when none can be
    :raises BatchFailedError: with the orders of the batch, when one of them is at odds with the books
    """
    claimed: list[ClaimedOrder] = []
    try:
        with transaction.atomic(durable=True):
            rows = db.rows(statements.ENTRY_CLAIM, _claim(limit, skip, lane))
            claimed += [order_of(row) for row in rows]
            ticks = [tick_of(row[1 + ORDER_WIDTH :]) for row in rows]
            entries = [entry(terms=order.entry_terms, tick=tick) for order, tick in zip(claimed, ticks, strict=True)]
            if claimed:
                reach("enter.claimed")
                _entered(claimed, entries, held)
                reach("enter.written")
    except _DEFECTS as error:
        raise BatchFailedError([order.id for order in claimed]) from error
    if claimed:
        reach("enter.committed")
    return len(claimed)


def orders_settle(*, limit: int, skip: Sequence[UUID] = (), held: HeldClock | None = None, lane: Lane = ALL) -> int:
    """Settle up to ``limit`` due orders in one transaction and a constant number of statements.

    Locks in the platform's order: orders (skipping those of another worker), wallets by id, event counters. What needs
    no balance is written and prepared before the wallets are locked, since traders wait for them; and the server writes
    one statement while Python prepares the next.

    :param skip: orders that failed by themselves and wait for somebody to look
    :param held: learns how long the batch held its wallets
    :param lane: only orders of these wallets
    :return: how many orders were settled; 0 when none is due
    :raises BatchFailedError: with the orders of the batch, when one of them is at odds with the books
    """
    claimed: list[ClaimedOrder] = []
    try:
        with transaction.atomic(durable=True):
            rows = db.rows(statements.CLAIM, _claim(limit, skip, lane))
            claimed += [order_of(row) for row in rows]
            if claimed:
                reach("settle.claimed")
            windows = _windows(claimed)
            decided = [
                outcome(terms=order.terms, evidence=evidence_of(row, windows.get(order.id)))
                for order, row in zip(claimed, rows, strict=True)
            ]
            if claimed:
                reach("settle.decided")
                with db.pipelined():
                    ends = _ends_write(claimed, decided, held)
                    counters = counters_raise(_told(ends))
                    events_append(_settled_events(ends), counters)
                ends.check()
                reach("settle.written")
    except _DEFECTS as error:
        raise BatchFailedError([order.id for order in claimed]) from error
    if claimed:
        reach("settle.committed")
    return len(claimed)


def _claim(limit: int, skip: Sequence[UUID], lane: Lane) -> dict[str, object]:
    return {"limit": limit, "skip": list(skip), "mask": lane.mask, "bits": lane.bits}


def _windows(claimed: Sequence[ClaimedOrder]) -> Mapping[UUID, tuple[Sequence[int], Sequence[int]]]:
    """Read the ticks that are averaged, for those orders of a batch whose rule asks for them."""
    ids = [order.id for order in claimed if order.row["settlement_rule"] == TRIMMED_MEAN]
    if not ids:
        return {}
    return {row[0]: (row[1], row[2]) for row in db.rows(statements.window_sql(), {"ids": ids})}


def _entered(claimed: Sequence[ClaimedOrder], entries: Sequence[Entry], held: HeldClock | None) -> None:
    """Write the entries of a batch: opened orders go on, refunded ones are closed."""
    pairs = [(order.entered(made.tick), made) for order, made in zip(claimed, entries, strict=True)]
    opened = [(order, made.tick) for order, made in pairs if made.tick is not None]
    if opened:
        written = db.run(
            statements.ENTRIES_WRITE,
            {
                "ids": [order.id for order, _ in opened],
                "seqs": [tick.seq for _, tick in opened],
                "tick_at_ms": [tick.at_ms for _, tick in opened],
                "prices": [tick.price for _, tick in opened],
                "at_ms": claimed[0].now_ms,
            },
        )
        assert written == len(opened), "a claimed order changed under its lock"
        reach("enter.entries_written")
    going_on = [order for order, made in pairs if made.refund is None]
    refunded = [(order, made.refund) for order, made in pairs if made.refund is not None]
    drafts = _opened_events(going_on)
    if going_on:
        db.run(statements.OPEN_ENTERED, {"ids": [order.id for order in going_on]})
    if refunded:
        ends = _ends_write([order for order, _ in refunded], [_refund(*pair) for pair in refunded], held)
        ends.check()
        drafts += _settled_events(ends)
    events_append(drafts)
    count("orders_entered", len(going_on))


def _refund(order: ClaimedOrder, reason: Refund) -> Outcome:
    return Outcome(OrderState.REFUNDED, order.stake, None, reason)


def _opened_events(orders: Sequence[ClaimedOrder]) -> list[EventDraft]:
    return [
        EventDraft(
            order.user_id,
            order.row["book"],
            "order.opened",
            payload_encoded(order_document(open_row(order))),
            order.now_ms,
        )
        for order in orders
    ]


@dataclass(frozen=True, slots=True)
class _Ends:
    """What was sent of a batch: its orders with the balances after them, the begun documents, the wallets."""

    settled: Sequence[SettledOrder]
    begun: Sequence[bytes]
    wallets: Mapping[UUID, WalletState]
    written: db.Sent
    deleted: db.Sent

    def check(self) -> None:
        """Check, once the statements have been answered, that every order was there to be written."""
        assert self.written.count() == self.deleted.count() == len(self.settled), "an order changed under its lock"


def _ends_write(claimed: Sequence[ClaimedOrder], outcomes: Sequence[Outcome], held: HeldClock | None) -> _Ends:
    """Send what writes the ends of claimed orders; wallets are locked here, by id."""
    now_ms = claimed[0].now_ms
    ids = db.ids_array(order.id for order in claimed)
    deleted = db.send(statements.OPEN_DELETE, {"ids": ids})
    facts_enqueue("order.settled", [order.id for order in claimed])
    reach("settle.facts_queued")
    columns = _order_columns(outcomes) | {"ids": ids, "at_ms": now_ms}
    begun = [
        payload_before_balance(settled_row(order, decided)) for order, decided in zip(claimed, outcomes, strict=True)
    ]
    if held is not None:
        held.lock()
        transaction.on_commit(held.release)
    wallets_lock(order.wallet_id for order in claimed)
    wallets = wallet_states(order.wallet_id for order in claimed)
    reach("settle.wallets_locked")
    balances = {wallet_id: state.wallet.balance for wallet_id, state in wallets.items()}
    settled = []
    for order, decided in zip(claimed, outcomes, strict=True):
        balances[order.wallet_id] += decided.payout
        settled.append(SettledOrder(order, decided, balances[order.wallet_id]))
    drafts = [draft for one in settled for draft in transfers_of(one, wallets[one.order.wallet_id])]
    transfers_post(wallets=wallets, drafts=drafts, at_ms=now_ms)
    reach("settle.transfers_posted")
    columns["balances"] = db.numbers_array(one.balance_after for one in settled)
    written = db.send(statements.ORDERS_WRITE, columns)
    reach("settle.orders_written")
    for state, amount in Counter(decided.state.value for decided in outcomes).items():
        count("orders_settled", amount, state=state)
    return _Ends(settled, begun, wallets, written, deleted)


def _told(ends: _Ends) -> Iterator[UUID]:
    """Return the client of each event of a batch, before the events are there."""
    yield from (one.order.user_id for one in ends.settled)
    yield from (state.owner_id for state in ends.wallets.values())


def _settled_events(ends: _Ends) -> list[EventDraft]:
    """Return the events of a batch: every order, then each wallet once."""
    now_ms = ends.settled[0].order.now_ms
    drafts = []
    for one, begun in zip(ends.settled, ends.begun, strict=True):
        row = one.order.row
        payload = payload_with_balance(begun, one.balance_after, row["currency"])
        drafts.append(EventDraft(row["user_id"], row["book"], "order.settled", payload, now_ms))
    drafts += [
        balance_draft(
            user_id=state.owner_id,
            wallet_id=state.wallet_id,
            book=state.book,
            currency=state.currency,
            balance=state.wallet.balance,
            open_stakes=state.stakes.balance,
            cause="order.settled",
            at_ms=now_ms,
        )
        for state in ends.wallets.values()
    ]
    return drafts


def transfers_of(settled: SettledOrder, wallet: WalletState) -> list[TransferDraft]:
    """Return what an outcome moves: the stake leaves the stakes account once, and a win brings its profit."""
    order, decided = settled.order, settled.outcome
    house = house_account_id(order.row["book"], order.row["currency"], AccountKind.HOUSE, house_stripe(order.id))
    lost = decided.state is OrderState.LOST
    close = TransferDraft(
        Family.ORDER_CLOSE,
        decided.state.value,
        order.id,
        wallet.stakes_id,
        house if lost else order.wallet_id,
        order.stake,
    )
    profit = decided.payout - order.stake
    if decided.state is not OrderState.WON or profit == 0:
        return [close]
    return [close, TransferDraft(Family.ORDER_PROFIT, "profit", order.id, house, order.wallet_id, profit)]


def _order_columns(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return what is written of the outcomes themselves."""
    ticks = [decided.tick for decided in outcomes]
    averaged = [None if decided.tick_price == decided.close_price else decided.tick_price for decided in outcomes]
    return {
        "states": db.words_array(decided.state.value for decided in outcomes),
        "seqs": db.numbers_array(None if tick is None else tick.seq for tick in ticks),
        "tick_at_ms": db.numbers_array(None if tick is None else tick.at_ms for tick in ticks),
        "prices": db.numbers_array(decided.close_price for decided in outcomes),
        "tick_prices": db.numbers_array(averaged),
        "reasons": db.words_array(decided.reason and decided.reason.value for decided in outcomes),
        "payouts": db.numbers_array(decided.payout for decided in outcomes),
    }
