"""Orders over HTTP (contract; S-02, S-36)."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from accounts.services import user_ban, user_unban
from tests.books import fingerprint, violations
from tests.crowd import at_once
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from tests.trading.tickets import BODY, MALFORMED

pytestmark = pytest.mark.django_db

ORDERS = "/api/v1/orders"


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def _post(client: Client, body: dict[str, Any] | bytes, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    # Django's client would leave the type out where there is no body.
    return client.post(ORDERS, raw, content_type="application/json", headers=headers, CONTENT_TYPE="application/json")


def test_an_order_is_answered_201_and_its_repeat_200(market: Market, trader: Trader) -> None:
    """Contract: 201 with the order, 200 with the same order on a repeat, an Idempotency-Key there is ignored."""
    client = trader.http()
    first = _post(client, BODY)
    again = _post(client, BODY, **{"Idempotency-Key": "whatever"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in again.headers
    assert first.json() == {
        "id": first.json()["id"],
        "client_order_id": "a1",
        "ledger": "demo",
        "wallet_id": str(trader.wallets["demo"]),
        "symbol": "EURUSD",
        "direction": "up",
        "stake": "10.00",
        "payout_percent": 85,
        "entry_rule": "last_tick/1",
        "settlement_rule": "last_tick/1",
        "state": "open",
        "accepted_at": first.json()["accepted_at"],
        "entered_at": first.json()["accepted_at"],
        "open_price": "1.08512",
        "open_tick": {"seq": 1, "at": first.json()["open_tick"]["at"], "price": "1.08512"},
        "expires_at": first.json()["expires_at"],
        "close_price": None,
        "close_tick": None,
        "settled_at": None,
        "payout": None,
        "profit": None,
        "reason": None,
        "source": "api",
        "balance_after": "9990.00",
    }


def test_answers_carry_request_id_and_rate_limits(market: Market, trader: Trader) -> None:
    """Contract: X-Request-ID on every response; RateLimit and RateLimit-Policy on orders, refusals included."""
    client = trader.http()
    for body in (BODY, BODY | {"symbol": "NOPE", "client_order_id": "a2"}, b"not json"):
        answer = _post(client, body)
        assert UUID(answer.headers["X-Request-ID"])
        assert answer.headers["RateLimit-Policy"].startswith('"orders";q=')
        assert answer.headers["RateLimit"].startswith('"orders";')


@pytest.mark.parametrize(("name", "body"), MALFORMED, ids=[name for name, _ in MALFORMED])
def test_bad_input_gets_a_problem_document_and_changes_nothing(
    market: Market, trader: Trader, name: str, body: bytes
) -> None:
    """Issue, S-36: 400 ``request.invalid`` with a request id; never 500; nothing changed."""
    before = fingerprint()
    refused = _post(trader.http(), body)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert refused.json()["code"] == "request.invalid"
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
    assert not refused.json()["retryable"]
    assert fingerprint() == before


def test_a_body_of_a_megabyte_is_refused_before_it_is_read(market: Market, trader: Trader) -> None:
    """S-38: huge bodies get a problem document, and nothing has changed."""
    before = fingerprint()
    refused = _post(trader.http(), b'{"padding": "' + b"x" * 1_000_000 + b'"}')
    assert (refused.status_code, refused.json()["code"]) == (413, "request.too_large")
    assert fingerprint() == before


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_only_json_is_taken(market: Market, trader: Trader, content_type: str) -> None:
    """S-12: a form or a text that looks like JSON is not an order."""
    refused = trader.http().post(ORDERS, json.dumps(BODY).encode(), content_type=content_type)
    assert (refused.status_code, refused.json()["code"]) == (415, "media_type.unsupported")


def test_a_rule_refuses_with_its_code(market: Market, trader: Trader) -> None:
    """Contract, refusal codes: 422 by rule, 404 unknown wallet, 400 unknown direction word."""
    client = trader.http()
    for changes, status, code in (
        ({"symbol": "NOPE"}, 422, "symbol.unknown"),
        ({"stake": "10000.01"}, 422, "order.stake.above_maximum"),
        ({"stake": "1.001"}, 422, "order.stake.precision"),
        ({"duration_s": 100_000}, 422, "order.duration.out_of_range"),
        ({"duration_s": 0}, 422, "order.duration.out_of_range"),
        ({"duration_s": -1}, 422, "order.duration.out_of_range"),
        ({"duration_s": 2**63}, 422, "order.duration.out_of_range"),
        ({"direction": "sideways"}, 400, "order.direction.invalid"),
        ({"direction": "up, or perhaps rather down"}, 400, "order.direction.invalid"),
        ({"ledger": "real", "stake": "100.01"}, 422, "wallet.insufficient_funds"),
    ):
        refused = _post(client, BODY | changes)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_who_may_place(market: Market, trader: Trader) -> None:
    """S-01, contract: 401 unknown, 403 scope, 403 another ledger, 404 a foreign wallet."""
    foreign = {name: value for name, value in BODY.items() if name != "ledger"}
    foreign["wallet_id"] = str(trader_open().wallets["demo"])
    bound = trader.http(ledgers=("demo",))
    for client, body, status, code in (
        (Client(), BODY, 401, "auth.required"),
        (Client(headers={"Authorization": "Bearer fs_nobody"}), BODY, 401, "auth.invalid_token"),
        (trader.http(scopes=("read",)), BODY, 403, "auth.scope"),
        (bound, BODY | {"ledger": "real"}, 403, "auth.ledger"),
        (trader.http(), foreign, 404, "wallet.unknown"),
    ):
        refused = _post(client, body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert _post(bound, BODY).status_code == 201


def test_a_session_places_with_its_csrf_token_only(market: Market, trader: Trader) -> None:
    """S-12: a browser's order needs the CSRF token; it is marked ``web``."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(trader.user)
    client.get("/_allauth/browser/v1/config")
    refused = _post(client, BODY)
    placed = _post(client, BODY, **{"X-CSRFToken": client.cookies["csrftoken"].value})
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.csrf")
    assert (placed.status_code, placed.json()["source"]) == (201, "web")


