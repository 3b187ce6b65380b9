"""Reads of this app."""

from __future__ import annotations

from uuid import UUID

from accounts.limits import LIMITS, LimitState
from accounts.models import ApiToken, Ban, Limit, LimitChange, User


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


def limits_of(user_id: UUID, *, now_ms: int) -> dict[str, LimitState]:
    """Return a user's own limits by name, all of them, without loosenings that have lapsed."""
    found = {row.name: row.state.at(now_ms) for row in Limit.objects.filter(user_id=user_id)}
    return {name: found.get(name, LimitState()) for name in LIMITS}


def limit_changes_of(user_id: UUID, *, limit: int) -> list[LimitChange]:
    """Return what became of a user's own limits, newest first."""
    return list(LimitChange.objects.filter(user_id=user_id).order_by("-id")[:limit])


def bans_of(user_id: UUID, *, limit: int) -> list[Ban]:
    """Return a user's bans, newest first, with the operators of each."""
    return list(Ban.objects.filter(user_id=user_id).select_related("by", "lifted_by").order_by("-id")[:limit])
