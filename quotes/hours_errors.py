"""Refusals of trading hours."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.errors import FieldError, Problem


def calendar_unknown(name: str) -> Problem:
    """Return the answer for trading hours that do not exist."""
    return Problem("calendar.unknown", status=404, title=f"There is no calendar {name!r}.")


def calendar_exists(name: str) -> Problem:
    """Return the refusal to add trading hours under a name that is taken."""
    return Problem("calendar.exists", status=409, title=f"There is a calendar {name!r} already.")


def hours_invalid(found: Sequence[FieldError]) -> Problem:
    """Return the refusal of trading hours that cannot be kept."""
    detail = " ".join(error.message for error in found)
    return Problem(
        "calendar.hours_invalid", status=422, title="These hours cannot be kept.", detail=detail, errors=found
    )


def exchange_unknown(detail: str) -> Problem:
    """Return the refusal to fetch holidays that the library does not know."""
    return Problem("calendar.exchange_unknown", status=422, title="Its holidays cannot be fetched.", detail=detail)
