"""What the soak reads from the database at its end: lags, outages, and the verdict on them (make soak)."""

from __future__ import annotations

from typing import Any

import pytest

from bench.soak import measures
from bench.soak.findings import distribution, percentile
from bench.soak.measures import Lag, Outage, entry_lags, outages, parted, settlement_lags
from bench.soak.report import report_text, verdict
from kernel import db
from tests.market import Market, Trader, market_open, order_row, settle_due, trader_open

_RAISE = """
INSERT INTO quotes_watermark_raise (symbol_id, watermark_ms, cause, seq, raised_at_ms)
VALUES (%(symbol)s, %(watermark)s, 2, 1, %(raised)s)"""


@pytest.fixture
def trader(db: None) -> Trader:
    return trader_open()


def _expired(market: Market, trader: Trader) -> str:
    """Place an order for a second and bring a tick behind its expiry."""
    order = trader.place(market, duration_s=1)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms - 10)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 10)
    return order.id


def _raise(market: Market, *, watermark_ms: int, raised_ms: int) -> None:
    db.run(_RAISE, {"symbol": market.id, "watermark": watermark_ms, "raised": raised_ms})


def test_the_settlement_lag_counts_from_the_first_raise_that_reached_the_expiry(trader: Trader) -> None:
    """Issue 3: lag = settled_at - the instant of the first watermark raise that reached the expiry."""
    market, other = market_open(), market_open("GBPUSD")
    order = order_row(trader.place(market, duration_s=1))
    before, first, second = (order.accepted_at_ms + offset for offset in (10, 20, 30))
    _raise(market, watermark_ms=order.expires_at_ms - 1, raised_ms=before)
    _raise(other, watermark_ms=order.expires_at_ms, raised_ms=before)
    _raise(market, watermark_ms=order.expires_at_ms, raised_ms=first)
    _raise(market, watermark_ms=order.expires_at_ms + 5, raised_ms=second)
    market.admitted("1.08600", at_ms=order.expires_at_ms - 10)
    market.admitted("1.08600", at_ms=order.expires_at_ms + 100)
    settle_due()

    lags = settlement_lags()

    settled_ms = order_row(str(order.id)).settled_at_ms
    assert settled_ms is not None
    assert lags == [Lag(first, settled_ms - first)]


def test_an_order_that_never_entered_was_due_at_its_time_limit(trader: Trader) -> None:
    """Rules 3: without an entry tick the order is decided when the watermark reaches its time limit, not its expiry."""
    market = market_open(entry_rule="next_tick/1")
    order = order_row(trader.place(market, duration_s=60))
    assert order.entry_until_ms is not None
    market.admitted("1.08600", at_ms=order.entry_until_ms + 100)
    settle_due()

    lags = settlement_lags()

    assert order_row(str(order.id)).reason == "no_entry_tick"
    assert len(lags) == 1
    assert entry_lags() == []


def test_the_entry_lag_counts_from_the_arrival_of_the_next_tick(trader: Trader) -> None:
    """Issue 3: entry lag = entered_at - received_at of the entry tick."""
    market = market_open(entry_rule="next_tick/1")
    order = order_row(trader.place(market, duration_s=60))
    at_ms = order.accepted_at_ms + 40
    market.admitted("1.08600", at_ms=at_ms)
    settle_due()

    entered_ms = order_row(str(order.id)).entered_at_ms
    assert entered_ms is not None
    assert entry_lags() == [Lag(at_ms, entered_ms - at_ms)]


def test_an_outage_lasts_until_the_successor_settles(trader: Trader) -> None:
    """Contract: what dies is restarted; orders that fell due meanwhile are told apart, and only those."""
    order = order_row(_expired(market_open(), trader))
    settle_due()
    settled_ms = order_row(str(order.id)).settled_at_ms
    assert settled_ms is not None
    killed_ms = settled_ms - 5_000

    (outage,) = outages([killed_ms], before_ms=1_000, interval_ms=1_000)

    assert outage == Outage(killed_ms - 1_000, settled_ms + 1_000)
    served, unserved = parted([Lag(killed_ms - 1_001, 7), Lag(killed_ms, 4_000), Lag(settled_ms + 1_001, 9)], [outage])
    assert (served, unserved) == ([7.0, 9.0], [4000.0])


