"""Registries by which upper apps join the transactions of this one, which may not import them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import User

# Called in the transaction that creates the user: wallets are opened, the event counter starts.
on_user_created: list[Callable[[User], None]] = []

# Called in the transaction that bans the user, with the instant of the ban in Unix milliseconds.
on_user_banned: list[Callable[[User, int], None]] = []
