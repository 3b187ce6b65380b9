"""The main job through the contract alone: quotes, orders, settlement, events, and every outcome recomputed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.journeys.client import AccountStream, Platform, recomputed
from tests.support import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("platform"), pytest.mark.timeout(300)]

SIMULATED = ("EURUSD", "GBPUSD", "BTCUSDT")


def _order(symbol: str, direction: str, number: int, ledger: str = "demo") -> dict[str, Any]:
    return {
        "ledger": ledger,
        "symbol": symbol,
        "direction": direction,
        "stake": "10.00",
        "duration_s": 5,
        "client_order_id": f"{symbol}-{direction}-{number}",
    }


def _check_outcomes(api: httpx.Client, events: list[dict[str, Any]]) -> None:
    """Recompute each settled order from the public tick log."""
    for event in events:
        if event["type"] != "order.settled":
            continue
        order = event["data"]
        terms = api.get(f"/symbols/{order['symbol']}").json()
        window = {"from": order["open_tick"]["at"], "to": order["settled_at"]}
        ticks = api.get(f"/symbols/{order['symbol']}/ticks", params=window).json()["data"]
        assert ticks[0]["seq"] <= order["open_tick"]["seq"]
        assert recomputed(order, ticks, terms["max_tick_age_ms"]) == (order["state"], order["payout"])


def test_a_browser_session_logs_in_and_trades(platform: Platform) -> None:
    """Contract: session cookie with CSRF through allauth headless, then an order by the same session."""
    with httpx.Client(base_url=platform.url, timeout=10) as browser:
        browser.get("/_allauth/browser/v1/config")
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Referer": platform.url}
        entered = browser.post(
            "/_allauth/browser/v1/auth/login",
            json={"email": "trader2@example.com", "password": "trader-demo-2"},
            headers=headers,
        )
        assert entered.status_code == 200, entered.text
        order = _order("EURUSD", "up", 1)
        refused = browser.post("/api/v1/orders", json=order)
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.csrf")
        headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        placed = browser.post("/api/v1/orders", json=order, headers=headers)
        assert placed.status_code == 201, placed.text
        assert placed.json()["source"] == "web"


def test_orders_settle_and_events_arrive_whole(platform: Platform) -> None:
    """Done when: up and down on three symbols, events whole over a dropped socket, outcomes from ticks."""
    token = platform.token("trader@example.com")
    stream = AccountStream(platform, token)
    with platform.api(token) as api:
        stream.cursor = api.get("/events").json()["last_seq"]
        stream.connect()
        for symbol in SIMULATED:
            for direction in ("up", "down"):
                placed = api.post("/orders", json=_order(symbol, direction, 1))
                assert placed.status_code == 201, placed.text
        stream.collect(until=6, kind="order.opened", within_s=10)
        stream.drop()
        eventually(lambda: not api.get("/orders", params={"state": "open"}).json()["data"], within_s=20, every_s=0.2)
        stream.connect()
        stream.collect_to(api.get("/events").json()["last_seq"], within_s=10)
        settled = [event for event in stream.events if event["type"] == "order.settled"]
        assert len(settled) == 6
        _check_outcomes(api, stream.events)
        demo = next(wallet for wallet in api.get("/wallets").json()["data"] if wallet["ledger"] == "demo")
        last = [event for event in stream.events if event["type"] == "balance.changed"][-1]
        assert last["data"]["balance"] == demo["balance"]
        entries = api.get(f"/wallets/{demo['id']}/entries", params={"limit": 500}).json()["data"]
        assert entries[0]["balance_after"] == demo["balance"]
    stream.drop()


def test_the_same_on_recorded_binance_packets(platform: Platform, replayed_symbol: str) -> None:
    """Done when: the same on a symbol fed by replayed Binance packets, and on the real ledger.

    The second trader is funded: the browser's journeys need the first one's real wallet empty.
    """
    token = platform.token("trader2@example.com")
    funded = platform.manage(
        "adjust", "--user", "trader2@example.com", "--ledger", "real", "--amount", "100.00", "--reason", "journey"
    )
    assert funded.returncode == 0, funded.stderr
    stream = AccountStream(platform, token)
    with platform.api(token) as api:
        eventually(lambda: api.get(f"/symbols/{replayed_symbol}").json()["state"] == "open", within_s=30, every_s=0.2)
        stream.cursor = api.get("/events").json()["last_seq"]
        stream.connect()
        for number, ledger in enumerate(("demo", "real")):
            placed = api.post("/orders", json=_order(replayed_symbol, "up", number, ledger))
            assert placed.status_code == 201, placed.text
        stream.collect(until=2, kind="order.settled", within_s=30)
        _check_outcomes(api, stream.events)
    stream.drop()


def test_quotes_come_from_the_log(platform: Platform) -> None:
    """Contract: the quote socket shows ticks of the log, the last one at once."""
    with connect(f"{platform.socket_url}/ws/quotes/") as socket:
        socket.send(json.dumps({"id": 1, "type": "subscribe", "symbols": ["EURUSD", "NOPE"]}))
        seen: list[dict[str, Any]] = []
        errors = []
        while len(seen) < 5:
            message = json.loads(socket.recv(timeout=10))
            errors += [message["error"]["code"]] if message["type"] == "error" else []
            seen += message.get("ticks", [])
    assert errors == ["symbol.unknown"]
    log = httpx.get(f"{platform.url}/api/v1/symbols/EURUSD/ticks", params={"from": seen[0]["at"]}).json()["data"]
    stored = {tick["seq"]: (tick["at"], tick["price"]) for tick in log}
    assert all(stored[tick["seq"]] == (tick["at"], tick["price"]) for tick in seen)


def test_the_books_hold(platform: Platform) -> None:
    """Done when: verify_ledger and resettle --check report zeros beside the running platform."""
    verified = platform.manage("verify_ledger", "--full")
    assert verified.returncode == 0, verified.stdout
    audited = platform.manage("resettle", "--check")
    assert audited.returncode == 0, audited.stdout
    assert "differences 0, unavailable 0" in audited.stdout
