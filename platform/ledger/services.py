"""Writes of the ledger: every change of a balance is a posted transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.failpoints import reach
from kernel.ids import uuid7, uuid7_hex
from kernel.money import DEFAULT_CURRENCY
from ledger import errors, hooks, statements
from ledger.domain import (
    DEMO,
    REAL,
    AccountKind,
    AdjustmentOrigin,
    Family,
    GuardedBalance,
    InsufficientFundsError,
    NumberedTransfer,
    TransferDraft,
    house_account_id,
    numbered,
)
from ledger.locks import wallets_lock
from ledger.models import Account, Adjustment
from ledger.selectors import WalletPlace, WalletState, wallet_states


@dataclass(frozen=True, slots=True)
class Posting:
    """What a batch of transfers left behind: each wallet's state, and the transfers with their numbers."""

    wallets: dict[UUID, WalletState]
    transfers: list[NumberedTransfer]


def transfers_post(*, wallets: dict[UUID, WalletState], drafts: Sequence[TransferDraft], at_ms: int) -> Posting:
    """Post transfers that touch the given wallets, their stakes and the house; two statements for any number.

    :param wallets: read by :func:`ledger.selectors.wallet_states` after :func:`ledger.locks.wallets_lock`; their
        balances change in place
    :param drafts: transfers of one fact share the reference, which becomes their entry id
    :raises InsufficientFundsError: when a balance does not cover a draft; nothing is written
    """
    db.require_transaction()
    guarded: dict[UUID, GuardedBalance] = {}
    places: dict[UUID, tuple[str, str]] = {}
    for state in wallets.values():
        guarded[state.wallet_id], guarded[state.stakes_id] = state.wallet, state.stakes
        places[state.wallet_id] = places[state.stakes_id] = (state.book, state.currency)
    transfers = numbered(drafts, guarded)
    touched = sorted({account for draft in drafts for account in (draft.debit, draft.credit)} & guarded.keys())
    db.run(
        statements.BALANCES_WRITE,
        {
            "ids": db.ids_array(touched),
            "balances": db.numbers_array(guarded[account].balance for account in touched),
            "entry_nos": db.numbers_array(guarded[account].entry_no for account in touched),
        },
    )
    db.run(statements.TRANSFERS_WRITE, _columns(transfers, places) | {"at_ms": at_ms})
    return Posting(wallets, transfers)


@dataclass(frozen=True, slots=True)
class PreparedPosting:
    """Transfers as one statement takes them, which locks their wallets, too; see :func:`transfers_prepare`."""

    columns: Mapping[str, object]

    def post(self) -> None:
        """Lock the wallets in the platform's order and post the transfers; within a pipeline nothing is waited for.

        An account that would fall below zero is told as an ``IntegrityError``.

        :raises TransactionManagementError: outside a transaction
        """
        db.require_transaction()
        db.send(statements.TRANSFERS_POST, self.columns)


def transfers_prepare(
    *, wallets: Mapping[UUID, WalletPlace], drafts: Sequence[TransferDraft], at_ms: int
) -> PreparedPosting:
    """Prepare transfers that touch the given wallets, their stakes and the house, before anything is locked.

    They get their numbers and balances in the database, so that wallets are held for no longer than it takes to write.

    :param drafts: transfers of one fact share the reference, which becomes their entry id
    """
    columns = {
        "ids": "{" + ",".join([uuid7_hex() for _ in drafts]) + "}",
        "families": db.words_array(draft.family.value for draft in drafts),
        "kinds": db.words_array(draft.kind for draft in drafts),
        "references": db.ids_array(draft.reference for draft in drafts),
        "debits": db.ids_array(draft.debit for draft in drafts),
        "credits": db.ids_array(draft.credit for draft in drafts),
        "amounts": db.numbers_array(draft.amount for draft in drafts),
        "guarded": db.ids_array(account for one in wallets.values() for account in (one.wallet_id, one.stakes_id)),
        "at_ms": at_ms,
    }
    return PreparedPosting(columns)


def _columns(transfers: list[NumberedTransfer], places: dict[UUID, tuple[str, str]]) -> dict[str, object]:
    """Turn transfers into the arrays of the insert; book and currency are those of the guarded side."""
    drafts = [transfer.draft for transfer in transfers]
    of = [places.get(draft.debit) or places[draft.credit] for draft in drafts]
    references = db.ids_array(draft.reference for draft in drafts)
    return {
        "ids": db.ids_array(uuid7() for _ in drafts),
        "entry_ids": references,
        "families": db.words_array(draft.family.value for draft in drafts),
        "kinds": db.words_array(draft.kind for draft in drafts),
        "references": references,
        "debits": db.ids_array(draft.debit for draft in drafts),
        "credits": db.ids_array(draft.credit for draft in drafts),
        "amounts": db.numbers_array(draft.amount for draft in drafts),
        "books": db.words_array(book for book, _ in of),
        "currencies": db.words_array(currency for _, currency in of),
        "debit_nos": db.numbers_array(transfer.debit_no for transfer in transfers),
        "debit_afters": db.numbers_array(transfer.debit_after for transfer in transfers),
        "credit_nos": db.numbers_array(transfer.credit_no for transfer in transfers),
        "credit_afters": db.numbers_array(transfer.credit_after for transfer in transfers),
    }


