"""What this app does in the transactions of the accounts app."""

from __future__ import annotations

from accounts import hooks
from accounts.models import User
from kernel.clock import optional_rfc3339, rfc3339
from realtime import services
from realtime.events import AccountBanned, EventDraft, payload_encoded


def connect() -> None:
    """Open an event counter for each new user and tell users of their ban."""
    hooks.on_user_created.append(_counter_opened)
    hooks.on_user_banned.append(_ban_told)


def _counter_opened(user: User) -> None:
    services.event_counter_open(user.pk)


def _ban_told(user: User, now_ms: int) -> None:
    until = optional_rfc3339(user.banned_until_ms)
    told = AccountBanned(reason=user.ban_reason, banned_at=rfc3339(now_ms), banned_until=until)
    services.events_append([EventDraft(user.pk, "", "account.banned", payload_encoded(told), at_ms=now_ms)])
