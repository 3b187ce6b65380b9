"""Refusals of requests about risk; those of signals are codes in ``risk_rules``."""

from __future__ import annotations

from kernel.errors import Problem, not_found

__all__ = ["limits_changed", "not_found", "not_stopped"]


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
