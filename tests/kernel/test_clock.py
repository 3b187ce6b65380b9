"""Whole milliseconds (rules, "Whole milliseconds"): instants are floored when they enter and shown as compared."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import optional_rfc3339, parse_rfc3339, rfc3339, wall_ms

# From the year 1000 to the year 9999, which RFC 3339 can write.
INSTANTS_MS = st.integers(min_value=-30_610_224_000_000, max_value=253_402_300_799_999)


@given(instant_ms=INSTANTS_MS)
def test_what_is_shown_reads_back_as_the_same_instant(instant_ms: int) -> None:
    """Rules, whole milliseconds: what the API shows is what the rule compared."""
    assert parse_rfc3339(rfc3339(instant_ms)) == instant_ms


@pytest.mark.parametrize(
    ("text", "instant_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("2026-01-31T09:30:00.125Z", 1_769_851_800_125),
        ("2026-01-31t09:30:00.125z", 1_769_851_800_125),
        ("2026-01-31T11:30:00.125+02:00", 1_769_851_800_125),
        ("2026-01-31T04:00:00.125-05:30", 1_769_851_800_125),
        ("2026-01-31T09:30:00.1Z", 1_769_851_800_100),
        ("2026-01-31T09:30:00.12Z", 1_769_851_800_120),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_an_instant_is_read_with_its_offset(text: str, instant_ms: int) -> None:
    """Contract: times are RFC 3339; an offset names the same instant as UTC does."""
    assert parse_rfc3339(text) == instant_ms


@pytest.mark.parametrize("fraction", ["125999999", "1259", "125000001"])
def test_what_lies_below_a_millisecond_is_cut_not_rounded(fraction: str) -> None:
    """Rules, whole milliseconds: instants are floored, never rounded."""
    assert parse_rfc3339(f"2026-01-31T09:30:00.{fraction}Z") == 1_769_851_800_125


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-01-31 09:30:00Z",
        "2026-01-31T09:30Z",
        "2026-01-31T09:30:00,125Z",
        "2026-01-31T09:30:00.Z",
        "2026-01-31T09:30:00.1234567891Z",
        "2026-01-31T09:30:00Z ",
        "2026-01-31T09:30:00Z\n",
        "2026-01-31T09:30:00+0200",
        "2026-01-31T09:30:00+25:00",
        "2026-02-30T09:30:00Z",
        "2026-13-01T09:30:00Z",
        "2026-01-31T24:30:00Z",
        "2026-01-31T09:30:61Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-01-31T09:30:00Z",
        "1769851800125",
    ],
)
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    """Contract: times are RFC 3339 with an offset; nothing is guessed."""
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


def test_three_places_and_z_are_always_shown() -> None:
    """Contract: RFC 3339 UTC with milliseconds and ``Z``."""
    assert rfc3339(1_769_851_800_000) == "2026-01-31T09:30:00.000Z"
    assert rfc3339(1_769_851_800_005) == "2026-01-31T09:30:00.005Z"
    assert optional_rfc3339(None) is None
    assert optional_rfc3339(0) == "1970-01-01T00:00:00.000Z"


def test_the_wall_clock_is_whole_milliseconds() -> None:
    """Interfaces: every instant is a whole number of Unix milliseconds."""
    before = time.time_ns() // 1_000_000
    read = wall_ms()
    assert before <= read <= time.time_ns() // 1_000_000
