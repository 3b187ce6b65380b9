"""Receipts: complete, proven, signed, and enough to check a result by hand (rules 3, contract)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.market import Market, Trader, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db(transaction=True)


def _receipt(trader: Trader, order_id: str, status: int = 200) -> dict[str, Any]:
    response = trader.http().get(f"/api/v1/orders/{order_id}/receipt")
    assert response.status_code == status, response.content
    document: dict[str, Any] = response.json()
    return document


def _settled_up(market: Market, trader: Trader, price: str = "1.08520", **terms: Any) -> str:
    """Place an order up, bring a price a second before its expiry and one after it, and settle; return its id."""
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000, **terms)
    expires_ms = order_row(order).expires_at_ms
    market.admitted(price, at_ms=expires_ms - 1_000)
    market.admitted("1.08600", at_ms=expires_ms + 2)
    assert settle_due() == 1
    return order.id


def test_a_receipt_shows_what_decided_a_win() -> None:
    """Contract: terms, opening and evidence tick with their neighbours, rules, arithmetic, transfers, feed."""
    market, trader = market_open(), trader_open()
    receipt = _receipt(trader, _settled_up(market, trader))
    assert receipt["order"]["state"] == "won"
    assert receipt["feed"] == "custom"
    assert receipt["source"]["name"] == "script"
    assert receipt["signature"]["kind"] == "dev"
    assert receipt["opening"]["tick"]["price"] == receipt["order"]["open_price"] == "1.08512"
    assert receipt["opening"]["after"]["seq"] == receipt["opening"]["tick"]["seq"] + 1
    evidence = receipt["evidence"]
    assert [evidence[key]["price"] for key in ("before", "tick", "after")] == ["1.08512", "1.08520", "1.08600"]
    assert evidence["feed_closed"] is False
    assert receipt["watermark"]["cause"] == "tick"
    assert receipt["watermark"]["watermark"] >= receipt["order"]["expires_at"]
    assert [(step["what"], step["result"]) for step in receipt["arithmetic"]] == [
        ("stake", "1000"),
        ("price moved", "8"),
        ("profit", "850"),
        ("credited", "1850"),
    ]
    assert [(row["family"], row["kind"], row["amount"]) for row in receipt["transfers"]] == [
        ("order.stake", "stake", "10.00"),
        ("order.close", "won", "10.00"),
        ("order.profit", "profit", "8.50"),
    ]


def test_a_receipt_of_a_mean_lists_the_ticks_that_were_averaged() -> None:
    """Rules 4: under trimmed_mean_10s/1 one can recompute the closing price from the receipt alone."""
    market, trader = market_open(settlement_rule="trimmed_mean_10s/1"), trader_open()
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 12_000)
    expires_ms = order_row(order).expires_at_ms
    for before_ms, price in ((10_000, "1.09000"), (9_999, "1.08500"), (5_000, "1.08514"), (0, "1.08515")):
        market.admitted(price, at_ms=expires_ms - before_ms)
    market.admitted("1.08000", at_ms=expires_ms + 2)
    settle_due()
    receipt = _receipt(trader, order.id)
    assert [tick["price"] for tick in receipt["evidence"]["window"]] == ["1.08500", "1.08514", "1.08515"]
    # 108500 + 108514 + 108515 over 3 is 108509 and two thirds; none of three ticks is dropped.
    assert receipt["order"]["close_price"] == "1.08510"
    assert receipt["order"]["close_tick"]["price"] == "1.08515"
    assert {"what": "closing price", "result": "108510"}.items() <= receipt["arithmetic"][1].items()


def test_an_order_that_waits_for_its_entry_has_a_receipt() -> None:
    """Rules 2: under next_tick/1 the receipt says which tick will open the order, and until when."""
    market, trader = market_open(entry_rule="next_tick/1"), trader_open()
    order = trader.place(market)
    receipt = _receipt(trader, order.id)
    assert receipt["opening"] == {"tick": None, "before": None, "after": None}
    assert receipt["terms"]["entry_after_seq"] == 1
    assert receipt["evidence"] is None
    assert receipt["watermark"] is None
    assert [row["family"] for row in receipt["transfers"]] == ["order.stake"]


def test_a_receipt_is_its_owners_alone() -> None:
    """S-02: another client's order is not found; a token of another ledger neither."""
    market, trader, other = market_open(), trader_open(), trader_open()
    order = trader.place(market)
    assert _receipt(other, order.id, 404)["code"] == "not_found"
    response = trader.http(ledgers=("real",)).get(f"/api/v1/orders/{order.id}/receipt")
    assert response.status_code == 404
