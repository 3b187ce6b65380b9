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
