"""One deal is one event, whatever happens to the link (ea.md 6.8, reliability F-20)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ea.mql.desk import Chart, Desk
from tests.ea.mql.reference import Server
from tests.support import eventually

MakeDesk = Callable[..., Desk]
STREAMS = ["tcp", "ws"]
ALL = [*STREAMS, "http"]


@pytest.mark.parametrize("transport", ALL)
def test_each_deal_becomes_one_event(desk: MakeDesk, transport: str) -> None:
    at = desk("signal", transport, InpStrategy="trend", InpLedger="demo", InpMaxDrift="0.0005", InpMinPayout="70")

    at.deals(3, symbol="EURUSD.m", price=1.08512)
    at.deals(2, type="sell", hints=3)

    events = at.clean(5)
    first = events[0].signal
    assert [event.signal.direction for event in events] == ["call", "call", "call", "put", "put"]
    assert (first.symbol, first.ref_price, first.strategy, first.magic) == ("EURUSD.m", "1.08512", "trend", 770001)
    assert (first.stake.value, first.expiry.s, first.valid_ms) == ("1.00", 60, 5000)
    assert first.target is not None
    assert first.target.ledger == "demo"
    assert abs(first.t_evt_ms - events[0].recv_ms) < 3_000, "the broker's time zone is taken out"


@pytest.mark.parametrize("transport", ALL)
def test_a_chart_needs_no_more_than_an_endpoint(chart: Callable[..., Chart], server: Server, transport: str) -> None:
    """How the real gateway is tested: its address and a key, and no server of ours."""
    at = chart("monitor", transport, server.endpoint)

    at.deals(2)

    eventually(lambda: len(server.book.events) == 2 and at.waiting() == 0, within_s=10)
    at.terminal.stop()


@pytest.mark.parametrize("transport", ALL)
def test_a_server_that_comes_late(desk: MakeDesk, server: Server, transport: str) -> None:
    server.stop()
    at = desk("signal", transport)
    at.deals(6)
    eventually(lambda: "(error 52" in at.terminal.comment(), within_s=5)

    server.start()

    at.clean(6)


@pytest.mark.parametrize("transport", ALL)
@pytest.mark.parametrize("fault", ["cuts_unlogged", "cuts_logged", "half_frames"])
def test_a_link_that_is_cut_around_the_acknowledgement(
    desk: MakeDesk, server: Server, transport: str, fault: str
) -> None:
    """F-20: what was sent and not acknowledged is sent again, with the same bytes, and is one event."""
    setattr(server.faults, fault, 2)
    at = desk("signal", transport)

    at.deals(8)

    at.clean(8)
    assert getattr(server.faults, fault) == 0
    # What was logged comes a second time; what was lost before it was logged is new to the server.
    assert (len(at.book.arrivals) > 8) is (fault != "cuts_unlogged")


@pytest.mark.parametrize("transport", STREAMS)
def test_two_cuts_cost_two_links(desk: MakeDesk, server: Server, transport: str) -> None:
    """ea.md 4: a read that finds nothing is no broken link (SocketIsReadable says 1, SocketRead says -1)."""
    at = desk("signal", transport)
    eventually(lambda: server.links == 1, within_s=5)

    for _ in range(2):
        server.faults.cuts_logged = 1
        links = server.links
        at.deals(1)
        eventually(lambda: server.links == links + 1, within_s=5)  # noqa: B023
    # Two heartbeats: the link was idle meanwhile, with nothing to read in most turns.
    beats = len(at.book.heartbeats)
    at.terminal.do("sleep ms=300", "skip ms=1100")
    eventually(lambda: len(at.book.heartbeats) > beats, within_s=5)

    at.clean(2)
    assert server.links == 3


@pytest.mark.parametrize("transport", ALL)
def test_acknowledgements_that_take_their_time(desk: MakeDesk, server: Server, transport: str) -> None:
    server.faults.ack_delay_s = 0.4
    at = desk("signal", transport)

    at.deals(5)

    at.clean(5)
    assert len(at.book.arrivals) == 5, "a slow answer is no reason to send again"


@pytest.mark.parametrize("transport", STREAMS)
def test_frames_in_pieces_and_answers_twice(desk: MakeDesk, server: Server, transport: str) -> None:
    server.faults.slow_halves = 2
    server.faults.double_acks = True
    at = desk("signal", transport)

    at.deals(1)
    eventually(lambda: at.waiting() == 0, within_s=5)
    at.deals(3)

    at.clean(4)
    assert server.links == 1


RUBBISH = {
    "length zero": b"\x00\x00\x00\x00",
    "length of 2^31": b"\x80\x00\x00\x00{}",
    "negative length": b"\xff\xff\xff\xff{}",
    "length above the limit": b"\x00\x01\x00\x01" + b"{" * 64,
    "noise": bytes(range(255, 0, -1)) * 3,
    "masked websocket frame": b"\x81\x82abcd\x00\x00",
    "reserved websocket bit": b"\xc1\x02{}",
    "websocket frame of 2^62 bytes": b"\x81\x7f\x40\x00\x00\x00\x00\x00\x00\x00",
    "websocket close": b"\x88\x00",
}


@pytest.mark.parametrize(
    ("rubbish", "transport"),
    [
        *((name, "tcp") for name in list(RUBBISH)[:5]),
        *((name, "ws") for name in list(RUBBISH)[4:]),
    ],
)
def test_bytes_that_are_no_frame_close_the_link(desk: MakeDesk, server: Server, transport: str, rubbish: str) -> None:
    """F-21: the link is dropped, nothing is lost."""
    server.faults.raw = [RUBBISH[rubbish]]
    at = desk("signal", transport)

    at.deals(3)

    at.clean(3)
    assert server.links >= 2


PAYLOADS = [
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\xfd",
    b'{"type":"ack"}',
    b'{"type":"ack","event_id":17}',
    b'{"type":{"type":"ack"}}',
    b'{"a":"\\u12',
    b'{"type":"reject"}',
    b'{"type":"resync","from_seq":-5}',
    b'{"type":"params","rev":1}',
    b"[" * 5000,
    b'{"":"","type":"order","no":9223372036854775807999}',
    b'{"type":"heartbeat","server_ms":"soon"}',
    b"{}" * 3000,
]


@pytest.mark.parametrize("transport", STREAMS)
def test_payloads_that_say_nothing_change_nothing(desk: MakeDesk, server: Server, transport: str) -> None:
    """F-21: half JSON, wrong types, deep nesting and bad UTF-8 in place of the first acknowledgement."""
    at = desk("signal", transport)
    eventually(lambda: server.links == 1, within_s=5)

    for payload in PAYLOADS:
        server.write(payload)
    at.deals(3)

    at.clean(3)
    assert server.links == 1


@pytest.mark.parametrize("transport", ALL)
def test_a_server_that_restarts(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(2)
    at.delivered(2)

    server.stop()
    at.deals(2)
    server.start()
    at.deals(2)

    at.clean(6)


@pytest.mark.parametrize("transport", STREAMS)
def test_half_a_second_of_silence_is_no_reason_to_leave(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(1)
    at.delivered(1)

    server.faults.silent = True
    at.deals(2)
    eventually(lambda: len(at.book.events) == 3, within_s=5)
    at.terminal.do("sleep ms=500")
    server.faults.silent = False
    # The acknowledgements were never said: a command makes the expert send again.
    server.say({"type": "command", "cmd": "resync"})

    at.clean(3)
    assert server.links == 1


@pytest.mark.parametrize("transport", STREAMS)
def test_three_heartbeats_without_an_answer_end_the_link(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    eventually(lambda: server.links == 1, within_s=5)

    server.faults.silent = True
    at.deals(2)
    beats = len(at.book.heartbeats)
    for _ in range(2):
        at.terminal.do("skip ms=1100")
        eventually(lambda: len(at.book.heartbeats) > beats, within_s=5)  # noqa: B023
        beats = len(at.book.heartbeats)
    assert not at.terminal.said("the server is silent"), "two are not three"
    at.terminal.do("skip ms=1100")
    at.terminal.wait_for(lambda: at.terminal.said("the server is silent"), within_s=8)
    server.faults.silent = False

    at.clean(2)


@pytest.mark.parametrize("transport", ALL)
@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000])
def test_a_clock_that_is_set(desk: MakeDesk, transport: str, step_ms: int) -> None:
    at = desk("signal", transport)
    at.deals(2)
    at.delivered(2)

    at.terminal.do(f"step ms={step_ms}")
    at.deals(2)

    events = at.clean(4)
    moved_ms = events[3].signal.t_sig_ms - events[1].signal.t_sig_ms
    assert abs(moved_ms - step_ms) < 20_000
    assert abs(events[2].event_id_ms - events[2].signal.t_sig_ms) < 50


@pytest.mark.parametrize("transport", STREAMS)
def test_the_server_has_seen_a_higher_number(desk: MakeDesk, server: Server, transport: str) -> None:
    """A terminal restored from a backup must not use a number twice."""
    server.faults.welcome_seq_extra = 40
    at = desk("signal", transport)
    eventually(lambda: server.links == 1, within_s=5)
    eventually(lambda: "last number 40" in at.terminal.comment(), within_s=5)

    at.deals(2)

    events = at.delivered(2)
    assert [event.signal.seq for event in events] == [41, 42]


@pytest.mark.parametrize("transport", STREAMS)
def test_no_more_than_fifty_are_on_their_way(desk: MakeDesk, server: Server, transport: str) -> None:
    """ea.md 6.8: a window of 50 events, sent in the order of their numbers."""
    server.stop()
    at = desk("signal", transport)
    at.deals(70, hints=0)
    eventually(lambda: at.waiting() == 70, within_s=5)
    server.faults.ack_delay_s = 1.2
    server.start()

    eventually(lambda: "spool: 20 waiting, 50 on their way" in at.terminal.comment(), within_s=5)
    assert len(at.book.arrivals) == 50

    server.faults.ack_delay_s = 0
    at.clean(70)
    assert [signal.seq for signal in at.book.arrivals] == list(range(1, 71))


def test_over_http_at_most_fifty_go_in_one_request(desk: MakeDesk, server: Server) -> None:
    server.stop()
    at = desk("signal", "http")
    at.deals(70, hints=0)
    eventually(lambda: at.waiting() == 70, within_s=5)

    server.start()

    at.clean(70)
    assert server.batches[:2] == [50, 20]
