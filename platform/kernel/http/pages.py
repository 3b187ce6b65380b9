"""Cursor pages: newest first by (time, id), stable while rows are added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from kernel.clock import parse_rfc3339
from kernel.errors import FieldError, field_invalid, request_invalid

T = TypeVar("T")
LIMIT_DEFAULT = 50
LIMIT_MAX = 500


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of the page before: the next page starts behind it."""

    at: int
    id: str

    def encode(self) -> str:
        """Return the opaque text that clients send back."""
        return base64.urlsafe_b64encode(f"{self.at}/{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read a cursor that :meth:`encode` made.

        :raises Problem: ``request.invalid`` when it is not one of ours
        """
        try:
            at, _, ident = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").partition("/")
            # The id is a number (a statement's entry) or a UUID; both stay far from SQL as typed parameters.
            if not ident.isdigit():
                UUID(ident)
            if not -(2**62) < int(at) < 2**62 or len(ident) > 36:
                raise ValueError(text)
            return cls(int(at), ident)
        except (ValueError, UnicodeDecodeError, binascii.Error):
            raise field_invalid("cursor", "is not a cursor of this list") from None

    @property
    def uuid(self) -> UUID:
        """Return the id of a list whose rows have UUIDs.

        :raises Problem: ``request.invalid`` when the cursor is another list's
        """
        try:
            return UUID(self.id)
        except ValueError:
            raise field_invalid("cursor", "is not a cursor of this list") from None


@dataclass(frozen=True, slots=True)
class PageAsk:
    """How much of a list is asked for."""

    limit: int
    cursor: Cursor | None


def page_ask(query: Mapping[str, str]) -> PageAsk:
    """Read ``limit`` and ``cursor``.

    :raises Problem: ``request.invalid``
    """
    cursor = query.get("cursor")
    return PageAsk(
        limit=integer_query(query, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX),
        cursor=Cursor.decode(cursor) if cursor else None,
    )


def page_document(
    rows: Sequence[T], *, limit: int, cursor_of: Callable[[T], Cursor], show: Callable[[T], Any]
) -> dict[str, object]:
    """Return the list document of a page.

    :param rows: up to ``limit + 1`` rows; the extra one proves that there is a next page
    """
    shown = rows[:limit]
    following = cursor_of(shown[-1]).encode() if len(rows) > limit and shown else None
    return {"data": [show(row) for row in shown], "next_cursor": following}


def known_query(query: Mapping[str, str], *names: str) -> None:
    """Refuse query parameters that nobody reads: a misspelt filter must not silently widen a list.

    :raises Problem: ``request.invalid`` with each unknown name
    """
    unknown = [FieldError(name, "unknown", "is not a parameter of this address") for name in query if name not in names]
    # No text of PostgreSQL holds this character, so nothing can be found by it.
    unknown += [FieldError(name, "invalid", "holds a null character") for name in query if "\0" in query[name]]
    twice = [
        FieldError(name, "repeated", "is given more than once")
        for name in query
        if hasattr(query, "getlist") and len(query.getlist(name)) > 1
    ]
    if unknown or twice:
        raise request_invalid(*unknown, *twice)


def integer_query(query: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """Read a whole number from the query.

    :raises Problem: ``request.invalid`` when it is none or out of bounds
    """
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and least <= int(text) <= most):
        raise field_invalid(name, f"must be a whole number from {least} to {most}")
    return int(text)


def instant_query(query: Mapping[str, str], name: str) -> int | None:
    """Read an RFC 3339 instant from the query, in Unix milliseconds.

    :raises Problem: ``request.invalid``
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        # An unescaped + of an offset arrives as a space.
        return parse_rfc3339(text.replace(" ", "+"))
    except ValueError:
        raise field_invalid(name, "must be an RFC 3339 time with an offset") from None


def span_query(query: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Read ``from`` and ``to``, a time that has a beginning before its end and is not older than any row.

    :raises Problem: ``request.invalid``
    """
    from_ms, to_ms = instant_query(query, "from"), instant_query(query, "to")
    for name, at_ms in (("from", from_ms), ("to", to_ms)):
        if at_ms is not None and at_ms < 0:
            raise field_invalid(name, "must be in 1970 or later")
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise field_invalid("from", "must be before to")
    return from_ms, to_ms
