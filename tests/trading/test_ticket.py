"""The shape of an order request (contract, Place an order; S-36)."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Problem
from tests.trading.tickets import BODY, MALFORMED, without
from trading.ticket import BODY_BYTES_MAX, OrderRequest, ticket_parsed


def _parsed(**changes: Any) -> Any:
    return ticket_parsed(json.dumps(BODY | changes).encode())


def test_a_well_formed_request_becomes_a_ticket() -> None:
    """Contract: every documented field is read; times become whole milliseconds."""
    body = without("ledger", "duration_s") | {
        "wallet_id": str(UUID(int=5)),
        "expires_at": "2026-01-31T09:30:00.1259Z",
        "min_payout_percent": 80,
        "max_price_drift": "0.00010",
        "expected_price": "1.08512",
    }
    ticket = ticket_parsed(json.dumps(body).encode())
    assert ticket.wallet_id == UUID(int=5)
    assert ticket.expires_at_ms == 1_769_851_800_125
    assert (ticket.ledger, ticket.duration_s) == (None, None)
    assert (ticket.min_payout_percent, ticket.max_price_drift, ticket.expected_price) == (80, "0.00010", "1.08512")


@pytest.mark.parametrize(("name", "body"), MALFORMED, ids=[name for name, _ in MALFORMED])
def test_a_malformed_request_is_refused_by_its_shape(name: str, body: bytes) -> None:
    """S-36: type confusion, broken JSON and unknown fields are 400 ``request.invalid``, before anything is read."""
    with pytest.raises(Problem) as refused:
        ticket_parsed(body)
    assert (refused.value.status, refused.value.code) == (400, "request.invalid")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stake": 10}, "stake"),
        ({"stake": "1e3"}, "stake"),
        ({"duration_s": "60"}, "duration_s"),
        ({"surprise": 1}, "surprise"),
        ({"client_order_id": "not allowed"}, "client_order_id"),
        ({"wallet_id": str(UUID(int=5))}, "ledger"),
        ({"expires_at": "2026-01-31T09:30:00Z"}, "duration_s"),
        ({"expected_price": "1.1"}, "max_price_drift"),
        ({"ledger": "margin"}, "ledger"),
    ],
)
def test_the_refusal_names_the_field(changes: dict[str, Any], field: str) -> None:
    """Contract: shape errors carry ``errors[]`` with the field."""
    with pytest.raises(Problem) as refused:
        _parsed(**changes)
    assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.parametrize("missing", ["client_order_id", "symbol", "direction", "stake"])
def test_a_missing_field_is_named(missing: str) -> None:
    """Contract: client_order_id, symbol, direction and stake are required."""
    with pytest.raises(Problem) as refused:
        ticket_parsed(json.dumps(without(missing)).encode())
    assert [(error.field, error.code) for error in refused.value.errors] == [(missing, "required")]


def test_meaning_is_not_judged_here() -> None:
    """Rules 2: unknown words and amounts out of bounds are refused by admission, with their own codes."""
    ticket = _parsed(symbol="NOPE", direction="sideways", stake="999999999999999.99999")
    assert (ticket.symbol, ticket.direction, ticket.stake) == ("NOPE", "sideways", "999999999999999.99999")


@pytest.mark.parametrize("ident", ["a", "A-z.0_9:x", "x" * 64])
def test_client_order_ids_of_the_contract_are_taken(ident: str) -> None:
    """Contract: 1 to 64 of ``[A-Za-z0-9._:-]``."""
    assert _parsed(client_order_id=ident).client_order_id == ident


def test_the_body_is_bounded() -> None:
    """S-38: a body that no order needs is refused before it is decoded."""
    with pytest.raises(Problem) as refused:
        ticket_parsed(b" " * (BODY_BYTES_MAX + 1))
    assert refused.value.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from([field.name for field in msgspec.structs.fields(OrderRequest)])


@given(changes=st.dictionaries(FIELDS, JSON, min_size=1, max_size=4))
def test_no_value_in_any_field_breaks_the_reading(changes: dict[str, Any]) -> None:
    """S-36: never 500, whatever stands in a field."""
    try:
        _parsed(**changes)
    except Problem as problem:
        assert_shape(problem)


def assert_shape(problem: Problem) -> None:
    """Check that a refusal is one of shape."""
    assert (problem.status, problem.code) == (400, "request.invalid")
