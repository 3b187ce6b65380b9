"""Wallets, refills and statements over HTTP (contract)."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from ledger.selectors import statement
from ledger.services import balance_adjust
from tests.books import violations
from tests.crowd import at_once
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from tests.support import eventually

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def _refill(client: Client, wallet: UUID, key: str | None = "k1", body: bytes = b"{}") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/v1/wallets/{wallet}/refill", body, content_type="application/json", headers=headers)


def test_wallets_are_shown_as_the_contract_says(trader: Trader) -> None:
    """Contract: ``id, ledger, kind, tournament_id, currency, balance, open_stakes, state``."""
    market = market_open()
    trader.place(market, ledger="real", stake="12.34")
    document = trader.http().get("/api/v1/wallets").json()
    assert document["next_cursor"] is None
    assert {row["ledger"]: row for row in document["data"]}["real"] == {
        "id": str(trader.wallets["real"]),
        "ledger": "real",
        "kind": "wallet",
        "tournament_id": None,
        "currency": "USD",
        "balance": "87.66",
        "open_stakes": "12.34",
        "state": "open",
    }


def test_a_token_bound_to_a_ledger_sees_only_its_wallets(trader: Trader) -> None:
    """Contract, Auth: a token bound to ledgers sees only their wallets."""
    client = trader.http(ledgers=("demo",))
    assert [row["ledger"] for row in client.get("/api/v1/wallets").json()["data"]] == ["demo"]
    refused = client.get(f"/api/v1/wallets/{trader.wallets['real']}/entries")
    assert (refused.status_code, refused.json()["code"]) == (404, "wallet.unknown")


def test_a_refill_is_answered_with_the_wallet_and_repeated_byte_for_byte(trader: Trader) -> None:
    """Contract, Idempotency: a money POST answers a repeat byte for byte, marked as replayed."""
    client = trader.http()
    first = _refill(client, trader.wallets["demo"])
    again = _refill(client, trader.wallets["demo"])
    assert (first.status_code, first.json()["balance"]) == (200, "10000.00")
    assert again.content == first.content
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert first.headers["X-Request-ID"] != again.headers["X-Request-ID"]


def test_a_refill_needs_a_key_an_empty_object_and_the_trade_scope(trader: Trader) -> None:
    """Contract: ``{}``; 400 without a key, 422 for another body under a known key, 403 without the scope."""
    client, wallet = trader.http(), trader.wallets["demo"]
    assert _refill(client, wallet, key=None).json()["code"] == "idempotency.key_required"
    for body in (b'{"amount": "5.00"}', b"[]", b"null", b"not json", b'{"a":1,"a":1}', b"\xff"):
        refused = _refill(client, wallet, key="malformed", body=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid"), body
    assert _refill(client, wallet, key="malformed").status_code == 200
    mismatch = _refill(client, wallet, key="malformed", body=b"{ }")
    assert (mismatch.status_code, mismatch.json()["code"]) == (422, "idempotency.body_mismatch")
    reader = trader.http(scopes=("read",))
    assert (_refill(reader, wallet).status_code, _refill(reader, wallet).json()["code"]) == (403, "auth.scope")


def test_final_refusals_are_stored(trader: Trader) -> None:
    """I-24: a refusal that is final stays the answer to its key, also when the reason is gone."""
    client, other = trader.http(), trader_open()
    real = _refill(client, trader.wallets["real"], "real")
    foreign = _refill(client, other.wallets["demo"], "foreign")
    assert (real.status_code, real.json()["code"]) == (409, "wallet.not_demo")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "wallet.unknown")
    assert _refill(client, trader.wallets["real"], "real").content == real.content
    assert _refill(client, other.wallets["demo"], "foreign").headers["Idempotent-Replayed"] == "true"


def test_a_refill_while_orders_are_open_is_refused(trader: Trader) -> None:
    """Contract: 409 ``wallet.open_orders``; nothing has changed."""
    trader.place(market_open())
    refused = _refill(trader.http(), trader.wallets["demo"])
    assert (refused.status_code, refused.json()["code"]) == (409, "wallet.open_orders")
    assert (trader.balance(), violations()) == (999_000, {})


@pytest.mark.django_db(transaction=True)
def test_32_refills_of_one_key_at_once_are_one_transfer() -> None:
    """I-23: one key, one effect, one answer, over HTTP."""
    trader, market = trader_open(), market_open()
    _lose(trader, market)
    # Two tokens, since a token's burst of writes is smaller than the storm.
    clients = [trader.http(), trader.http()]
    answers = at_once(32, lambda number: _refill(clients[number % 2], trader.wallets["demo"]))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    entries = statement(account_id=trader.wallets["demo"], before_no=None, limit=10)
    assert [entry.family for entry in entries] == ["demo.refill", "order.stake", "demo.grant"]
    assert violations() == {}


def _lose(trader: Trader, market: Market) -> None:
    order = trader.place(market)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms + 1)
    assert settle_due() == 1


def test_a_statement_pages_to_its_end(trader: Trader) -> None:
    """Contract: ``no, at, kind, amount (signed), balance_after, reference``; newest first, no gap between pages."""
    for amount in (1_00, -50, 2_00, -25, 3_00):
        balance_adjust(wallet_id=trader.wallets["real"], amount=amount, reason="page")
    client, rows, cursor = trader.http(), list[dict[str, Any]](), ""
    while True:
        page = client.get(f"/api/v1/wallets/{trader.wallets['real']}/entries?limit=2{cursor}").json()
        rows += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [row["no"] for row in rows] == [6, 5, 4, 3, 2, 1]
    assert [row["amount"] for row in rows] == ["3.00", "-0.25", "2.00", "-0.50", "1.00", "100.00"]
    assert rows[0]["balance_after"] == "105.25"
    assert set(rows[0]) >= {"no", "at", "kind", "amount", "balance_after", "reference"}


def test_what_is_not_yours_is_not_there(trader: Trader) -> None:
    """S-02, contract: 404 for another's wallet, the same as for one that does not exist."""
    other, client = trader_open(), trader.http()
    foreign = client.get(f"/api/v1/wallets/{other.wallets['real']}/entries")
    missing = client.get(f"/api/v1/wallets/{UUID(int=404)}/entries")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "wallet.unknown")
    assert foreign.json() | {"request_id": ""} == missing.json() | {"request_id": ""}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=1e3", "cursor=xyz", "cursor=%00", "unknown=1", "limit=1&limit=2"]
)
def test_a_query_of_wrong_shape_is_refused(trader: Trader, query: str) -> None:
    """S-36: 400 with the field, never 500."""
    refused = trader.http().get(f"/api/v1/wallets/{trader.wallets['real']}/entries?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid")


