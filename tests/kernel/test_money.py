"""Money is whole minor units; decimals exist at the edges only (principle 3, S-36)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import (
    AmountPrecisionError,
    AmountShapeError,
    format_minor,
    format_scaled,
    optional_scaled,
    parse_amount,
    scale_half_even,
)


@given(amount=st.integers(min_value=0, max_value=10**17 - 1))
def test_an_amount_reads_back_as_it_was_written(amount: int) -> None:
    """Contract: money is decimal text in the currency's scale, exactly."""
    assert parse_amount(format_minor(amount, "USD"), "USD") == amount


@given(value=st.integers(), scale=st.integers(min_value=0, max_value=12))
def test_a_scaled_integer_is_written_exactly(value: int, scale: int) -> None:
    """Contract: prices are decimal text in the symbol's scale; no digit is lost or made up."""
    text = format_scaled(value, scale)
    assert Decimal(text) == Decimal(value).scaleb(-scale) or abs(value) >= 10**27
    assert len(text.partition(".")[2]) == scale
    assert int(text.replace(".", "")) == value


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("10", 1_000),
        ("10.0", 1_000),
        ("10.00", 1_000),
        ("0.01", 1),
        ("007", 700),
        ("999999999999999", 10**17 - 100),
    ],
)
def test_equal_values_are_equal_amounts(text: str, amount: int) -> None:
    """Contract, idempotency: amounts compare by value."""
    assert parse_amount(text, "USD") == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        ".5",
        "1.",
        "1e3",
        "1E3",
        "0x10",
        "NaN",
        "inf",
        "1,000",
        "1 000",
        "10\n",
        "1_000",
        "١٠",
        "1" * 16,
    ],
)
def test_a_text_that_is_no_amount_is_refused(text: str) -> None:
    """S-36: a stake is ``^\\d{1,15}(\\.\\d+)?$`` and nothing else."""
    with pytest.raises(AmountShapeError):
        parse_amount(text, "USD")


@pytest.mark.parametrize("text", ["0.001", "10.000", "1.123456789"])
def test_more_decimals_than_the_currency_has_are_refused(text: str) -> None:
    """Contract: more decimals than the currency has are ``order.stake.precision``, zeros included."""
    with pytest.raises(AmountPrecisionError):
        parse_amount(text, "USD")


@pytest.mark.parametrize(
    ("value", "scale", "rounded"),
    [
        ("1.000005", 5, 100_000),
        ("1.000015", 5, 100_002),
        ("1.000025", 5, 100_002),
        ("1.0000150001", 5, 100_002),
        ("1.0000049999", 5, 100_000),
        ("2.5", 0, 2),
        ("3.5", 0, 4),
    ],
)
def test_a_price_is_rounded_half_even(value: str, scale: int, rounded: int) -> None:
    """Rules 1: the mid is rounded half-even to the symbol's price scale."""
    assert scale_half_even(Decimal(value), scale) == rounded


def test_a_missing_price_stays_missing() -> None:
    """Contract: prices that do not exist yet are null, never zero."""
    assert optional_scaled(None, 5) is None
    assert optional_scaled(0, 5) == "0.00000"
    assert format_minor(-5, "USD") == "-0.05"
