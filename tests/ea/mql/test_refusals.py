"""What the expert does when the server refuses a signal, or the expert itself (ea.md 5 and 6.8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ea.mql.desk import Desk
from tests.ea.mql.faults import Refusal
from tests.ea.mql.reference import Server
from tests.ea.mql.wire import Resync
from tests.support import eventually

MakeDesk = Callable[..., Desk]
STREAMS = ["tcp", "ws"]
ALL = [*STREAMS, "http"]


@pytest.mark.parametrize("transport", ALL)
@pytest.mark.parametrize("code", ["rate_limited", "overloaded", "internal"])
def test_a_refusal_for_now_is_sent_again(desk: MakeDesk, server: Server, transport: str, code: str) -> None:
    server.faults.refusals = [Refusal(code, final=False, retry_after_ms=150)] * 2
    at = desk("signal", transport)

    at.deals(4)

    at.clean(4)
    assert server.faults.refusals == []


@pytest.mark.parametrize("transport", ALL)
def test_a_refusal_for_good_is_dropped_and_its_number_is_declared_gone(
    desk: MakeDesk, server: Server, transport: str
) -> None:
    """The next number would wait for ever: the server asks for the gap, and is told that it is a hole."""
    server.faults.refusals = [Refusal("schema", final=True)]
    at = desk("signal", transport)
    at.deals(1)
    eventually(lambda: "rejected schema" in at.terminal.comment(), within_s=5)

    at.deals(2)

    events = at.delivered(2)
    assert [event.signal.seq for event in events] == [2, 3]
    assert at.book.holes == [(1, 1)]
    at.terminal.stop()


@pytest.mark.parametrize("transport", ALL)
def test_a_refused_key_is_shown_once_and_left_alone_for_a_while(desk: MakeDesk, server: Server, transport: str) -> None:
    server.faults.hello_refusals = [Refusal("key_revoked", final=True)] * 5
    server.faults.refusals = [Refusal("key_revoked", final=True)] * 5
    at = desk("signal", transport)
    at.deals(1)

    at.terminal.wait_for(lambda: at.terminal.said("key_revoked"))
    at.terminal.do("skip ms=25000", "sleep ms=200", "deal")

    assert len(at.book.hellos) + len(at.book.arrivals) == 1, "half a minute passes before the next attempt"
    at.terminal.do("skip ms=6000", "deal")
    eventually(lambda: len(at.book.hellos) + len(at.book.arrivals) == 2, within_s=5)
    assert sum(line.startswith("[alert]") for line in at.terminal.lines) == 1
    at.terminal.stop()


@pytest.mark.parametrize("transport", STREAMS)
def test_the_server_asks_for_all_again(desk: MakeDesk, server: Server, transport: str) -> None:
    """A resync goes back to a number that is still there; what was acknowledged is not sent again."""
    at = desk("signal", transport)
    at.deals(1)
    at.delivered(1)
    server.faults.ack_delay_s = 30
    at.deals(3)
    eventually(lambda: len(at.book.arrivals) == 4, within_s=5)
    server.faults.ack_delay_s = 0

    server.say({"type": "resync", "from_seq": 3})

    eventually(lambda: [signal.seq for signal in at.book.arrivals] == [1, 2, 3, 4, 3, 4], within_s=5)
    server.say({"type": "command", "cmd": "resync"})
    at.clean(4)


@pytest.mark.parametrize("transport", STREAMS)
def test_the_server_asks_for_what_is_gone(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(2)
    at.delivered(2)

    server.say({"type": "resync", "from_seq": 1})

    eventually(lambda: [answer.from_seq for answer in at.book.answers if isinstance(answer, Resync)] == [3], within_s=5)
    at.deals(1)
    at.clean(3)


@pytest.mark.parametrize("status", [500, 503, 404])
def test_an_answer_over_http_that_is_none(desk: MakeDesk, server: Server, status: int) -> None:
    server.faults.http_status = status
    at = desk("signal", "http")
    at.deals(2)
    eventually(lambda: f"status {status}" in at.terminal.comment(), within_s=5)

    server.faults.http_status = 0

    at.clean(2)


def test_an_upgrade_that_is_refused(desk: MakeDesk, server: Server) -> None:
    """A WebSocket client on a port that speaks HTTP without an upgrade says so, and goes on trying."""
    at = desk("signal", "ws", InpPort=server.ports["http"])

    at.terminal.wait_for(lambda: at.terminal.said("upgrade refused") or at.terminal.said("closed by the server"))

    at.terminal.stop()