def test_a_ban_suspends_tokens_and_sessions_until_it_is_lifted(market: Market, trader: Trader) -> None:
    """Contract, Auth: banned tokens answer 403 ``account.banned`` and work again after ``unban``."""
    client = trader.http()
    user_ban(email=trader.user.email, reason="fraud", now_ms=db_now_ms())
    refused = _post(client, BODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "account.banned")
    user_unban(email=trader.user.email)
    assert _post(client, BODY).status_code == 201


def test_a_flood_of_orders_is_limited(market: Market, trader: Trader, settings: Any) -> None:
    """Contract: orders 100/s, burst 200 per token: 429 with Retry-After, and nothing changed by it."""
    assert settings.RATE_LIMITS["orders"] == (100, 1, 200)
    # A busy machine sends fewer than a hundred a second: what is spent must not come back meanwhile.
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"orders": (1, 60, 200)}
    client = trader.http()
    answers = [_post(client, b"{}").status_code for _ in range(260)]
    assert answers[:200] == [400] * 200
    assert 429 in answers
    limited = next(answer for answer in iter(lambda: _post(client, b"{}"), None) if answer.status_code == 429)
    assert limited.json()["code"] == "rate.limited"
    assert limited.json()["retryable"]
    assert int(limited.headers["Retry-After"]) >= 1


@pytest.mark.django_db(transaction=True)
def test_32_posts_of_one_order_at_once() -> None:
    """Issue, F-01: one 201, 31 answers of 200 with the same order, one stake."""
    trader = trader_open()
    market_open()
    client = trader.http()
    answers = at_once(32, lambda _: _post(client, BODY))
    assert sorted(answer.status_code for answer in answers) == [200] * 31 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert trader.balance() == 999_000
    assert violations() == {}


# --- lists -----------------------------------------------------------------------------------------


def _history(market: Market, trader: Trader) -> list[str]:
    """Two settled demo orders, one open demo order, one open real order; newest first."""
    settled = [trader.place(market, duration_s=1, client_order_id=f"s{number}") for number in range(2)]
    market.admitted("1.09000", at_ms=order_row(settled[1]).expires_at_ms + 1)
    settle_due()
    open_ones = [
        trader.place(market, client_order_id="d", ledger="demo", duration_s=90),
        trader.place(market, client_order_id="r", ledger="real", duration_s=90),
    ]
    return [order.id for order in reversed(settled + open_ones)]


