"""What the ledger does when something happens below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts import hooks

if TYPE_CHECKING:
    from accounts.models import User


def connect() -> None:
    """Open the wallets of each new user, in the transaction that creates the user."""
    hooks.on_user_created.append(_wallets_open)


def _wallets_open(user: User) -> None:
    from ledger.services import wallets_open

    wallets_open(user_id=user.id)
