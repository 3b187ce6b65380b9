"""UTC days in a query, both ends included."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from kernel.errors import field_invalid

DAYS_DEFAULT, DAYS_MAX = 30, 366
FROM_DAY = OpenApiParameter("from", OpenApiTypes.DATE, description="first UTC day; without it, 30 days up to the last")
TO_DAY = OpenApiParameter("to", OpenApiTypes.DATE, description="last UTC day, included; without it, today")


def days_query(query: Mapping[str, str], *, today: date) -> tuple[date, date]:
    """Read ``from`` and ``to``.

    :raises Problem: ``request.invalid`` when one is no day, they are in the wrong order or more than a year apart
    """
    last = _day(query, "to") or today
    before = timedelta(days=DAYS_DEFAULT - 1)
    first = _day(query, "from") or max(last, date.min + before) - before
    if first > last:
        raise field_invalid("from", "must not be after to")
    if (last - first).days >= DAYS_MAX:
        raise field_invalid("from", f"must be less than {DAYS_MAX} days before to")
    return first, last


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Python reads other spellings of a day, too.
    if day is None or day.isoformat() != text:
        raise field_invalid(name, "must be a day as YYYY-MM-DD")
    return day
