"""Rate limits of one process (contract: RateLimit headers, 429 with Retry-After; S-37)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from kernel.errors import Problem
from kernel.http import rates
from kernel.http.rates import rate_check, rates_reset


class _Clock:
    """A monotonic clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Clock]:
    """Time under our hand, and one group: 10 requests in 1 s, 20 at once."""
    moved = _Clock()
    monkeypatch.setattr(rates, "time", moved)
    rates_reset()
    with override_settings(RATE_LIMITS={"group": (10, 1, 20), "slow": (10, 60, 10)}):
        yield moved
    rates_reset()


def _taken(key: str, times: int, group: str = "group") -> int:
    allowed = 0
    for _ in range(times):
        try:
            rate_check(group, key)
        except Problem:
            continue
        allowed += 1
    return allowed


def test_a_burst_is_allowed_and_no_more(clock: _Clock) -> None:
    """Contract: a burst is bounded."""
    assert _taken("a", 50) == 20


def test_the_bucket_fills_at_its_rate(clock: _Clock) -> None:
    """Contract: N requests a second, also after the burst is used up."""
    _taken("a", 20)
    clock.now_s += 0.5
    assert _taken("a", 50) == 5
    clock.now_s += 1_000
    assert _taken("a", 50) == 20


def test_callers_do_not_share_a_bucket(clock: _Clock) -> None:
    """S-37: one caller's flood leaves the others alone."""
    _taken("a", 50)
    assert _taken("b", 5) == 5
    assert _taken("a", 5, group="slow") == 5


def test_a_refusal_says_when_to_come_back(clock: _Clock) -> None:
    """Contract: 429 ``rate.limited`` with Retry-After that is long enough."""
    _taken("a", 10, group="slow")
    with pytest.raises(Problem) as refused:
        rate_check("slow", "a")
    assert (refused.value.status, refused.value.code) == (429, "rate.limited")
    assert refused.value.retry_after_s == 6
    clock.now_s += refused.value.retry_after_s
    assert _taken("a", 1, group="slow") == 1


def test_headers_tell_what_is_left(clock: _Clock) -> None:
    """Contract: RateLimit and RateLimit-Policy on limited groups."""
    headers = rate_check("group", "a")
    assert headers["RateLimit-Policy"] == '"group";q=20;w=2'
    assert headers["RateLimit"].startswith('"group";r=19;')


def test_memory_is_bounded(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-38: a flood of new callers drops the oldest buckets instead of growing for ever."""
    monkeypatch.setattr(rates, "_KEYS_MAX", 100)
    for number in range(500):
        clock.now_s += 0.001
        rate_check("group", f"caller {number}")
    assert len(rates._buckets) <= 100
    assert ("group", "caller 499") in rates._buckets
