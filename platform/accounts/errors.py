"""Refusals of this app."""

from __future__ import annotations

from kernel.clock import rfc3339
from kernel.errors import Problem


def auth_required() -> Problem:
    """Return the answer to a request without a session or token."""
    return Problem("auth.required", status=401, title="Log in or send an API token.")


def token_invalid() -> Problem:
    """Return the answer to a token that is unknown, expired or revoked; which of them is not told."""
    return Problem("auth.invalid_token", status=401, title="The API token is not valid.")


def csrf_failed(reason: str) -> Problem:
    """Return the answer to a session's write without its CSRF token."""
    return Problem("auth.csrf", status=403, title="The CSRF token is missing or wrong.", detail=reason)


def scope_missing(scope: str) -> Problem:
    """Return the answer to a caller without the scope."""
    return Problem("auth.scope", status=403, title="The token may not do this.", detail=f"It lacks the scope {scope}.")


def ledger_forbidden() -> Problem:
    """Return the answer to a token that is bound to other ledgers."""
    return Problem("auth.ledger", status=403, title="The token is bound to other ledgers.")


def address_forbidden() -> Problem:
    """Return the answer to a token used from an address outside its list."""
    return Problem("auth.address", status=403, title="The token may not be used from this address.")


def account_banned() -> Problem:
    """Return the answer to a banned user."""
    return Problem("account.banned", status=403, title="This account is banned.")


def token_capped() -> Problem:
    """Return the answer to a capped token that would make a token which trades: two caps are no cap."""
    return Problem("auth.capped", status=403, title="A token with caps makes no token that trades.")


def reauthentication_required() -> Problem:
    """Return the answer to what only the user in person may do, without a confirmation of a moment ago."""
    return Problem(
        "auth.reauthentication",
        status=403,
        title="Confirm that it is you, then send this again.",
        detail="Log in with a browser, and confirm with your second factor, or your password where you have none.",
    )


def break_shorter(until_ms: int) -> Problem:
    """Return the refusal of a break that ends before the one that runs."""
    return Problem(
        "limit.break_shorter",
        status=409,
        title="Your break can only become longer.",
        detail=f"It lasts until {rfc3339(until_ms)}.",
    )


def exclusion_shorter(until_ms: int) -> Problem:
    """Return the refusal of an exclusion that ends before the one that runs."""
    return Problem(
        "limit.exclusion_shorter",
        status=409,
        title="Your exclusion can only become longer.",
        detail=f"It lasts until {rfc3339(until_ms)}.",
    )


def session_required() -> Problem:
    """Return the answer to a token where only a person at a browser may act."""
    return Problem("auth.session_required", status=403, title="This needs a log-in, not an API token.")


def log_in_unavailable() -> Problem:
    """Return the answer to a log-in while the store that limits guesses is away."""
    return Problem(
        "auth.unavailable",
        status=503,
        title="Logging in is not possible for a moment.",
        detail="Sessions that exist go on; try again shortly.",
        retry_after_s=5,
    )


class UnknownUserError(LookupError):
    """No user has that e-mail."""


class EmailTakenError(ValueError):
    """Another user has that e-mail."""
