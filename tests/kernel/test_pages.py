"""Cursor pages and query parameters (contract, Lists; S-36, S-38)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from uuid import UUID

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Problem
from kernel.http.pages import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    Cursor,
    instant_query,
    integer_query,
    known_query,
    page_ask,
    page_document,
)


@dataclass(frozen=True)
class _Row:
    at: int
    id: UUID


def _pages(rows: list[_Row], limit: int) -> list[_Row]:
    """Read all pages as a client does."""
    seen: list[_Row] = []
    cursor: Cursor | None = None
    while True:
        rest = [row for row in rows if cursor is None or (row.at, str(row.id)) < (cursor.at, cursor.id)]
        document = page_document(
            rest[: limit + 1],
            limit=limit,
            cursor_of=lambda row: Cursor(row.at, str(row.id)),
            show=lambda row: row,
        )
        seen += document["data"]  # type: ignore[arg-type]
        if document["next_cursor"] is None:
            return seen
        cursor = Cursor.decode(str(document["next_cursor"]))


@given(
    keys=st.lists(st.tuples(st.integers(min_value=0, max_value=3), st.uuids()), unique=True, max_size=30),
    limit=st.integers(min_value=1, max_value=7),
)
def test_pages_show_every_row_once(keys: list[tuple[int, UUID]], limit: int) -> None:
    """Contract, Lists: newest first by (time, id), nothing lost or doubled between pages."""
    rows = sorted((_Row(at, ident) for at, ident in keys), key=lambda row: (row.at, str(row.id)), reverse=True)
    assert _pages(rows, limit) == rows


@given(at=st.integers(min_value=-(2**61), max_value=2**61), ident=st.uuids())
def test_a_cursor_reads_back(at: int, ident: UUID) -> None:
    """Contract, Lists: a cursor is opaque and names one row."""
    assert Cursor.decode(Cursor(at, str(ident)).encode()) == Cursor(at, str(ident))


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "!!!!",
        "é",
        "%00",
        _packed(""),
        _packed("1"),
        _packed("1/not-a-uuid"),
        _packed("one/00000000-0000-0000-0000-000000000000"),
        _packed(f"{2**62}/00000000-0000-0000-0000-000000000000"),
        _packed("1/' OR 1=1 --"),
        _packed("1/" + "9" * 40),
    ],
)
def test_a_forged_cursor_is_refused(text: str) -> None:
    """S-33, S-36: a cursor that we did not make is 400, never an error of ours."""
    with pytest.raises(Problem) as refused:
        Cursor.decode(text)
    assert (refused.value.status, refused.value.code) == (400, "request.invalid")


@given(text=st.text(max_size=80))
def test_no_text_breaks_the_reading_of_cursors(text: str) -> None:
    """S-36: never 500."""
    try:
        Cursor.decode(text)
    except Problem:
        return


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1e2", "ten", "", " 5", "٥", "9" * 30])
def test_a_limit_out_of_bounds_is_refused(limit: str) -> None:
    """Contract, Lists: limit is at most 500 (S-38: a page of a million rows is refused)."""
    with pytest.raises(Problem) as refused:
        page_ask({"limit": limit})
    assert refused.value.errors[0].field == "limit"


def test_the_defaults_of_a_page() -> None:
    """Contract, Lists: ?limit= [50, at most 500]."""
    assert page_ask({}).limit == LIMIT_DEFAULT == 50
    assert page_ask({"limit": "500"}).limit == LIMIT_MAX == 500
    assert page_ask({}).cursor is None


def test_a_parameter_that_nobody_reads_is_refused() -> None:
    """Contract: unknown request fields are refused; a misspelt filter must not widen a list."""
    with pytest.raises(Problem) as refused:
        known_query(QueryDict("state=open&sate=open&ledgr=demo"), "state")
    assert {(error.field, error.code) for error in refused.value.errors} == {("sate", "unknown"), ("ledgr", "unknown")}


def test_a_parameter_given_twice_is_refused() -> None:
    """S-36 (15.3.7): duplicate query keys are refused, not silently resolved."""
    with pytest.raises(Problem) as refused:
        known_query(QueryDict("state=open&state=settled"), "state")
    assert [(error.field, error.code) for error in refused.value.errors] == [("state", "repeated")]


def test_numbers_and_instants_are_read_strictly() -> None:
    """S-36: type confusion in the query is 400."""
    assert integer_query({"n": "7"}, "n", default=1, least=1, most=9) == 7
    assert integer_query({}, "n", default=1, least=1, most=9) == 1
    assert instant_query({}, "from") is None
    assert instant_query({"from": "1970-01-01T01:00:00 01:00"}, "from") == 0
    with pytest.raises(Problem):
        instant_query({"from": "yesterday"}, "from")