def test_nobody_is_let_in_unknown() -> None:
    """S-01: 401 without credentials."""
    refused = Client().get("/api/v1/wallets")
    assert (refused.status_code, refused.json()["code"]) == (401, "auth.required")


def _passed(at_ms: int) -> bool:
    return db_now_ms() > at_ms


def test_a_period_adds_up_and_is_the_run_of_its_entries(trader: Trader) -> None:
    """Opening + sums = closing; ``from`` inclusive, ``to`` exclusive; the list of a period has the same entries."""
    wallet, client = trader.wallets["real"], trader.http()
    for amount in (1_00, -50, 2_00):
        balance_adjust(wallet_id=wallet, amount=amount, reason="period")
        eventually(partial(_passed, db_now_ms()), within_s=5, every_s=0.001)
    rows = client.get(f"/api/v1/wallets/{wallet}/entries").json()["data"]
    assert [row["no"] for row in rows] == [4, 3, 2, 1]
    whole = client.get(f"/api/v1/wallets/{wallet}/period").json()
    assert (whole["from"], whole["to"], whole["opening"], whole["closing"], whole["entries"]) == (
        None,
        None,
        "0.00",
        "102.50",
        4,
    )
    span = f"from={rows[2]['at']}&to={rows[0]['at']}"
    part = client.get(f"/api/v1/wallets/{wallet}/period?{span}").json()
    assert (part["opening"], part["closing"], part["entries"]) == ("100.00", "100.50", 2)
    assert {each["kind"] for each in part["sums"]} == {"adjustment"}
    assert sorted(each["amount"] for each in part["sums"]) == ["-0.50", "1.00"]
    listed = client.get(f"/api/v1/wallets/{wallet}/entries?{span}&limit=1").json()
    assert [row["no"] for row in listed["data"]] == [3]
    following = client.get(f"/api/v1/wallets/{wallet}/entries?{span}&limit=1&cursor={listed['next_cursor']}").json()
    assert ([row["no"] for row in following["data"]], following["next_cursor"]) == ([2], None)
    for empty, balance in (("to=2020-01-01T00:00:00Z", "0.00"), ("from=2099-01-01T00:00:00Z", "102.50")):
        nothing = client.get(f"/api/v1/wallets/{wallet}/period?{empty}").json()
        assert (nothing["opening"], nothing["closing"], nothing["entries"]) == (balance, balance, 0)
        assert client.get(f"/api/v1/wallets/{wallet}/entries?{empty}").json()["data"] == []


def test_the_entries_of_one_order(trader: Trader) -> None:
    """``reference`` names an order: its stake and what came back, with the balance after each."""
    market = market_open()
    _lose(trader, market)
    order = trader.place(market)
    client, address = trader.http(), f"/api/v1/wallets/{trader.wallets['demo']}/entries"
    rows = client.get(f"{address}?reference={order.id}").json()["data"]
    assert [(row["kind"], row["amount"], row["balance_after"]) for row in rows] == [
        ("order.stake", "-10.00", "9980.00")
    ]
    assert client.get(f"{address}?reference={UUID(int=404)}").json() == {"data": [], "next_cursor": None}
    for wrong in ("reference=x", f"reference={order.id}&to=2099-01-01T00:00:00Z", "from=x"):
        assert client.get(f"{address}?{wrong}").status_code == 400
    foreign = trader_open().http().get(f"{address}?reference={order.id}")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "wallet.unknown")
