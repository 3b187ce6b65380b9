"""Refusals of the ledger."""

from __future__ import annotations

from kernel.errors import Problem


def wallet_unknown() -> Problem:
    """Return the refusal of a wallet that does not exist or is not the caller's."""
    return Problem("wallet.unknown", status=404, title="You have no such wallet.")


def wallet_not_demo() -> Problem:
    """Return the refusal to refill anything but the demo wallet."""
    return Problem("wallet.not_demo", status=409, title="Only the demo wallet can be refilled.")


def wallet_open_orders() -> Problem:
    """Return the refusal to refill while demo orders are open."""
    return Problem(
        "wallet.open_orders",
        status=409,
        title="The demo wallet has open orders.",
        detail="Refill it once they are settled.",
    )


def insufficient_funds() -> Problem:
    """Return the refusal of a movement that the balance does not cover."""
    return Problem("wallet.insufficient_funds", status=422, title="The balance does not cover this amount.")


def adjustment_needs_request() -> Problem:
    """Return the refusal to move money by hand without a second person."""
    return Problem(
        "adjustment.needs_request", status=403, title="Adjustments need a request that a second person approves."
    )


def adjustment_wallet() -> Problem:
    """Return the refusal to adjust anything but a client's real wallet."""
    return Problem("adjustment.wallet", status=422, title="Only a client's real wallet can be adjusted.")


def adjustment_unfit() -> Problem:
    """Return the refusal of a request without an amount, a known reason or a note."""
    return Problem(
        "adjustment.unfit", status=422, title="An adjustment needs an amount, a known reason and a note of one line."
    )


def adjustment_unknown() -> Problem:
    """Return the refusal of a request that does not exist."""
    return Problem("adjustment.unknown", status=404, title="There is no such request.")


def adjustment_not_allowed(email: str) -> Problem:
    """Return the refusal because one of the two persons may not do this at this moment."""
    return Problem("adjustment.not_allowed", status=403, title=f"{email} may not do this now.")


def adjustment_same_person() -> Problem:
    """Return the refusal of a decision by the person who asked, or of a withdrawal by another."""
    return Problem("adjustment.same_person", status=403, title="Another person has to do this.")


def adjustment_decided(state: str) -> Problem:
    """Return the refusal to decide a second time."""
    return Problem("adjustment.decided", status=409, title=f"This request is {state}; a decision is final.")


def adjustment_expired() -> Problem:
    """Return the refusal of a request that waited too long."""
    return Problem("adjustment.expired", status=409, title="This request has expired; ask again.")


def adjustment_changed() -> Problem:
    """Return the refusal of an approval that was given to something else than the request says."""
    return Problem("adjustment.changed", status=409, title="This is not the request that you saw.")
