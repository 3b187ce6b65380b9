"""From a signed signal to an order and back, through real processes and sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernel.facts import facts_apply
from tests.books import violations
from tests.ea.bridge import OPEN, decided, executor_running, gateway_running, installation, order_of
from tests.market import market_open, order_row, settle_due

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_signal_becomes_one_order_and_its_result_comes_back(tmp_path: Path, transport: str) -> None:
    """Architecture, flow of EA signals: verified, logged, acknowledged, placed, settled, told."""
    market, one = market_open(), installation()
    with gateway_running(tmp_path) as gateway, executor_running(tmp_path):
        client = gateway.client(one.spool(), transport=transport)
        assert client.hello()["type"] == "welcome"
        # The processes took longer to start than a price is fresh.
        market.admitted("1.08512")
        event_id = client.signal(**OPEN)
        ack = client.next("ack")
        assert (ack["event_id"], ack["seq"], ack["status"], ack["order_ids"]) == (event_id, 1, "accepted", [])
        assert ack["t_log_us"] >= ack["t_recv_us"] > 0
        accepted = client.next("order")
        assert (accepted["event_id"], accepted["state"], accepted["price"]) == (event_id, "accepted", "1.08512")
        order = order_row(accepted["order_id"])
        assert (order.source, order.book, order.stake, order.direction) == ("ea", "demo", 1_000, "up")
        assert one.trader.balance() == 999_000
        market.tick("1.09000", at_ms=order.expires_at_ms)
        market.tick("1.09000", at_ms=order.expires_at_ms + 5_000)
        assert settle_due() == 1
        while facts_apply(10):
            pass
        settled = client.next("order")
        told: tuple[Any, ...] = (settled["event_id"], settled["state"], settled["code"], settled["payout"])
        assert told == (event_id, "settled", "won", "18.50")
        assert settled["no"] > accepted["no"]
        client.link.close()
    assert decided(event_id, "settled").order_id == order.id
    steps = [(step.from_state, step.state) for step in order_of(event_id).transitions.order_by("step")]
    assert steps == [
        ("received", "validated"),
        ("validated", "routed"),
        ("routed", "submitted"),
        ("submitted", "accepted"),
        ("accepted", "open"),
        ("open", "settled"),
    ]
    assert violations() == {}