def test_a_successor_that_never_settles_is_an_outage_without_end(trader: Trader) -> None:
    """Contract: a runtime that dies is restarted within 30 s; one that is not turns the soak red."""
    (outage,) = outages([1_000], before_ms=0, interval_ms=0)

    problems = verdict(_document(outages_ms=[outage.length_ms]))

    assert len(problems) == 1
    assert "stood still" in problems[0]


def test_what_ended_is_counted_by_state_and_reason(trader: Trader) -> None:
    """Issue 3: the report tells orders settled by state and reason, and finds every order that is there."""
    market = market_open()
    won = _expired(market, trader)
    settle_due()
    waiting = trader.place(market, duration_s=60).id

    assert measures.ends() == {"won": 1, "open": 1}
    assert measures.order_ids() == {str(won), str(waiting)}
    assert measures.open_orders() == 1
    assert measures.told_twice() == 0
    assert measures.rules() == {"last_tick/1 last_tick/1": 2}


def test_events_that_tell_a_settlement_twice_are_found(trader: Trader) -> None:
    """I-29: each settlement is told by one event."""
    _expired(market_open(), trader)
    settle_due()
    db.run(
        "INSERT INTO realtime_event (user_id, seq, book, type, version, payload, at_ms)"
        " SELECT user_id, seq + 100, book, type, version, payload, at_ms FROM realtime_event"
        " WHERE type = 'order.settled'"
    )

    assert measures.told_twice() == 1


def test_percentiles_are_values_that_were_seen() -> None:
    """The nearest rank: one slow order in a hundred is not hidden by the 99th percentile's neighbour."""
    values = [float(number) for number in range(1, 101)]

    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([], 99) == 0
    assert distribution([3.0, 1.0, 2.0]) == {"count": 3, "p50": 2.0, "p95": 3.0, "p99": 3.0, "max": 3.0}


def test_a_run_that_holds_has_no_problem_and_shows_its_figures() -> None:
    """Issue 3: the report is a plain table."""
    document = _document()
    document["problems"] = verdict(document)

    text = report_text(document)

    assert document["problems"] == []
    assert "the soak holds" in text
    assert "422 market.halted" in text
    assert "checked 1, differences 0, unavailable 0" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"violations": ["two orders of one id"]}, "two orders of one id"),
        ({"violations_more": 3}, "3 more violations"),
        ({"lags_ms": {"settlement lag": distribution([2_001.0]), "entry lag": distribution([1.0])}}, "settlement lag"),
        ({"lags_ms": {"settlement lag": distribution([1.0]), "entry lag": distribution([2_001.0])}}, "entry lag"),
        ({"lags_ms": {"settlement lag": distribution([]), "entry lag": distribution([])}}, "no order was settled"),
        ({"still_open": 1}, "still open"),
        ({"facts_waiting": 1}, "not applied"),
        ({"outages_ms": [30_001]}, "stood still"),
        ({"checks": {"resettle --check": {"code": 1, "said": "differences 1", "seconds": 1}}}, "differences 1"),
    ],
)
def test_each_violation_turns_a_run_red(change: dict[str, Any], said: str) -> None:
    """Issue 3: exit code 1 on any violation, a lag above the loop's interval + 1 s at the 99th percentile included."""
    document = _document(**change)
    document["problems"] = verdict(document)

    assert len(document["problems"]) == 1
    assert said in document["problems"][0]
    assert "the soak holds" not in report_text(document)


def _document(**changes: Any) -> dict[str, Any]:
    sections = (
        "orders_asked",
        "orders_ended",
        "orders_by_rules",
        "operators",
        "upstream",
        "ticks",
        "memory_mb",
        "other",
    )
    return {
        **{section: {"one": 1} for section in sections},
        "memory_mb": {"web": [90.0, 110.0, 100.0]},
        "answers": {"201": 1, "422 market.halted": 1},
        "minutes": 1,
        "rate": 50,
        "seed": 7,
        "lags_ms": {"settlement lag": distribution([5.0]), "entry lag": distribution([5.0])},
        "outages_ms": [],
        "still_open": 0,
        "facts_waiting": 0,
        "checks": {"resettle --check": {"code": 0, "said": "checked 1, differences 0, unavailable 0", "seconds": 1}},
        "violations": [],
        "violations_more": 0,
        **changes,
    }
