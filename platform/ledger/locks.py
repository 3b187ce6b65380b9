"""Row locks of the ledger, in the platform's one order: wallets by id."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from kernel import db
from ledger import statements


def wallets_lock(wallet_ids: Iterable[UUID]) -> None:
    """Lock wallets by id until the transaction ends; each one's stakes account is covered by its lock.

    :raises TransactionManagementError: outside a transaction
    """
    db.require_transaction()
    db.send(statements.WALLETS_LOCK, {"wallet_ids": db.ids_array(_ordered(wallet_ids))})


def _ordered(wallet_ids: Iterable[UUID]) -> Collection[UUID]:
    # By whole numbers, whose order is that of the ids and which compare many times faster.
    return [UUID(int=number) for number in sorted({wallet_id.int for wallet_id in wallet_ids})]
