"""The market over REST: contract.md, HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from kernel.clock import parse_rfc3339, rfc3339
from kernel.http.rates import rates_reset
from quotes import api
from quotes.services import symbol_halt, symbol_payout_set
from tests.quotes.market import Market, code_new, database_now_ms

pytestmark = pytest.mark.django_db

CONTRACT_FIELDS = {
    *("code", "name", "asset_class", "feed", "state", "state_reason", "next_open", "session_ends", "payout_percent"),
    *("break_even_percent", "min_stake", "max_stake", "min_duration_s", "max_duration_s", "price_scale"),
    *("price_source", "max_tick_age_ms", "entry_rule", "settlement_rule", "last_tick"),
}


@pytest.fixture(autouse=True)
def _fresh_rates() -> None:
    rates_reset()


def get(client: Client, path: str, status: int = 200, /, **query: Any) -> dict[str, Any]:
    """Return the JSON of an answer with the expected status."""
    response = client.get(f"/api/v1/{path}", query)
    assert response.status_code == status, response.content
    expected = "application/json" if status == 200 else "application/problem+json"
    assert response["Content-Type"] == expected
    document: dict[str, Any] = response.json()
    return document


def test_a_symbol_shows_every_field_of_the_contract(client: Client) -> None:
    market = Market(price_scale=5, payout=85, min_stake_minor=150, max_stake_minor=500_000)
    tick = market.admit("1.08512")[-1]

    shown = get(client, f"symbols/{market.code}")

    assert set(shown) >= CONTRACT_FIELDS
    assert (shown["exposure_cap"], shown["purchase_deadline_s"]) == (None, 10)
    assert shown["state"] == "open"
    assert shown["state_reason"] is None
    assert shown["min_stake"] == "1.50"
    assert shown["max_stake"] == "5000.00"
    assert shown["break_even_percent"] == 54.1
    assert shown["last_tick"] == {"seq": 1, "at": rfc3339(tick.at_ms), "price": "1.08512"}
    assert shown["feed_custom"] is True
    assert shown in get(client, "symbols")["data"]


def test_a_symbol_without_a_tick_has_no_last_tick_and_is_stale(client: Client) -> None:
    market = Market()

    shown = get(client, f"symbols/{market.code}")

    assert shown["last_tick"] is None
    assert shown["state"] == "stale"
    assert shown["state_reason"]


def test_a_halted_symbol_says_so_with_the_operator_s_reason(client: Client) -> None:
    market = Market()
    market.admit("1.1")
    symbol_halt(code=market.code, reason="Exchange outage")

    shown = get(client, f"symbols/{market.code}")

    assert (shown["state"], shown["state_reason"]) == ("halted", "Exchange outage")


@pytest.mark.parametrize(
    ("feed", "endpoint", "custom"), [("binance", "", False), ("binance", "ws://here", True), ("simulator", "", True)]
)
def test_custom_feeds_are_told_in_the_public_terms(client: Client, feed: str, endpoint: str, custom: bool) -> None:
    """Rules 1, custom feeds."""
    market = Market(feed=feed, endpoint=endpoint)

    assert get(client, f"symbols/{market.code}")["feed_custom"] is custom


@pytest.mark.parametrize("payout", range(50, 99))
def test_break_even_is_100_over_100_plus_payout_with_one_decimal(payout: int) -> None:
    assert api.break_even_percent(payout) == pytest.approx(10_000 / (100 + payout), abs=0.0501)
    assert round(api.break_even_percent(payout) * 10) / 10 == api.break_even_percent(payout)


@pytest.mark.parametrize("path", ["", "/ticks", "/candles", "/payouts"])
@pytest.mark.parametrize("code", ["NOPE", "eurusd", "%00", "A" * 40, "%F0%9F%92%A5"])
def test_an_unknown_symbol_is_404(client: Client, code: str, path: str) -> None:
    assert get(client, f"symbols/{code}{path}", 404)["code"] == "symbol.unknown"


def test_bid_and_ask_are_shown_as_the_feed_sent_them(client: Client) -> None:
    """Contract: digits are kept, trailing zeros included; the price is the mid, half-even at the scale."""
    market = Market(price_scale=2)
    market.admit(("1.1000", "1.130"), ("1.110", "1.14000000"))

    ticks = get(client, f"symbols/{market.code}/ticks")["data"]

    assert [(tick["bid"], tick["ask"], tick["price"]) for tick in ticks] == [
        ("1.1000", "1.130", "1.12"),
        ("1.110", "1.14000000", "1.12"),
    ]
    assert set(ticks[0]) == {"seq", "at", "received_at", "bid", "ask", "price"}


def test_ticks_are_ascending_from_inclusive_to_exclusive(client: Client) -> None:
    market = Market()
    admitted = market.admit("1.1", "1.11", "1.12")

    def seqs(**query: str) -> list[int]:
        return [tick["seq"] for tick in get(client, f"symbols/{market.code}/ticks", **query)["data"]]

    first, second, third = (rfc3339(tick.at_ms) for tick in admitted)
    assert seqs() == [1, 2, 3]
    assert seqs(**{"from": first, "to": third}) == [1, 2]
    assert seqs(**{"from": second}) == [2, 3]
    assert seqs(to=second) == [1]
    assert seqs(**{"from": second, "to": second}) == []


def test_equal_times_are_ordered_by_arrival(client: Client) -> None:
    """Rules 1, admission."""
    market = Market(price_scale=2)
    at_ms = database_now_ms()
    market.admit("1.10", "1.12", "1.11", at_ms=at_ms, apart_ms=0)

    ticks = get(client, f"symbols/{market.code}/ticks")["data"]

    assert [(tick["seq"], tick["at"], tick["price"]) for tick in ticks] == [
        (1, rfc3339(at_ms), "1.10"),
        (2, rfc3339(at_ms), "1.12"),
        (3, rfc3339(at_ms), "1.11"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-01-01T00:00:00"},
        {"to": "1767225600000"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00.001Z"},
        {"from": "2026-01-01T00:00:01Z", "to": "2026-01-01T00:00:00Z"},
        {"since": "2026-01-01T00:00:00Z"},
        {"limit": "10"},
    ],
)
def test_a_bad_range_of_ticks_is_400(client: Client, query: dict[str, str]) -> None:
    market = Market()

    assert get(client, f"symbols/{market.code}/ticks", 400, **query)["code"] == "request.invalid"


def test_an_old_from_without_to_is_answered_for_the_hour_after_it(client: Client) -> None:
    """API guide: an open range ends at the newest tick, or an hour after ``from`` where that is earlier."""
    market = Market()

    assert get(client, f"symbols/{market.code}/ticks", **{"from": "2026-01-01T00:00:00Z"})["data"] == []


def test_more_ticks_than_the_bound_are_refused_not_cut(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TICKS_MAX", 2)
    market = Market()
    market.admit("1.1", "1.11")
    get(client, f"symbols/{market.code}/ticks")
    market.admit("1.12")

    assert get(client, f"symbols/{market.code}/ticks", 400)["code"] == "request.invalid"


def test_candles_are_made_of_the_ticks_and_empty_intervals_are_left_out(client: Client) -> None:
    market = Market(price_scale=2)
    start_ms = (database_now_ms() // 5_000 - 1) * 5_000
    for offset_ms, price in [(0, "10.00"), (4_999, "10.30"), (5_000, "10.10")]:
        market.admit(price, at_ms=start_ms - 20_000 + offset_ms)
    market.admit("10.20", at_ms=start_ms)

    candles = get(client, f"symbols/{market.code}/candles", interval="5s")["data"]

    assert candles == [
        {
            "start": rfc3339(start_ms - 20_000),
            "open": "10.00",
            "high": "10.30",
            "low": "10.00",
            "close": "10.30",
            "ticks": 2,
            "closed": True,
        },
        {
            "start": rfc3339(start_ms - 15_000),
            "open": "10.10",
            "high": "10.10",
            "low": "10.10",
            "close": "10.10",
            "ticks": 1,
            "closed": True,
        },
        {
            "start": rfc3339(start_ms),
            "open": "10.20",
            "high": "10.20",
            "low": "10.20",
            "close": "10.20",
            "ticks": 1,
            "closed": False,
        },
    ]


def test_a_silent_market_s_candle_closes_with_the_watermark(client: Client) -> None:
    """Rules 1: what lies behind the watermark cannot change."""
    market = Market()
    start_ms = (database_now_ms() // 1_000 - 10) * 1_000
    market.admit("1.1", at_ms=start_ms)
    assert [candle["closed"] for candle in get(client, f"symbols/{market.code}/candles", interval="1s")["data"]] == [
        False
    ]

    market.beat()

    assert [candle["closed"] for candle in get(client, f"symbols/{market.code}/candles", interval="1s")["data"]] == [
        True
    ]


def test_candles_filter_by_start(client: Client) -> None:
    market = Market()
    start_ms = (database_now_ms() // 1_000 - 20) * 1_000
    for second in range(4):
        market.admit("1.1", at_ms=start_ms + 1_000 * second + 500)

    shown = get(
        client,
        f"symbols/{market.code}/candles",
        **{"interval": "1s", "from": rfc3339(start_ms + 1_000), "to": rfc3339(start_ms + 3_000)},
    )["data"]

    assert [parse_rfc3339(candle["start"]) for candle in shown] == [start_ms + 1_000, start_ms + 2_000]


@pytest.mark.parametrize(
    "query",
    [
        {"interval": "2s"},
        {"interval": "60"},
        {"interval": ""},
        {"interval": "1s", "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:23:20.001Z"},
        {"interval": "1m", "from": "nonsense"},
        {"interval": "1m", "limit": "5"},
    ],
)
def test_a_bad_request_for_candles_is_400(client: Client, query: dict[str, str]) -> None:
    market = Market()

    assert get(client, f"symbols/{market.code}/candles", 400, **query)["code"] == "request.invalid"


def test_a_payout_s_history_is_public_and_pages_newest_first(client: Client) -> None:
    market = Market(payout=85)
    for percent in (84, 83, 82):
        symbol_payout_set(code=market.code, percent=percent, inputs={"orders": percent})

    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(4):
        page = get(client, f"symbols/{market.code}/payouts", limit="1", **cursor)
        seen += page["data"]
        cursor = {"cursor": page["next_cursor"] or ""}

    assert [change["percent"] for change in seen] == [82, 83, 84, 85]
    assert seen[0]["inputs"] == {"orders": 82}
    assert cursor == {"cursor": ""}
    assert get(client, f"symbols/{market.code}/payouts", 400, cursor="x")["code"] == "request.invalid"


def test_reading_is_limited_by_address_and_told_in_headers(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"reads": (1, 60, 2)}

    answers = [client.get("/api/v1/symbols") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0]["RateLimit-Policy"].startswith('"reads"')
    assert answers[2]["Retry-After"]
    assert answers[2].json()["code"] == "rate.limited"
    assert client.get("/api/v1/symbols", REMOTE_ADDR="127.0.0.2").status_code == 200


def test_a_wrong_method_is_405(client: Client) -> None:
    assert client.post("/api/v1/symbols").status_code == 405


def test_an_unknown_parameter_is_400(client: Client) -> None:
    assert get(client, "symbols", 400, state="open")["code"] == "request.invalid"
    assert get(client, f"symbols/{code_new()}", 400, x="1")["code"] == "request.invalid"


@pytest.mark.parametrize("path", ["", "/ticks", "/candles", "/payouts"])
def test_reads_take_one_or_two_statements(client: Client, django_assert_max_num_queries: Any, path: str) -> None:
    market = Market()
    market.admit("1.1", "1.11")

    with django_assert_max_num_queries(2):
        get(client, f"symbols/{market.code}{path}")


def test_the_exposure_cap_is_public(client: Client) -> None:
    """Rules 2: the answers to sharp clients are all public and equal, the caps among them."""
    market = Market(exposure_cap_minor=500_000)
    assert get(client, f"symbols/{market.code}")["exposure_cap"] == "5000.00"