@transaction.atomic
def wallets_open(*, user_id: UUID) -> None:
    """Open a new user's real and demo wallets and grant the demo money."""
    at_ms = _now_ms()
    for book in (REAL, DEMO):
        wallet = Account(
            id=uuid7(),
            owner_id=user_id,
            book=book,
            currency=DEFAULT_CURRENCY,
            kind=AccountKind.WALLET,
            balance=0,
            entry_no=0,
            opened_at_ms=at_ms,
        )
        stakes = Account(
            id=uuid7(),
            owner_id=user_id,
            book=book,
            currency=DEFAULT_CURRENCY,
            kind=AccountKind.STAKES,
            wallet=wallet,
            balance=0,
            entry_no=0,
            opened_at_ms=at_ms,
        )
        Account.objects.bulk_create([wallet])
        Account.objects.bulk_create([stakes])
        if book == DEMO:
            _demo_set(wallet_id=wallet.id, reference=wallet.id, family=Family.DEMO_GRANT)
    reach("wallets.opened")


@transaction.atomic
def demo_refill(*, user_id: UUID, wallet_id: UUID) -> WalletState:
    """Set a demo wallet back to its opening balance, in either direction.

    :raises Problem: ``wallet.unknown``, ``wallet.not_demo``, ``wallet.open_orders``
    """
    wallets_lock([wallet_id])
    state = wallet_states([wallet_id]).get(wallet_id)
    if state is None or state.owner_id != user_id:
        raise errors.wallet_unknown()
    if state.book != DEMO:
        raise errors.wallet_not_demo()
    # A stakes account holds the stake of each open order, so an empty one means that none is open.
    if state.stakes.balance:
        raise errors.wallet_open_orders()
    return _demo_set(wallet_id=wallet_id, reference=uuid7(), family=Family.DEMO_REFILL)


def _demo_set(*, wallet_id: UUID, reference: UUID, family: Family) -> WalletState:
    wallets_lock([wallet_id])
    wallets = wallet_states([wallet_id])
    state = wallets[wallet_id]
    missing = settings.DEMO_OPENING_MINOR - state.wallet.balance
    if missing == 0:
        return state
    house = house_account_id(DEMO, state.currency, AccountKind.GRANT)
    debit, credit = (house, wallet_id) if missing > 0 else (wallet_id, house)
    draft = TransferDraft(family, "grant" if missing > 0 else "return", reference, debit, credit, abs(missing))
    _post_and_tell(wallets, draft)
    return state


@transaction.atomic
def balance_adjust(*, wallet_id: UUID, amount: int, reason: str) -> WalletState:
    """Move money into (positive) or out of (negative) a real wallet without a second person, in development only.

    :param amount: minor units, not zero
    :raises Problem: ``adjustment.needs_request`` outside development, ``wallet.unknown``,
        ``wallet.insufficient_funds``
    """
    if not settings.DEVELOPMENT:
        raise errors.adjustment_needs_request()
    return adjustment_post(
        Adjustment(
            account_id=wallet_id, amount=amount, reason=reason, at_ms=_now_ms(), origin=AdjustmentOrigin.DEVELOPMENT
        )
    )


def adjustment_post(adjustment: Adjustment) -> WalletState:
    """Move what an adjustment says by a journal pair that the wallet's owner sees.

    The caller answers for the right to it: :func:`ledger.adjustments.adjustment_approve`, or development.

    :raises Problem: ``wallet.unknown``, ``wallet.insufficient_funds``
    """
    wallet_id, amount = adjustment.account_id, adjustment.amount
    wallets_lock([wallet_id])
    wallets = wallet_states([wallet_id])
    if wallet_id not in wallets:
        raise errors.wallet_unknown()
    state = wallets[wallet_id]
    adjustment.save(force_insert=True)
    house = house_account_id(state.book, state.currency, AccountKind.ADJUSTMENT)
    debit, credit = (house, wallet_id) if amount > 0 else (wallet_id, house)
    kind = "credit" if amount > 0 else "debit"
    try:
        _post_and_tell(wallets, TransferDraft(Family.ADJUSTMENT, kind, adjustment.id, debit, credit, abs(amount)))
    except InsufficientFundsError:
        raise errors.insufficient_funds() from None
    return state


def _post_and_tell(wallets: dict[UUID, WalletState], draft: TransferDraft) -> None:
    """Post one transfer of one wallet and tell the layers above, event counters last."""
    at_ms = _now_ms()
    transfers_post(wallets=wallets, drafts=[draft], at_ms=at_ms)
    reach("ledger.posted")
    (state,) = wallets.values()
    hooks.balance_changed(
        hooks.BalanceChanged(
            user_id=state.owner_id,
            wallet_id=state.wallet_id,
            book=state.book,
            currency=state.currency,
            balance=state.wallet.balance,
            open_stakes=state.stakes.balance,
            cause=draft.family.value,
            at_ms=at_ms,
        )
    )


def _now_ms() -> int:
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])
