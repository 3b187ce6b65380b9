"""Instants as whole Unix milliseconds: the only time type that enters a rule."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

# The database clock, floored to the millisecond; `clock_timestamp()` moves on inside a transaction.
DB_NOW_MS_SQL = "floor(extract(epoch from clock_timestamp()) * 1000)::bigint"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


def wall_ms() -> int:
    """Return this machine's wall clock in Unix milliseconds, floored. For edges, never for rules."""
    return time.time_ns() // 1_000_000


# Instants come in crowds: the orders of a batch share an expiry, a tick and the time at which they are settled.
@lru_cache(maxsize=4096)
def rfc3339(instant_ms: int) -> str:
    """Format an instant as RFC 3339 UTC with milliseconds, for example 2026-01-31T09:30:00.125Z."""
    second, millisecond = divmod(instant_ms, 1000)
    return f"{_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    """Format a whole second."""
    return f"{_EPOCH + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339(text: str) -> int:
    """Return the instant of an RFC 3339 text in Unix milliseconds, floored.

    :raises ValueError: when the text has no offset, or is no date and time
    """
    if not _RFC3339.match(text):
        raise ValueError("expected an RFC 3339 time with an offset")
    # Python keeps six digits of a second; what lies below a millisecond is cut, never rounded.
    head, fraction, offset = re.fullmatch(r"(.{19})(\.\d+)?(.+)", text).groups()  # type: ignore[union-attr]
    moment = datetime.fromisoformat(head.upper() + (fraction or ".0")[:4].ljust(4, "0") + offset.upper())
    return (moment - _EPOCH) // _MILLISECOND


def optional_rfc3339(instant_ms: int | None) -> str | None:
    """Format an instant that may be missing."""
    return None if instant_ms is None else rfc3339(instant_ms)
