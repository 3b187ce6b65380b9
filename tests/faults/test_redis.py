"""Redis flushed and stopped while orders are placed and settled (principle 6; F-06, F-07)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from config import embedded
from quotes import publishing as quote_publishing
from realtime import publishing as event_publishing
from settlement.audit import orders_audit
from tests.books import violations
from tests.faults.processes import WORKER, Runtimes
from tests.market import Market, Trader, market_open, order_row, trader_open
from tests.support import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def redis_url(redis_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point the publishers of this process at the Redis that the test stops."""
    for publisher in (quote_publishing, event_publishing):
        monkeypatch.setattr(publisher, "_client", None)
        monkeypatch.setattr(publisher, "_silent_until_s", 0.0)
    return embedded.urls(redis_folder).redis


def _trade(market: Market, trader: Trader) -> Callable[[], bool]:
    """Place an order on each ledger over HTTP, bring its closing tick, and return the check that both are settled."""
    client, placed = trader.http(), []
    market.heartbeat()
    for ledger in ("demo", "real"):
        answer = client.post(
            "/api/v1/orders",
            {
                "ledger": ledger,
                "symbol": market.code,
                "direction": "up",
                "stake": "1.00",
                "duration_s": 60,
                "client_order_id": f"{market.newest_ms}",
            },
            content_type="application/json",
        )
        assert answer.status_code == 201, answer.content
        placed.append(answer.json()["id"])
    rows = [order_row(ident) for ident in placed]
    market.admitted("1.08600", at_ms=rows[0].expires_at_ms)
    market.admitted("1.08600", at_ms=rows[-1].expires_at_ms + 1)
    return lambda: all(order_row(ident).state != "open" for ident in placed)


def test_orders_are_placed_and_settled_whatever_becomes_of_redis(
    own_runtimes: Runtimes, redis_folder: Path, redis_url: str
) -> None:
    """Issue, F-06, F-07: flushed, stopped, a worker started without it, and back: no order is lost or late."""
    market, trader = market_open(max_tick_age_ms=600_000), trader_open(real="50.00")
    servers = embedded.start(redis_folder, postgres=False)
    try:
        with override_settings(REDIS_URL=redis_url):
            own_runtimes.start("worker", WORKER)
            eventually(_trade(market, trader), within_s=60)

            redis.Redis.from_url(redis_url).flushall()
            eventually(_trade(market, trader), within_s=15)

            servers.stop()
            eventually(_trade(market, trader), within_s=15)
            assert own_runtimes.alive("worker"), own_runtimes.log("worker")

            own_runtimes.kill("worker")
            waiting = _trade(market, trader)
            own_runtimes.start("worker", WORKER)
            eventually(waiting, within_s=60)

            servers = embedded.start(redis_folder, postgres=False)
            eventually(_trade(market, trader), within_s=15)
    finally:
        servers.stop()
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []
    # The first tick after the opening moved the price; all later orders opened where they closed.
    assert (trader.balance("demo"), trader.balance("real")) == (1_000_000 + 85, 5_000 + 85)
