"""Canonical JSON (RFC 8785) of our documents: the same document has the same bytes, whoever writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LARGEST = 2**53 - 1


class NotCanonicalError(ValueError):
    """A document holds what canonical JSON of ours cannot say."""


def canonical(document: Any) -> bytes:
    """Return the canonical JSON of objects, arrays, strings, booleans, null and integers below 2^53.

    Without fractions, RFC 8785 is: members in the order of their names' UTF-16 code units, no white space, and the
    shortest escapes.

    :raises NotCanonicalError: on a fraction, a larger integer, a name that is no string, half a surrogate pair, or
        any other type
    """
    try:
        return json.dumps(_ordered(document), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise NotCanonicalError("a string holds half a surrogate pair") from None


def _ordered(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise NotCanonicalError(f"{value} does not fit 53 bits")
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise NotCanonicalError("a name is no string")
        return {name: _ordered(value[name]) for name in sorted(value, key=_utf16)}
    if isinstance(value, list | tuple):
        return [_ordered(member) for member in value]
    raise NotCanonicalError(f"{type(value).__name__} is no type of canonical JSON")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")
