"""Writes of settlement: orders enter, and due orders are settled in batches, each exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import IntegrityError, transaction

from kernel import db
from kernel.facts import facts_enqueue
from kernel.failpoints import reach
from kernel.metrics import count
from kernel.money import CURRENCY_SCALES
from ledger.domain import (
    AccountKind,
    Family,
    InsufficientFundsError,
    TransferDraft,
    house_account_id,
    house_stripe,
)
from ledger.selectors import WalletPlace, wallet_places
from ledger.services import transfers_prepare
from quotes.domain import ADMISSION
from quotes.services import watermarks_raise_to_expiry
from realtime import balances
from realtime.events import EventDraft, payload_encoded
from realtime.services import events_append, events_numbered, events_told_on_commit
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
from trading import events
from trading.domain import TRIMMED_MEAN, OrderState

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


def orders_enter(order_ids: Sequence[UUID], *, held: HeldClock | None = None) -> int:
    """Let orders enter at their next tick, or refund them, in one transaction.

    :param order_ids: as :func:`settlement.selectors.orders_entering` finds them; what cannot be decided, or is in
        another worker's hands, is left alone
    :param held: learns how long the batch held its wallets
    :return: how many orders were decided
    :raises BatchFailedError: with the orders of the batch, when one of them is at odds with the books
    """
    claimed: list[ClaimedOrder] = []
    try:
        with transaction.atomic(durable=True):
            rows = db.rows(statements.ENTRY_CLAIM, {"ids": db.ids_array(order_ids)})
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


def orders_settle(order_ids: Sequence[UUID], *, held: HeldClock | None = None) -> int:
    """Settle due orders in one transaction and a constant number of statements.

    Locks in the platform's order: orders (skipping those of another worker), wallets by id, event counters. Traders
    wait for the wallets: everything is prepared before they are locked, and from there to the commit only the database
    works.

    :param order_ids: as :func:`settlement.selectors.orders_due` finds them; what is not due, or is in another worker's
        hands, is left alone
    :param held: learns how long the batch held its wallets
    :return: how many orders were settled
    :raises BatchFailedError: with the orders of the batch, when one of them is at odds with the books
    """
    claimed: list[ClaimedOrder] = []
    try:
        with transaction.atomic(durable=True):
            rows = db.rows(statements.CLAIM, {"ids": db.ids_array(order_ids)})
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
                ends = [SettledOrder(*pair) for pair in zip(claimed, decided, strict=True)]
                _ends_write(ends, held)
                reach("settle.written")
    except _DEFECTS as error:
        raise BatchFailedError([order.id for order in claimed]) from error
    if claimed:
        reach("settle.committed")
    return len(claimed)


class ToldEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a batch whose money is known once its wallet is locked.

    :param begun: its JSON up to the balance
    :param paid_later: minor units that later orders of the batch are paid into the same wallet
    """

    type: str
    place: WalletPlace
    begun: str
    paid_later: int

    @property
    def user_id(self) -> UUID:
        """Whom it is told."""
        return self.place.owner_id

    def draft(self, balance: int, open_stakes: int, at_ms: int) -> EventDraft:
        """Return the event with its money, in minor units."""
        currency = self.place.currency
        if self.type == "balance.changed":
            payload = balances.payload_filled(
                self.begun, balance=balance, open_stakes=open_stakes, currency=currency, cause=statements.CAUSE
            )
        else:
            payload = events.payload_filled(self.begun, balance=balance, currency=currency)
        return EventDraft(self.user_id, self.place.book, self.type, payload, at_ms)


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
    refunded = [SettledOrder(order, _refund(order, made.refund)) for order, made in pairs if made.refund is not None]
    if going_on:
        db.run(statements.OPEN_ENTERED, {"ids": [order.id for order in going_on]})
    if refunded:
        _ends_write(refunded, held, others=[order.user_id for order in going_on])
    events_append(_opened_events(going_on), locked=bool(refunded))
    count("orders_entered", len(going_on))


def _refund(order: ClaimedOrder, reason: Refund) -> Outcome:
    return Outcome(OrderState.REFUNDED, order.stake, None, reason)


def _opened_events(orders: Sequence[ClaimedOrder]) -> list[EventDraft]:
    return [
        EventDraft(
            order.user_id,
            order.row["book"],
            "order.opened",
            payload_encoded(events.order_document(open_row(order))),
            order.now_ms,
        )
        for order in orders
    ]


