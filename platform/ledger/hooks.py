"""What layers above are told in the ledger's own transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BalanceChanged:
    """A wallet's balance after a transaction, in minor units."""

    user_id: UUID
    wallet_id: UUID
    book: str
    currency: str
    balance: int
    open_stakes: int
    cause: str
    at_ms: int


# Called last in the transaction that moved the money, wallets still locked.
on_balance_changed: list[Callable[[BalanceChanged], None]] = []


def balance_changed(fact: BalanceChanged) -> None:
    """Tell every subscriber."""
    for subscriber in on_balance_changed:
        subscriber(fact)
