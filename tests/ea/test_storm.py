"""F-20: five hundred terminals lose their links and answers at once and come back within a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Stop
from threading import Thread

import pytest
from django.db import connection

from bench.faults.storm import storm
from ea.models import Alert, EaOrder, Event
from tests.books import violations
from tests.ea.bridge import OPEN, executor_running, gateway_running, installation, market_heard
from tests.market import Market, Trader, trader_open
from tests.support import eventually
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TERMINALS, USERS, EACH = 500, 10, 5
SIGNAL = OPEN | {"stake": {"mode": "fixed", "value": "1.00"}, "valid_ms": 60_000}


@pytest.fixture
def market() -> Iterator[Market]:
    with market_heard() as market:
        yield market


class Others:
    """Somebody who has nothing to do with terminals and places one order after the other."""

    def __init__(self, trader: Trader, market: Market) -> None:
        self.statuses: list[int] = []
        self._trader, self._market = trader, market
        self._stopping = Stop()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Others:
        self._client = self._trader.http()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.1):
            number = len(self.statuses)
            body = {
                "client_order_id": f"other-{number}",
                "ledger": "demo",
                "symbol": self._market.code,
                "direction": "up",
                "stake": "1.00",
                "duration_s": 60,
            }
            answer = self._client.post("/api/v1/orders", body, content_type="application/json")
            self.statuses.append(answer.status_code)
        connection.close()


def test_five_hundred_come_back_and_nobody_suffers(market: Market, tmp_path: Path) -> None:
    """F-20: half of the links are cut and half are half open; strangers say nothing meanwhile.

    One order for each event, one alert for each key that came a second time, and whoever else trades is served.
    """
    traders = [trader_open() for _ in range(USERS)]
    spools = [installation(traders[number % USERS], account=str(number)).spool() for number in range(TERMINALS)]
    for spool in spools[::EACH]:
        spool.add(**SIGNAL)
    sent = {event_id for spool in spools for event_id in spool.waiting}
    other = trader_open()

    def logged() -> bool:
        return Event.objects.count() == len(sent)

    with (
        gateway_running(tmp_path) as gateway,
        executor_running(tmp_path),
        Others(other, market) as others,
    ):
        found = asyncio.run(storm(port=gateway.port, spools=spools, logged=logged, silent=100))
        eventually(lambda: EaOrder.objects.filter(state="open").count() == len(sent), within_s=30)
        assert gateway.process.poll() is None

    assert len(found.welcome_s) == TERMINALS
    assert found.statuses == {"duplicate": len(sent)}
    half_open = {spool.credentials.kid for spool in spools[1::2]}
    assert set(Alert.objects.filter(kind="second_session").values_list("kid", flat=True)) >= half_open
    placed = list(Order.objects.filter(source="ea").values_list("client_order_id", flat=True))
    assert sorted(placed) == sorted(f"ea:{event_id}" for event_id in sent)
    assert others.statuses
    assert set(others.statuses) == {201}
    assert violations() == {}
