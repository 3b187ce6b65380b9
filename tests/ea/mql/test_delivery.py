"""One deal is one event, whatever happens to the link (ea.md 6.8, reliability F-20)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ea.mql.desk import Desk
from tests.ea.mql.reference import Server
from tests.support import eventually

MakeDesk = Callable[..., Desk]
STREAMS = ["tcp", "ws"]
ALL = [*STREAMS, "http"]


@pytest.mark.parametrize("transport", ALL)
def test_each_deal_becomes_one_event(desk: MakeDesk, transport: str) -> None:
    at = desk("signal", transport)

    at.deals(3, symbol="EURUSD.m", price=1.08512)
    at.deals(2, type="sell", hints=3)

    events = at.clean(5)
    assert [event.signal.direction for event in events] == ["call", "call", "call", "put", "put"]
    assert events[0].signal.ref_price == "1.08512"
    assert events[0].signal.symbol == "EURUSD.m"


@pytest.mark.parametrize("transport", ALL)
def test_a_server_that_comes_late(desk: MakeDesk, server: Server, transport: str) -> None:
    server.stop()
    at = desk("signal", transport)
    at.deals(6)
    eventually(lambda: at.terminal.said("error 5272") or at.terminal.comment().count("error 5201"), within_s=5)

    server.start()

    at.clean(6)


@pytest.mark.parametrize("transport", ALL)
@pytest.mark.parametrize("fault", ["cuts_unlogged", "cuts_logged", "half_frames"])
def test_a_link_that_is_cut_around_the_acknowledgement(
    desk: MakeDesk, server: Server, transport: str, fault: str
) -> None:
    """F-20: what was sent and not acknowledged is sent again, with the same bytes."""
    setattr(server.faults, fault, 2)
    at = desk("signal", transport)

    at.deals(8)

    at.clean(8)
    assert getattr(server.faults, fault) == 0
    assert len(at.book.arrivals) > 8 or fault == "cuts_unlogged"
