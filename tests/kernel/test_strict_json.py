"""Request bodies are strict JSON (S-36, F-21)."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from kernel.http.rest import MsgspecRenderer, StrictJSONParser, strict_json_loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES)
def test_json_is_read_as_it_was_written(value: object) -> None:
    """S-36: strictness does not change what is well formed."""
    assert strict_json_loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1, "a": 1}',
        b'{"outer": {"a": 1, "a": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 01}',
        b'{"a": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    """S-36, F-21: duplicate keys, NaN, bad UTF-8, deep nesting and huge numbers are refused, never a crash."""
    with pytest.raises(ValueError, match=r".+"):
        strict_json_loads(body)


@given(body=st.binary(max_size=200))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    """F-21: the parser of request bodies refuses or reads, and nothing else."""
    try:
        strict_json_loads(body)
    except ValueError:
        return


def test_the_framework_tells_the_refusal_as_a_parse_error() -> None:
    """Contract, Errors: shape errors are 400."""
    with pytest.raises(ParseError):
        StrictJSONParser().parse(io.BytesIO(b'{"a": 1, "a": 2}'))
    assert StrictJSONParser().parse(io.BytesIO(b'{"a": 1}')) == {"a": 1}


def test_an_answer_without_data_has_no_body() -> None:
    """HTTP: a 204 carries no bytes."""
    assert MsgspecRenderer().render(None) == b""
    assert MsgspecRenderer().render({"a": None}) == b'{"a":null}'
