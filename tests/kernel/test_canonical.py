"""Canonical JSON: one document, one text (RFC 8785; docs/fairness/formats.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.canonical import LARGEST, NotCanonicalError, canonical

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


def test_names_are_in_the_order_of_utf16_code_units() -> None:
    """RFC 8785, 3.2.3: a name beyond the basic plane sorts by its surrogates, before U+E000 and above."""
    names = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]
    written = json.loads(canonical(dict.fromkeys(names, 0)))
    assert list(written) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_strings_have_their_shortest_escapes() -> None:
    """RFC 8785, 3.2.2.2: two-character escapes where there are, small hexadecimal digits, all else as it is."""
    assert canonical("€$\x0f\nA'B\"\\\x7f/\x1b\b\t\f\r") == (
        '"€$\\u000f\\nA\'B\\"\\\\\x7f/\\u001b\\b\\t\\f\\r"'.encode()
    )


@pytest.mark.parametrize(
    "document", [1.0, {"a": [0.5]}, 2**53, -(2**53), {1: "a"}, "\ud800", {"\udc00": 1}, b"bytes", {"a"}, object()]
)
def test_what_two_programs_could_write_differently_is_refused(document: Any) -> None:
    """Formats: documents hold no fractions and no integer that a browser would round."""
    with pytest.raises(NotCanonicalError):
        canonical(document)


@given(_DOCUMENTS)
def test_a_canonical_text_is_its_own_canonical_text(document: Any) -> None:
    """Formats: reading and writing again gives the same bytes, which is how a text is checked."""
    text = canonical(document)
    assert json.loads(text) == document
    assert canonical(json.loads(text)) == text
