"""Refusals of the bridge's API for owners."""

from __future__ import annotations

from kernel.errors import Problem


def installation_exists() -> Problem:
    """Return the refusal of an installation that is registered with another ledger."""
    return Problem(
        "ea.installation_exists",
        status=409,
        title="This account is registered already.",
        detail="Its orders go to another ledger; change that where the installation is shown.",
    )


def installations_full(most: int) -> Problem:
    """Return the refusal of one installation too many."""
    return Problem("ea.installations_full", status=409, title=f"You have {most} installations, which is the most.")


def keys_full(most: int) -> Problem:
    """Return the refusal of a third key in force."""
    return Problem(
        "ea.keys_full",
        status=409,
        title=f"This installation has {most} keys in force.",
        detail="Revoke one, or wait until one has run out.",
    )


def key_ended() -> Problem:
    """Return the refusal of what only a key in force can do."""
    return Problem("ea.key_ended", status=409, title="This key is not in force any more.")


def strategies_full(most: int) -> Problem:
    """Return the refusal of parameters for one strategy too many."""
    return Problem("ea.strategies_full", status=409, title=f"Parameters are kept for {most} strategies at most.")


def aliases_full(most: int) -> Problem:
    """Return the refusal of one alias too many."""
    return Problem("ea.aliases_full", status=409, title=f"An installation has {most} aliases at most.")


def name_known() -> Problem:
    """Return the refusal to give a name that every broker's signals are understood by another meaning."""
    return Problem("ea.name_known", status=409, title="This name has a meaning already.")


def symbol_unknown() -> Problem:
    """Return the refusal of an alias for what is no symbol here."""
    return Problem("symbol.unknown", status=422, title="There is no such symbol.")


def wallet_unknown() -> Problem:
    """Return the answer to a tournament's wallet that is not the caller's."""
    return Problem("wallet.unknown", status=404, title="You have no such wallet.")


def pairing_unknown() -> Problem:
    """Return the answer to a code that was never given, or was ended by a newer one."""
    return Problem("pairing.unknown", status=404, title="There is no such pairing code.")


def pairing_used() -> Problem:
    """Return the answer to a code that was used already."""
    return Problem("pairing.used", status=409, title="This pairing code was used; make a new one.")


def pairing_expired() -> Problem:
    """Return the answer to a code whose time has run out."""
    return Problem("pairing.expired", status=410, title="This pairing code has run out; make a new one.")


def pairing_account() -> Problem:
    """Return the answer to a code that was made for another account or server."""
    return Problem(
        "pairing.account",
        status=409,
        title="This pairing code is for another account or server.",
        detail="Log the terminal in to the account that the code was made for.",
    )


def limits_changed(version: int) -> Problem:
    """Return the refusal of a change that was made from an older version."""
    return Problem(
        "limits.changed",
        status=409,
        title="The limits were changed meanwhile.",
        detail=f"Read version {version} and make the change again.",
    )


def not_stopped(stop: str) -> Problem:
    """Return the refusal to reset a stop that does not hold."""
    return Problem("limits.not_stopped", status=409, title=f"The stop {stop} does not hold this installation.")