def _listed(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"{ORDERS}?{query}")
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def test_lists_are_filtered(market: Market, trader: Trader) -> None:
    """Contract: filters by state (settled = all but open), ledger, symbol, client_order_id, accepted_at."""
    real, demo, second, first = _history(market, trader)
    client = trader.http()
    accepted = client.get(f"{ORDERS}/{demo}").json()["accepted_at"]
    assert _listed(client) == [real, demo, second, first]
    assert _listed(client, "state=open") == [real, demo]
    assert _listed(client, "state=settled") == [second, first]
    assert _listed(client, "ledger=real") == [real]
    assert _listed(client, "ledger=tournament") == []
    assert _listed(client, "symbol=EURUSD&state=settled&ledger=demo") == [second, first]
    assert _listed(client, "symbol=GBPUSD") == []
    assert _listed(client, "client_order_id=s0") == [first]
    assert demo in _listed(client, f"from={accepted}")
    assert demo not in _listed(client, f"to={accepted}")
    assert set(_listed(client, f"from={accepted}") + _listed(client, f"to={accepted}")) == {real, demo, second, first}


def test_pages_of_orders_lose_and_repeat_nothing(market: Market, trader: Trader) -> None:
    """Contract, Lists: newest first by (time, id), also where several were accepted in one millisecond."""
    placed = [trader.place(market, stake="1.00").id for _ in range(7)]
    client, seen, cursor = trader.http(), list[str](), ""
    while True:
        page = client.get(f"{ORDERS}?limit=2{cursor}").json()
        seen += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(placed)
    assert seen == _listed(client)


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        "state=pending",
        "ledger=margin",
        "from=yesterday",
        "to=2026-01-31",
        "limit=0",
        "limit=501",
        "limit=1000000",
        "cursor=xyz",
        f"cursor={_cursor('1/5')}",
        f"cursor={_cursor('1/99999999999999999999')}",
        "unknown=1",
        "state=open&state=settled",
        "from=9999-12-31T23:59:59-23:59",
        "symbol=%00",
        "client_order_id=%00",
        "symbol=EUR%ED%A0%80",
    ],
)
def test_a_query_of_wrong_shape_is_no_failure_of_ours(trader: Trader, query: str) -> None:
    """S-36, S-38: 400 with a problem document or an empty list, never 500."""
    answer = trader.http().get(f"{ORDERS}?{query}")
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert answer.json()["code"] == "request.invalid"
    else:
        assert answer.json()["data"] == []


def test_orders_of_others_are_not_there(market: Market, trader: Trader) -> None:
    """S-02: another's order is 404, and no list shows it."""
    order, other = trader.place(market), trader_open().http()
    foreign, missing = other.get(f"{ORDERS}/{order.id}"), other.get(f"{ORDERS}/{UUID(int=404)}")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
    assert foreign.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    assert _listed(other) == _listed(other, f"client_order_id={order.client_order_id}") == []


def test_a_token_bound_to_a_ledger_sees_only_its_orders(market: Market, trader: Trader) -> None:
    """Contract, Auth: a bound token sees only its ledgers' orders; asking for another ledger is 403."""
    demo, real = trader.place(market, ledger="demo"), trader.place(market, ledger="real")
    client = trader.http(ledgers=("demo",))
    assert _listed(client) == [demo.id]
    assert client.get(f"{ORDERS}/{real.id}").status_code == 404
    refused = client.get(f"{ORDERS}?ledger=real")
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.ledger")


def test_one_order_is_shown_as_it_is_now(market: Market, trader: Trader) -> None:
    """Contract: a settled order has close tick, payout, profit, settled_at; profit = payout - stake."""
    order = trader.place(market, duration_s=1)
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08700", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    shown = trader.http().get(f"{ORDERS}/{order.id}").json()
    assert (shown["state"], shown["payout"], shown["profit"]) == ("won", "18.50", "8.50")
    assert shown["close_price"] == shown["close_tick"]["price"] == "1.08600"
    assert (shown["close_tick"]["seq"], shown["reason"], shown["balance_after"]) == (2, None, "10008.50")
    assert shown["settled_at"] is not None


def test_the_short_way_answers_as_the_long_way_does(market: Market, trader: Trader) -> None:
    """S-11: a program's order, accepted or refused, has the headers of every answer, its length and its id."""
    program = trader.http()
    for body, status in ((BODY | {"symbol": market.code}, 201), (b"{", 400)):
        answer = _post(program, body)

        assert answer.status_code == status
        assert answer["Content-Length"] == str(len(answer.content))
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Request-ID"]


def test_the_short_way_refuses_a_strange_host(market: Market, trader: Trader) -> None:
    """S-11: hosts that are not ours are refused for programs, too."""
    assert _post(trader.http(), BODY | {"symbol": market.code}, Host="elsewhere.example").status_code == 400