def _ends_write(ends: Sequence[SettledOrder], held: HeldClock | None, others: Sequence[UUID] = ()) -> None:
    """Write how claimed orders end; wallets are locked here, by id, and event counters after them.

    :param others: clients of other events of this transaction, whose counters are locked in one go
    """
    now_ms = ends[0].order.now_ms
    ids = db.ids_array(one.order.id for one in ends)
    with db.pipelined():
        deleted = db.send(statements.OPEN_DELETE, {"ids": ids})
        facts_enqueue("order.settled", [one.order.id for one in ends])
        reach("settle.facts_queued")
        wallets = wallet_places(one.order.wallet_id for one in ends)
        drafts = [draft for one in ends for draft in transfers_of(one, wallets[one.order.wallet_id])]
        posting = transfers_prepare(wallets=wallets, drafts=drafts, at_ms=now_ms)
        paid_later = _paid_later(ends)
        told = _told(ends, paid_later, wallets)
        columns = _order_columns(ends) | {"ids": ids, "at_ms": now_ms, "paid_later": db.numbers_array(paid_later)}
        told_columns = _event_columns(told, list(wallets.values())) | {"at_ms": now_ms}
        told_columns["told_users"] = db.ids_array({*others, *(place.owner_id for place in wallets.values())})
        if held is not None:
            held.lock()
            transaction.on_commit(held.release)
        posting.post()
        reach("settle.transfers_posted")
        written = db.send(statements.ORDERS_WRITE, columns)
        reach("settle.orders_written")
        answered = db.send(statements.ENDS_TELL, told_columns).rows()
    assert written.count() == deleted.count() == len(ends), "a claimed order changed under its lock"
    seqs = events_numbered([one.user_id for one in told], _before(told, answered))
    events_told_on_commit(lambda: [
        (seq, one.draft(balance, open_stakes, now_ms))
        for seq, one, (_, balance, open_stakes) in zip(seqs, told, answered, strict=True)
    ])  # fmt: skip
    for state, amount in Counter(one.outcome.state.value for one in ends).items():
        count("orders_settled", amount, state=state)


def _before(told: Sequence[ToldEvent], answered: Sequence[tuple[Any, ...]]) -> Mapping[UUID, int]:
    """Return the newest number of each user before a batch; users without a counter are left out."""
    return {one.user_id: row[0] for one, row in zip(told, answered, strict=True) if row[0] is not None}


def _told(
    ends: Sequence[SettledOrder], paid_later: Sequence[int], wallets: Mapping[UUID, WalletPlace]
) -> list[ToldEvent]:
    """Return the events of a batch, their money left open: every order, then each wallet once."""
    told = [
        ToldEvent("order.settled", wallets[one.order.wallet_id], events.payload_begun(settled_row(one)), later)
        for one, later in zip(ends, paid_later, strict=True)
    ]
    told += [
        ToldEvent("balance.changed", place, balances.payload_begun(wallet_id=place.wallet_id, book=place.book), 0)
        for place in wallets.values()
    ]
    return told


def transfers_of(settled: SettledOrder, wallet: WalletPlace) -> list[TransferDraft]:
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


def _paid_later(ends: Sequence[SettledOrder]) -> list[int]:
    """Return, for each order, what the orders after it are paid into the same wallet."""
    paid: dict[UUID, int] = {}
    later = []
    for one in reversed(ends):
        wallet_id = one.order.wallet_id
        later.append(paid.get(wallet_id, 0))
        paid[wallet_id] = later[-1] + one.outcome.payout
    return later[::-1]


def _order_columns(ends: Sequence[SettledOrder]) -> dict[str, object]:
    """Return what is written of the outcomes."""
    outcomes = [one.outcome for one in ends]
    ticks = [decided.tick for decided in outcomes]
    averaged = [None if decided.tick_price == decided.close_price else decided.tick_price for decided in outcomes]
    return {
        "wallet_ids": db.ids_array(one.order.wallet_id for one in ends),
        "states": db.words_array(decided.state.value for decided in outcomes),
        "seqs": db.numbers_array(None if tick is None else tick.seq for tick in ticks),
        "tick_at_ms": db.numbers_array(None if tick is None else tick.at_ms for tick in ticks),
        "prices": db.numbers_array(decided.close_price for decided in outcomes),
        "tick_prices": db.numbers_array(averaged),
        "reasons": db.words_array(decided.reason and decided.reason.value for decided in outcomes),
        "payouts": db.numbers_array(decided.payout for decided in outcomes),
    }


def _event_columns(told: Sequence[ToldEvent], wallets: Sequence[WalletPlace]) -> dict[str, object]:
    """Return what is told, and of which wallet by its number, from 1."""
    scales = [CURRENCY_SCALES[place.currency] for place in wallets]
    numbers = {place.wallet_id: number for number, place in enumerate(wallets, 1)}
    return {
        "wallet_ids": db.ids_array(place.wallet_id for place in wallets),
        "user_ids": db.ids_array(place.owner_id for place in wallets),
        "books": db.words_array(place.book for place in wallets),
        "scales": db.numbers_array(scales),
        "units": db.numbers_array(10**scale for scale in scales),
        "wallet_nos": db.numbers_array(numbers[one.place.wallet_id] for one in told),
        "types": db.words_array(one.type for one in told),
        "paid_later": db.numbers_array(one.paid_later for one in told),
        # JSON has no line breaks of its own.
        "begun": "\n".join([one.begun for one in told]),
    }
