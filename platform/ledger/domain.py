"""Pure rules of the ledger: accounts of the house, and how a batch of transfers changes balances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from kernel.money import parse_amount

REAL = "real"
DEMO = "demo"
HOUSE_STRIPES = 16

_HOUSE_NAMESPACE = uuid5(NAMESPACE_URL, "urn:fairstrike:ledger:house")


class AccountKind(StrEnum):
    """What an account is for."""

    WALLET = "wallet"
    BONUS = "bonus"
    STAKES = "stakes"
    HOUSE = "house"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"


class Family(StrEnum):
    """What fact a transfer belongs to; each reference has at most one transfer of a family."""

    ORDER_STAKE = "order.stake"
    ORDER_CLOSE = "order.close"
    ORDER_PROFIT = "order.profit"
    DEMO_GRANT = "demo.grant"
    DEMO_REFILL = "demo.refill"
    ADJUSTMENT = "adjustment"


class ReasonCode(StrEnum):
    """Why money is moved by hand."""

    GOODWILL = "goodwill"
    CORRECTION = "correction"
    BUST = "bust"
    PRIZE = "prize"
    BONUS = "bonus"
    OTHER = "other"


class RequestState(StrEnum):
    """Where a request for an adjustment stands; every state but the first is final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class AdjustmentOrigin(StrEnum):
    """By what right money was moved by hand."""

    DEVELOPMENT = "development"
    APPROVED = "approved"


# How long a request waits for a second person.
REQUEST_LIFETIME_MS = 86_400_000


def signed_minor(text: str, currency: str) -> int:
    """Return minor units of an amount that may have a leading ``-``.

    :raises AmountShapeError, AmountPrecisionError: as :func:`kernel.money.parse_amount`
    """
    amount = parse_amount(text.removeprefix("-"), currency)
    return -amount if text.startswith("-") else amount


def payload_hash(*, account_id: UUID, amount: int, reason_code: str, note: str) -> bytes:
    """Return what an approval is bound to: SHA-256 over account, amount in minor units, reason code and note.

    The note comes last, so that nothing in it can pass for another part. The table computes the same.
    """
    return sha256(f"{account_id}|{amount}|{reason_code}|{note}".encode()).digest()


@lru_cache(maxsize=4_096)
def house_account_id(book: str, currency: str, kind: AccountKind, stripe: int = 0) -> UUID:
    """Return the id of a house account: derived from its name, so that no statement has to look it up."""
    return uuid5(_HOUSE_NAMESPACE, f"{book}/{currency}/{kind}/{stripe}")


def house_stripe(reference: UUID) -> int:
    """Return which of the house's equal accounts a fact is booked on, so that none of them is hot."""
    return reference.int % HOUSE_STRIPES


@dataclass(slots=True)
class GuardedBalance:
    """A balance that is kept on its account's row, under a lock that the caller holds."""

    balance: int
    entry_no: int


class TransferDraft(msgspec.Struct, frozen=True, gc=False):
    """One movement to be posted: ``amount`` minor units from ``debit`` to ``credit``."""

    family: Family
    kind: str
    reference: UUID
    debit: UUID
    credit: UUID
    amount: int


@dataclass(frozen=True, slots=True)
class NumberedTransfer:
    """A movement with the entry number and balance that it leaves on each guarded side."""

    draft: TransferDraft
    debit_no: int | None
    debit_after: int | None
    credit_no: int | None
    credit_after: int | None


class InsufficientFundsError(Exception):
    """A guarded account would fall below zero."""

    def __init__(self, account_id: UUID) -> None:
        super().__init__(str(account_id))
        self.account_id = account_id


def numbered(drafts: Iterable[TransferDraft], accounts: Mapping[UUID, GuardedBalance]) -> list[NumberedTransfer]:
    """Post drafts in order against the guarded balances, which change in place.

    :param accounts: the guarded accounts; any other account id is one of the house's, which keep no balance row
    :raises InsufficientFundsError: at the first draft that a balance does not cover
    """
    posted = []
    for draft in drafts:
        debit_no, debit_after = _applied(accounts.get(draft.debit), draft.debit, -draft.amount)
        credit_no, credit_after = _applied(accounts.get(draft.credit), draft.credit, draft.amount)
        posted.append(NumberedTransfer(draft, debit_no, debit_after, credit_no, credit_after))
    return posted


def _applied(account: GuardedBalance | None, account_id: UUID, amount: int) -> tuple[int | None, int | None]:
    if account is None:
        return None, None
    if account.balance + amount < 0:
        raise InsufficientFundsError(account_id)
    account.balance += amount
    account.entry_no += 1
    return account.entry_no, account.balance
