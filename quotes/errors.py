"""Refusals of the market's services and reads."""

from __future__ import annotations

from kernel.errors import Problem


def symbol_unknown() -> Problem:
    """Return the answer for a symbol that does not exist."""
    return Problem("symbol.unknown", status=404, title="There is no such symbol.")


def symbol_exists(code: str) -> Problem:
    """Return the refusal to add a symbol whose code is taken with other terms."""
    return Problem(
        "symbol.exists",
        status=409,
        title=f"{code} exists with other terms.",
        detail="Edit its terms in the admin, or choose another code.",
    )
