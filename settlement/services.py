"""Writes of settlement: due orders are settled in batches, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from kernel import db
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
from realtime.services import events_append
from settlement import statements
from settlement.domain import Outcome, Terms, Tick, outcome
from trading.domain import Direction, OrderState
from trading.events import order_document

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueOrder:
    """A claimed order with its evidence."""

    id: UUID
    user_id: UUID
    wallet_id: UUID
    book: str
    currency: str
    terms: Terms
    evidence: Tick | None
    now_ms: int
    rest: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class SettledOrder:
    """A claimed order with what was decided; ``balance_after`` is its wallet's, in minor units."""

    due: DueOrder
    outcome: Outcome
    balance_after: int


def watermarks_raise_overdue() -> int:
    """Raise the watermark of silent symbols to their overdue expiries, in a committed step of its own.

    This fences off a slow parser before anything is decided: what it still brings from before is refused as late.

    :return: how many symbols were raised
    """
    targets = dict(db.rows(statements.OVERDUE, {"grace_ms": ADMISSION.grace_ms}))
    return watermarks_raise_to_expiry(targets=targets) if targets else 0


class BatchFailedError(Exception):
    """A batch could not be settled and was rolled back; its cause is a defect, not the database being away."""

    def __init__(self, order_ids: Sequence[UUID]) -> None:
        super().__init__(f"{len(order_ids)} orders could not be settled together")
        self.order_ids = tuple(order_ids)


def orders_settle(*, limit: int, skip: Sequence[UUID] = ()) -> int:
    """Settle up to ``limit`` due orders in one transaction and a constant number of statements.

    Locks in the platform's order: orders (skipping those of another worker), wallets by id, event counters.

    :param skip: orders that failed by themselves and wait for somebody to look
    :return: how many orders were settled; 0 when none is due
    :raises BatchFailedError: with the orders of the batch, when one of them is at odds with the books
    """
    due: list[DueOrder] = []
    try:
        with transaction.atomic(durable=True):
            due += [due_order(row) for row in db.rows(statements.CLAIM, {"limit": limit, "skip": list(skip)})]
            return _settled(due) if due else 0
    except (LookupError, AssertionError, InsufficientFundsError, IntegrityError) as error:
        raise BatchFailedError([order.id for order in due]) from error


def _settled(due: Sequence[DueOrder]) -> int:
    now_ms = due[0].now_ms
    wallets_lock(order.wallet_id for order in due)
    wallets = wallet_states(order.wallet_id for order in due)
    settled = _decided(due, wallets)
    drafts = [draft for order in settled for draft in transfers_of(order, wallets[order.due.wallet_id])]
    transfers_post(wallets=wallets, drafts=drafts, at_ms=now_ms)
    _orders_write(settled, now_ms)
    events_append(_events(settled, wallets, now_ms))
    for order in settled:
        count("orders_settled", state=order.outcome.state.value)
    return len(settled)


def due_order(row: Sequence[Any]) -> DueOrder:
    """Return the order and evidence of a row of the claim or of the audit."""
    order_id, user_id, wallet_id, book, currency, direction, stake, payout, expires, max_age, revision, price = row[:12]
    seq, at_ms, tick_price, tick_revision = row[12:16]
    return DueOrder(
        id=order_id,
        user_id=user_id,
        wallet_id=wallet_id,
        book=book,
        currency=currency,
        terms=Terms(Direction(direction), stake, payout, expires, max_age, revision, price),
        evidence=None if seq is None else Tick(seq, at_ms, tick_price, tick_revision),
        now_ms=row[16],
        rest=tuple(row[17:]),
    )


def transfers_of(order: SettledOrder, wallet: WalletState) -> list[TransferDraft]:
    """Return what an outcome moves: the stake leaves the stakes account once, and a win brings its profit."""
    due, decided = order.due, order.outcome
    house = house_account_id(due.book, due.currency, AccountKind.HOUSE, house_stripe(due.id))
    lost = decided.state is OrderState.LOST
    close = TransferDraft(
        Family.ORDER_CLOSE,
        decided.state.value,
        due.id,
        wallet.stakes_id,
        house if lost else due.wallet_id,
        due.terms.stake,
    )
    profit = decided.payout - due.terms.stake
    if decided.state is not OrderState.WON or profit == 0:
        return [close]
    return [close, TransferDraft(Family.ORDER_PROFIT, "profit", due.id, house, due.wallet_id, profit)]


def _decided(due: Sequence[DueOrder], wallets: dict[UUID, WalletState]) -> list[SettledOrder]:
    balances = {wallet_id: state.wallet.balance for wallet_id, state in wallets.items()}
    settled = []
    for order in due:
        decided = outcome(terms=order.terms, evidence=order.evidence)
        balances[order.wallet_id] += decided.payout
        settled.append(SettledOrder(order, decided, balances[order.wallet_id]))
    return settled


def _orders_write(settled: Sequence[SettledOrder], now_ms: int) -> None:
    ids = [order.due.id for order in settled]
    ticks = [order.outcome.tick for order in settled]
    written = db.run(
        statements.ORDERS_WRITE,
        {
            "ids": ids,
            "states": [order.outcome.state.value for order in settled],
            "seqs": [tick and tick.seq for tick in ticks],
            "tick_at_ms": [tick and tick.at_ms for tick in ticks],
            "prices": [tick and tick.price for tick in ticks],
            "reasons": [order.outcome.reason and order.outcome.reason.value for order in settled],
            "payouts": [order.outcome.payout for order in settled],
            "balances": [order.balance_after for order in settled],
            "at_ms": now_ms,
        },
    )
    deleted = db.run(statements.OPEN_DELETE, {"ids": ids})
    assert written == deleted == len(ids), "a claimed order changed under its lock"


def _events(settled: Sequence[SettledOrder], wallets: dict[UUID, WalletState], now_ms: int) -> list[EventDraft]:
    """Return the events of a batch: every order, then each wallet once."""
    drafts = [
        EventDraft(
            order.due.user_id,
            order.due.book,
            "order.settled",
            payload_encoded(order_document(_settled_row(order, now_ms))),
            now_ms,
        )
        for order in settled
    ]
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
        for state in wallets.values()
    ]
    return drafts


def _settled_row(order: SettledOrder, now_ms: int) -> SimpleNamespace:
    """Return the settled order as its row now reads."""
    due, terms, tick = order.due, order.due.terms, order.outcome.tick
    client_order_id, source, symbol, entry_rule, settlement_rule, scale, accepted, entered, seq, at_ms = due.rest
    return SimpleNamespace(
        id=due.id,
        client_order_id=client_order_id,
        book=due.book,
        wallet_id=due.wallet_id,
        symbol=symbol,
        direction=terms.direction.value,
        stake=terms.stake,
        payout_percent=terms.payout_percent,
        entry_rule=entry_rule,
        settlement_rule=settlement_rule,
        state=order.outcome.state.value,
        accepted_at_ms=accepted,
        entered_at_ms=entered,
        open_seq=seq,
        open_at_ms=at_ms,
        open_price=terms.open_price,
        expires_at_ms=terms.expires_at_ms,
        close_seq=tick and tick.seq,
        close_at_ms=tick and tick.at_ms,
        close_price=tick and tick.price,
        settled_at_ms=now_ms,
        payout=order.outcome.payout,
        reason=order.outcome.reason and order.outcome.reason.value,
        source=source,
        balance_after=order.balance_after,
        price_scale=scale,
        currency=due.currency,
    )
