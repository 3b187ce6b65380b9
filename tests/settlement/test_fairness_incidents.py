"""Halts, emergency revisions and feed gaps in one public list (issue: incidents)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from kernel.clock import rfc3339
from quotes.models import FeedGap, HaltChange, Incident, SymbolRevision
from quotes.services import symbol_halt, symbol_resume
from tests.market import Market, market_open

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/fairness/incidents"
AT_MS = 1_800_000_000_000


def told(**query: Any) -> dict[str, Any]:
    answer = Client().get(ADDRESS, {name.rstrip("_"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def market() -> Market:
    return market_open()


def gap(market: Market, from_ms: int, to_ms: int | None, kind: str = "no_tick") -> None:
    FeedGap.objects.create(symbol=market.symbol, kind=kind, from_ms=from_ms, to_ms=to_ms, limit_ms=3_000)


def revised(market: Market, at_ms: int) -> None:
    revision = SymbolRevision.objects.create(
        symbol=market.symbol, number=2, feed="script", source="OTHER", price_scale=5, price_source="mid"
    )
    Incident.objects.create(
        revision=revision, symbol=market.symbol, at_ms=at_ms, reason="a wrong symbol", orders=3, figures={}
    )


def test_nothing_yet_is_an_empty_list() -> None:
    """Contract, Lists: an empty page."""
    assert told() == {"data": [], "next_cursor": None}


def test_an_operators_acts_have_reason_begin_and_end(market: Market) -> None:
    """Incidents: a halt lasts until the next act on the same symbol, whatever happens to others."""
    symbol_halt(code=market.code, reason="a wrong price")
    market_open("GBPUSD")
    symbol_halt(code="GBPUSD", reason="thin", close_only=True)
    assert [(one["kind"], one["ended_at"]) for one in told()["data"]] == [("close_only", None), ("halted", None)]
    symbol_resume(code=market.code)
    (halt,) = told(kind="halted")["data"]
    began, ended = HaltChange.objects.filter(symbol=market.symbol).order_by("id")
    assert halt == {
        "kind": "halted", "symbol": "EURUSD", "began_at": rfc3339(began.at_ms), "ended_at": rfc3339(ended.at_ms),
        "reason": "a wrong price", "limit_ms": None, "orders": None,
    }  # fmt: skip


def test_all_kinds_stand_in_one_list_newest_first(market: Market) -> None:
    """Incidents: each with what belongs to its kind."""
    gap(market, AT_MS, AT_MS + 10)
    gap(market, AT_MS + 1, None, "silent")
    revised(market, AT_MS + 2)
    HaltChange.objects.create(symbol=market.symbol, at_ms=AT_MS + 3, state="halted", reason="x")
    found = told()["data"]
    assert [one["kind"] for one in found] == ["halted", "revision", "silent", "no_tick"]
    assert found[1] == {
        "kind": "revision", "symbol": "EURUSD", "began_at": rfc3339(AT_MS + 2), "ended_at": rfc3339(AT_MS + 2),
        "reason": "a wrong symbol", "limit_ms": None, "orders": 3,
    }  # fmt: skip
    assert (found[2]["ended_at"], found[2]["limit_ms"], found[2]["reason"]) == (None, 3_000, None)


def test_filters_narrow_the_list(market: Market) -> None:
    """Incidents: by kind, by symbol, by the time of their beginning: from inclusive, to exclusive."""
    other = market_open("GBPUSD")
    for number in range(3):
        gap(market, AT_MS + number, None)
    gap(other, AT_MS, None, "silent")
    assert len(told(symbol="EURUSD")["data"]) == 3
    assert len(told(kind="silent")["data"]) == 1
    assert told(symbol="EURUSD", kind="silent")["data"] == []
    assert told(symbol="NOPE")["data"] == []
    within = told(from_=rfc3339(AT_MS + 1), to=rfc3339(AT_MS + 2))["data"]
    assert [one["began_at"] for one in within] == [rfc3339(AT_MS + 1)]


def test_pages_follow_each_other(market: Market) -> None:
    """Contract, Lists: over all kinds, of one millisecond too, without a gap or a repeat."""
    for number in range(4):
        gap(market, AT_MS + number // 2, None, ("no_tick", "silent")[number % 2])
        HaltChange.objects.create(symbol=market.symbol, at_ms=AT_MS + number // 2, state="halted", reason="x")
    revised(market, AT_MS)
    whole, seen, cursor = told()["data"], [], None
    while True:
        page = told(limit=2) if cursor is None else told(limit=2, cursor=cursor)
        seen += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert len(whole) == 9


@pytest.mark.parametrize(
    ("query", "field"),
    [("kind=outage", "kind"), ("from=today", "from"), ("cursor=x", "cursor"), ("limit=0", "limit"), ("day=1", "day")],
)
def test_what_has_another_shape_is_refused(query: str, field: str) -> None:
    """Contract, Errors: 400 with the field that is wrong."""
    answer = Client().get(f"{ADDRESS}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
