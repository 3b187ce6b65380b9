"""Reading documents member by member: what is missing or of another shape is named, never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)
DECIMAL = re.compile(r"\d{1,1000}(?:\.\d{1,1000})?", re.ASCII)
# A symbol is visible ASCII: it goes into lines of text and into bytes that are hashed.
SYMBOL = re.compile(r"[!-~]{1,64}", re.ASCII)


class ShapeError(ValueError):
    """A member of a document is missing or is not what the format says."""


def instant_ms(text: str) -> int:
    """Return an instant of RFC 3339 UTC with milliseconds in Unix milliseconds.

    :raises ShapeError: when the text is anything else
    """
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError
        found = (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
        # Some versions of Python read 24:00 as the next day.
        if instant_text(found) != text:
            raise ValueError
        return found
    except ValueError:
        raise ShapeError(f"{text[:40]!r} is no instant") from None


def instant_text(at_ms: int) -> str:
    """Return an instant as RFC 3339 UTC with milliseconds."""
    try:
        moment = _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return f"{at_ms} ms"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def scaled(text: str) -> tuple[int, int]:
    """Return a decimal text as an integer and its count of places.

    :raises ShapeError: when it is no decimal
    """
    if not _DECIMAL.fullmatch(text):
        raise ShapeError(f"{text[:40]!r} is no decimal number")
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), len(fraction)


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one object."""

    source: dict[str, Any]
    path: str = ""

    def fault(self, name: str, what: str) -> ShapeError:
        """Return the error that names a member."""
        return ShapeError(f"{self.path}{name} is not {what}")

    def text(self, name: str, *, most: int = 500) -> str:
        """Return a string."""
        value = self.source.get(name)
        if not isinstance(value, str) or len(value) > most:
            raise self.fault(name, "a text")
        return value

    def whole(self, name: str) -> int:
        """Return an integer that is not negative."""
        value = self.source.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fault(name, "a whole number")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        value = self.source.get(name)
        if not isinstance(value, bool):
            raise self.fault(name, "true or false")
        return value

    def instant(self, name: str) -> int:
        """Return an instant in Unix milliseconds."""
        try:
            return instant_ms(self.text(name))
        except ShapeError:
            raise self.fault(name, "an instant with milliseconds") from None

    def hexadecimal(self, name: str, count: int) -> bytes:
        """Return that many bytes, written in small hexadecimal digits."""
        value = self.text(name)
        if len(value) != 2 * count or not _HEX.fullmatch(value):
            raise self.fault(name, f"{count} bytes in hexadecimal")
        return bytes.fromhex(value)

    def symbol(self, name: str) -> str:
        """Return a symbol's code."""
        value = self.text(name)
        if not SYMBOL.fullmatch(value):
            raise self.fault(name, "a symbol")
        return value

    def units(self, name: str) -> tuple[int, int]:
        """Return a decimal text as an integer and its count of places."""
        try:
            return scaled(self.text(name))
        except ShapeError:
            raise self.fault(name, "a decimal number") from None

    def maybe(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return a member, or None where it is null.

        :raises ShapeError: also when the member is missing
        """
        if name not in self.source:
            raise self.fault(name, "there")
        return None if self.source[name] is None else read(name)

    def inner(self, name: str) -> Members:
        """Return an object's members."""
        value = self.source.get(name)
        if not isinstance(value, dict):
            raise self.fault(name, "an object")
        return Members(value, f"{self.path}{name}.")

    def each(self, name: str, read: Callable[[Members], T]) -> list[T]:
        """Return a list of objects."""
        value = self.source.get(name)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.fault(name, "a list of objects")
        return [read(Members(one, f"{self.path}{name}[{place}].")) for place, one in enumerate(value)]

    def hashes(self, name: str) -> tuple[bytes, ...]:
        """Return a list of hashes."""
        value = self.source.get(name)
        if not isinstance(value, list) or len(value) > 64:
            raise self.fault(name, "a list of hashes")
        if not all(isinstance(one, str) and len(one) == 64 and _HEX.fullmatch(one) for one in value):
            raise self.fault(name, "a list of hashes")
        return tuple(bytes.fromhex(one) for one in value)
