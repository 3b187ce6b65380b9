"""Reads of this app."""

from __future__ import annotations

from uuid import UUID

from accounts.models import ApiToken, User


def user_by_id(user_id: UUID) -> User:
    """Return a user.

    :raises User.DoesNotExist: when there is none
    """
    return User.objects.get(pk=user_id)


def tokens_of(user_id: UUID, *, limit: int, before: UUID | None) -> list[ApiToken]:
    """Return a user's tokens that are not revoked, newest first; their ids sort by time."""
    tokens = ApiToken.objects.filter(user_id=user_id, revoked_at_ms__isnull=True).order_by("-id")
    if before is not None:
        tokens = tokens.filter(pk__lt=before)
    return list(tokens[:limit])
