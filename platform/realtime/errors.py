"""Refusals of this app."""

from __future__ import annotations

from kernel.errors import Problem


def cursor_expired() -> Problem:
    """Return the answer to a cursor behind the kept events."""
    return Problem(
        "events.cursor_expired",
        status=410,
        title="Events after this number are no longer kept.",
        detail="Read the state anew and go on from last_seq.",
    )


def tournament_unknown() -> Problem:
    """Return the answer to a subscription to somebody else's tournament, or to none."""
    return Problem("tournament.unknown", status=404, title="There is no such tournament for you.")


def channel_unknown() -> Problem:
    """Return the answer to a subscription to what does not exist."""
    return Problem("channel.unknown", status=404, title="There is no such channel.")


def too_many_subscriptions() -> Problem:
    """Return the answer to a subscription beyond the bound."""
    return Problem("rate.limited", status=429, title="Too many subscriptions on this socket.", retry_after_s=1)
