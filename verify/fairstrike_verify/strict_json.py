"""JSON as the platform publishes it: canonical (RFC 8785), without fractions, each member named once."""

from __future__ import annotations

import json
import re
from typing import Any

LARGEST = 2**53 - 1
DEEPEST = 32
_MARK = re.compile(rb'["\[\]{}]')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


class NotCanonicalError(ValueError):
    """A text is not the canonical JSON of any document; the words say where it differs."""


def canonical_document(text: bytes) -> dict[str, Any]:
    """Return the object whose canonical JSON a text is, byte for byte.

    :raises NotCanonicalError: when it is not, whatever it holds
    """
    document = strict_document(text)
    written = canonical(document)
    if written != text:
        raise NotCanonicalError(f"it is not in canonical form: it differs at byte {_first_difference(written, text)}")
    return document


def strict_document(text: bytes) -> dict[str, Any]:
    """Return the object that a text holds, in whatever form.

    :raises NotCanonicalError: when it is no JSON object, or has fractions, large integers or a member twice
    """
    _depth_require(text)
    try:
        document = json.loads(
            text.decode(),
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_refused_number,
            parse_constant=_refused_number,
        )
    except UnicodeDecodeError:
        raise NotCanonicalError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotCanonicalError(f"it is not JSON: {error.msg} at byte {error.pos}") from None
    if not isinstance(document, dict):
        raise NotCanonicalError("it is not a JSON object")
    return document


def canonical(document: Any) -> bytes:
    """Return the canonical JSON of a document that was read by this module.

    :raises NotCanonicalError: when a string holds half a surrogate pair
    """
    try:
        return json.dumps(_ordered(document), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise NotCanonicalError("a string holds half a surrogate pair") from None


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=_utf16)}
    return [_ordered(member) for member in value] if isinstance(value, list) else value


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _depth_require(text: bytes) -> None:
    """Refuse deep nesting before a parser goes down into it, and strings without an end."""
    depth, place = 0, 0
    while mark := _MARK.search(text, place):
        place = mark.end()
        if mark[0] == b'"':
            string = _STRING.match(text, mark.start())
            if string is None:
                raise NotCanonicalError("it is not JSON: a string does not end")
            place = string.end()
        elif mark[0] in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise NotCanonicalError(f"it is nested deeper than {DEEPEST} levels")
        else:
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonicalError("an object names a member twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > LARGEST:
        raise NotCanonicalError("a number does not fit 53 bits")
    return value


def _refused_number(text: str) -> Any:
    raise NotCanonicalError(f"{text[:20]} is no integer")


def _first_difference(written: bytes, text: bytes) -> int:
    pairs = enumerate(zip(written, text, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(written), len(text)))
