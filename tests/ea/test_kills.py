"""F-20: the gateway and the executor are killed at every step while a client goes on; nothing is lost or doubled."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ea.client import Spool
from ea.models import EaOrder, Event
from kernel.failpoints import EA_EXECUTOR, FAILPOINTS
from tests.books import violations
from tests.ea.bridge import OPEN, Running, executor_running, gateway_running, installation, market_heard
from tests.market import Market
from tests.support import eventually
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SIGNALS = 12
GATEWAY = [name for name, step in FAILPOINTS.items() if "ea_gateway" in step.runtimes]
# Its own steps; those of placement, too, are killed in an executor by the matrix (`make faults`).
EXECUTOR = [name for name, step in FAILPOINTS.items() if step.runtimes == EA_EXECUTOR]
VALID = OPEN | {"valid_ms": 60_000}


@pytest.fixture
def market() -> Iterator[Market]:
    with market_heard() as market:
        yield market


def sent_until_acknowledged(market: Market, gateway: Running, spool: Spool, acked: list[str]) -> bool:
    """Say hello, send what is in the spool and take the answers; return whether all were acknowledged."""
    market.heartbeat()
    try:
        client = gateway.client(spool)
        try:
            assert client.hello()["type"] == "welcome"
            while spool.waiting:
                acked.append(client.next("ack")["event_id"])
        finally:
            client.link.close()
    except OSError:
        return False
    return True


def settled_down(market: Market, spool_ids: list[str], acked: list[str]) -> None:
    """Check that every event was logged, acknowledged and became one order, and that the books hold."""
    assert set(acked) == set(spool_ids)
    events = set(Event.objects.values_list("event_id", flat=True))
    assert {str(event_id) for event_id in events} == set(spool_ids)
    # However long processes take to start, the feed is heard from: what waits is placed and not refused as stale.
    eventually(lambda: market.heartbeat() and EaOrder.objects.exclude(state="open").count() == 0, within_s=30)
    assert Order.objects.count() == len(spool_ids)
    assert set(Order.objects.values_list("client_order_id", flat=True)) == {f"ea:{one}" for one in spool_ids}
    assert violations() == {}


@pytest.mark.parametrize("step", GATEWAY)
def test_a_gateway_that_is_killed_loses_nothing(market: Market, tmp_path: Path, step: str) -> None:
    """I-34: an acknowledgement follows the commit, so what was acknowledged is there; the rest comes again."""
    spool, acked = installation().spool(), list[str]()
    ids = [spool.add(**VALID)[0] for _ in range(SIGNALS)]
    with executor_running(tmp_path):
        with gateway_running(tmp_path, FAILPOINT=f"{step}:1:kill") as first:
            assert not sent_until_acknowledged(market, first, spool, acked)
            assert first.process.wait(10) == -signal.SIGKILL
        stored = {str(one) for one in Event.objects.values_list("event_id", flat=True)}
        assert set(acked) <= stored
        with gateway_running(tmp_path) as second:
            assert sent_until_acknowledged(market, second, spool, acked)
        settled_down(market, ids, acked)


@pytest.mark.parametrize("step", EXECUTOR)
def test_an_executor_that_is_killed_doubles_nothing(market: Market, tmp_path: Path, step: str) -> None:
    spool, acked = installation().spool(), list[str]()
    ids = [spool.add(**VALID)[0] for _ in range(SIGNALS)]
    with gateway_running(tmp_path) as gateway:
        with executor_running(tmp_path, FAILPOINT=f"{step}:3:kill") as first:
            assert sent_until_acknowledged(market, gateway, spool, acked)
            assert first.process.wait(20) == -signal.SIGKILL
        with executor_running(tmp_path):
            settled_down(market, ids, acked)


def test_two_executors_share_the_work_and_take_over(market: Market, tmp_path: Path) -> None:
    """A lane is held by one at a time; when its process dies another one goes on."""
    spools = [installation().spool() for _ in range(4)]
    acked, ids = list[str](), list[str]()
    with gateway_running(tmp_path) as gateway, executor_running(tmp_path) as one, executor_running(tmp_path):
        for number, spool in enumerate(spools):
            ids += [spool.add(**VALID)[0] for _ in range(5)]
            assert sent_until_acknowledged(market, gateway, spool, acked)
            if number == 1:
                one.process.kill()
        settled_down(market, ids, acked)
