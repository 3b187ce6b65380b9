"""Counts as shares with their intervals, in one way for all studies."""

from __future__ import annotations

from math import sqrt

# The 97.5th percentile of the normal distribution.
Z = 1.959964


def percent(part: int, whole: int) -> str | None:
    """Return a share in percent with one place, None of nothing."""
    return None if whole == 0 else f"{100 * part / whole:.1f}"


def wilson(part: int, whole: int) -> list[str] | None:
    """Return the 95 % interval of a share in percent, None of nothing.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if whole == 0:
        return None
    share, square = part / whole, Z * Z
    middle = share + square / (2 * whole)
    half = Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    return [f"{100 * min(max((middle + sign * half) / (1 + square / whole), 0.0), 1.0):.1f}" for sign in (-1, 1)]
