"""What server and expert say to each other besides signals, and what the chart shows (ea.md 5, 6.7, 6.8)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.ea.mql.desk import Desk
from tests.ea.mql.reference import Server
from tests.ea.mql.wire import ParamsAck
from tests.support import eventually

MakeDesk = Callable[..., Desk]
STREAMS = ["tcp", "ws"]
ALL = [*STREAMS, "http"]


def on_chart(at: Desk, *texts: str) -> bool:
    """Whether the chart's comment has all these texts, now."""
    comment = at.terminal.comment()
    return all(text in comment for text in texts)


@pytest.mark.parametrize("transport", ALL)
def test_results_come_back(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(2)
    first, second = (event.signal.event_id for event in at.delivered(2))

    server.decide(first, "accepted", price="1.08501")
    server.decide(first, "settled", payout="1.85", code=None)
    server.decide(second, "denied", code="signal.stale")

    eventually(
        lambda: on_chart(at, "EURUSD call: settled, payout 1.85", "EURUSD call: denied signal.stale"), within_s=8
    )
    at.clean(2)


@pytest.mark.parametrize("transport", STREAMS)
def test_results_that_came_while_nobody_listened_are_told_once(desk: MakeDesk, server: Server, transport: str) -> None:
    """The hello says which result was the last one that arrived; it is kept over a restart."""
    at = desk("signal", transport)
    at.deals(1)
    event_id = at.delivered(1)[0].signal.event_id
    server.decide(event_id, "accepted")
    at.terminal.wait_for(lambda: at.terminal.said("accepted"))
    at.terminal.stop()

    at.book.decide(event_id, "settled", payout="1.85")
    at.start()

    at.terminal.wait_for(lambda: at.terminal.said("settled, payout 1.85"))
    assert at.book.hellos[-1].after == 1
    assert not at.terminal.said(" accepted")
    at.clean(1)


def test_over_http_results_are_asked_for_from_the_last_one_on(desk: MakeDesk, server: Server) -> None:
    at = desk("mt4", "http")
    at.terminal.do("order")
    event_id = at.delivered(1)[0].signal.event_id
    server.decide(event_id, "accepted")
    at.terminal.wait_for(lambda: at.terminal.said("accepted"))
    at.terminal.kill()

    at.book.decide(event_id, "settled", payout="1.85")
    at.start()

    at.terminal.wait_for(lambda: at.terminal.said("settled, payout 1.85"))
    assert not at.terminal.said(" accepted")
    at.clean(1)


@pytest.mark.parametrize("transport", STREAMS)
def test_heartbeats_measure_link_and_clock(desk: MakeDesk, server: Server, transport: str) -> None:
    server.clock_ahead_ms = 7_000
    at = desk("signal", transport)

    for count in (1, 2):
        eventually(lambda: len(at.book.heartbeats) >= count, within_s=6)  # noqa: B023
        at.terminal.do("sleep ms=100", "skip ms=900")
    eventually(lambda: len(at.book.heartbeats) >= 3, within_s=6)

    beats = at.book.heartbeats
    between_ms = beats[2].t_ms - beats[1].t_ms
    assert 700 < between_ms < 2_500, "one a second, as the welcome says"
    assert 0 < beats[2].link_rtt_us < 500_000
    eventually(lambda: "server clock" in at.terminal.comment(), within_s=5)
    offset_ms = int(at.terminal.comment().split("server clock ")[1].split()[0])
    # The simulated time that was skipped is not the server's.
    assert 3_500 < offset_ms < 8_500
    at.clean(0)


@pytest.mark.parametrize("expert", ["signal", "mt4"])
def test_over_http_a_wrong_clock_is_measured_and_told(desk: MakeDesk, server: Server, expert: str) -> None:
    """Ten minutes off: the first question is refused for its time; what follows carries the offset."""
    server.clock_ahead_ms = 600_000
    at = desk(expert, "http")
    eventually(lambda: server.asks >= 2, within_s=5)

    at.terminal.do("order" if expert == "mt4" else "deal")
    event_id = at.delivered(1)[0].signal.event_id
    server.decide(event_id, "denied", code="signal.stale")

    at.terminal.wait_for(lambda: at.terminal.said("denied signal.stale"))
    assert abs(server.offsets[-1] - 600_000) < 3_000
    assert not at.terminal.said("[alert]")
    at.clean(1)


@pytest.mark.parametrize("transport", STREAMS)
def test_a_clock_that_is_set_is_measured_at_once(desk: MakeDesk, server: Server, transport: str) -> None:
    server.heartbeat_s = 60
    at = desk("signal", transport)
    eventually(lambda: len(at.book.heartbeats) == 1, within_s=5)

    at.terminal.do("step ms=-600000")

    # The server believes the second one: the first may have been held up.
    eventually(lambda: len(at.book.heartbeats) == 3, within_s=5)
    for beat in at.book.heartbeats[1:]:
        assert abs(beat.t_ms + 600_000 - time.time_ns() // 1_000_000) < 5_000
    at.terminal.stop()


@pytest.mark.parametrize("transport", STREAMS)
def test_parameters_apply_from_the_next_signal_on(desk: MakeDesk, server: Server, transport: str) -> None:
    """ea.md 6.7: a revision is taken whole or not at all; the old one stays otherwise."""
    at = desk("signal", transport, InpStrategy="trend")
    at.deals(1)
    at.delivered(1)

    server.say(params(3, {"stake": "4.50", "expiry_s": 120, "valid_ms": 900, "min_payout": "80"}))
    eventually(lambda: revisions(at) == [3], within_s=5)
    at.deals(1)
    at.delivered(2)
    server.say(params(4, {"stake": "9.00", "expiry_s": 2}))
    server.say(params(5, {"stake": "-1"}))
    server.say(params(6, {"valid_ms": "soon"}))
    server.say(params(7, {"stake": "9.00"}, strategy="other"))
    server.say(params(2, {"stake": "8.00"}))
    at.terminal.wait_for(lambda: at.terminal.said("parameters 6 are invalid"))
    at.deals(1)

    first, second, third = (event.signal for event in at.clean(3))
    assert (first.stake.value, first.expiry.s, first.valid_ms, first.min_payout) == ("1.00", 60, 5000, None)
    for later in (second, third):
        assert (later.stake.value, later.expiry.s, later.valid_ms, later.min_payout) == ("4.50", 120, 900, "80")
    assert 5 not in revisions(at)
    assert set(revisions(at)) <= {3, 2}


def params(rev: int, values: dict[str, object], strategy: str = "trend") -> dict[str, object]:
    """Return a frame with parameters."""
    return {"type": "params", "strategy": strategy, "rev": rev, "values": values}


def revisions(at: Desk) -> list[int]:
    """Return the revisions that the expert said to have put in force."""
    return [answer.rev for answer in at.book.answers if isinstance(answer, ParamsAck)]


@pytest.mark.parametrize("transport", STREAMS)
def test_pause_and_resume(desk: MakeDesk, server: Server, transport: str) -> None:
    """While paused no signal is made; deals of that time do not become signals later."""
    at = desk("signal", transport)
    at.deals(1)
    at.delivered(1)

    server.say({"type": "command", "cmd": "pause"})
    at.terminal.wait_for(lambda: at.terminal.said("command pause"))
    at.deals(2)
    at.terminal.do("call text=EURUSD|call")
    server.say({"type": "command", "cmd": "resume"})
    at.terminal.wait_for(lambda: at.terminal.said("command resume"))
    at.deals(1)

    assert [event.signal.src_ticket for event in at.clean(2)] == ["5000", "5003"]


@pytest.mark.parametrize("transport", STREAMS)
def test_flush_drops_what_waits(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    eventually(lambda: server.links == 1, within_s=5)
    server.faults.ack_delay_s = 60
    at.deals(60)
    eventually(lambda: len(at.book.events) == 50, within_s=5)

    server.say({"type": "command", "cmd": "flush"})

    eventually(lambda: at.waiting() == 0, within_s=5)
    server.faults.ack_delay_s = 0
    at.deals(1)
    eventually(lambda: len(at.book.events) == 51, within_s=5)
    eventually(lambda: at.waiting() == 0, within_s=5)
    assert at.book.breaches == []
    assert at.book.holes == [(51, 60)]
    at.terminal.stop()


@pytest.mark.parametrize("transport", STREAMS)
def test_kill_takes_the_expert_off_the_chart(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    eventually(lambda: server.links == 1, within_s=5)

    server.say({"type": "command", "cmd": "kill"})

    at.terminal.ended()
    assert at.terminal.said("[sim] removed")
    assert at.terminal.said("[alert] Fairstrike: the server has stopped this expert")


def test_messages_in_fragments_and_a_ping_between(desk: MakeDesk, server: Server) -> None:
    """RFC 6455: control frames may stand between the fragments of a message, and a ping is answered."""
    at = desk("signal", "ws")
    at.deals(1)
    event_id = at.delivered(1)[0].signal.event_id

    server.send_split(at.book.decide(event_id, "settled", payout="1.85"))
    server.send_split(at.book.decide(event_id, "settled", payout="1.86", code="x" * 40_000))
    server.decide(event_id, "settled", payout="1.87")

    at.terminal.wait_for(lambda: at.terminal.said("payout 1.87"))
    assert at.terminal.said("settled, payout 1.85")
    assert at.terminal.said("payout 1.86")
    eventually(lambda: server.pongs == 2, within_s=5)
    assert server.links == 1
    at.clean(1)


@pytest.mark.parametrize("transport", ALL)
def test_the_chart_tells_how_things_stand(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(1)
    at.delivered(1)

    eventually(
        lambda: on_chart(at, "Fairstrike signal: running", "link: up", "spool: 0 waiting, 0 on their way"), within_s=5
    )
    assert on_chart(at, "last number 1", "latency: ack ", "acked 1 (again 0)", "EURUSD call: accepted")
    server.stop()
    eventually(lambda: on_chart(at, "link: down"), within_s=5)
    at.clean(1)


@pytest.mark.parametrize(
    ("expert", "transport"), [("signal", "tcp"), ("signal", "ws"), ("signal", "http"), ("mt4", "http")]
)
def test_a_host_that_is_not_allowed_is_explained(desk: MakeDesk, expert: str, transport: str) -> None:
    """ea.md 4: only the user can allow it; the expert says where."""
    at = desk(expert, transport, TERMINAL_ALLOW="another.example.com")

    at.terminal.wait_for(lambda: at.terminal.said("under Tools > Options > Expert Advisors > Allow WebRequest"))

    eventually(lambda: on_chart(at, "link: down: not allowed: add "), within_s=5)
    assert sum(line.startswith("[alert]") for line in at.terminal.lines) == 1
    at.terminal.stop()


WRONG = [
    ("signal", {"TERMINAL_TESTER": 1}, "the strategy tester has no network"),
    ("signal", {"InpName": "no/slash"}, "InpName takes"),
    ("signal", {"InpStake": "1,00"}, "InpStake is no decimal number"),
    ("signal", {"InpExpiryS": 4}, "InpExpiryS must be"),
    ("signal", {"InpValidMs": 100}, "InpValidMs must be"),
    ("signal", {"InpLedger": "gold"}, "InpLedger is"),
    ("signal", {"InpLedger": "tournament"}, "InpTournament goes with"),
    ("signal", {"InpCurrency": "dollars"}, "InpCurrency is"),
    ("signal", {"InpHost": "bridge.example.com"}, "InpTls must be on"),
    ("signal", {"InpHost": "https://bridge.example.com"}, "InpHost is the name of a server"),
    ("signal", {"InpPort": 70000}, "InpPort must be"),
    ("signal", {"InpTimerMs": 5}, "InpTimerMs must be"),
    ("mt4", {"InpUrl": "http://bridge.example.com"}, "InpUrl starts with https://"),
    ("mt4", {"InpUrl": "https://bridge.example.com/ea"}, "InpUrl has no path"),
]


@pytest.mark.parametrize(("expert", "settings", "why"), WRONG, ids=[why for _, _, why in WRONG])
def test_wrong_settings_are_refused_with_a_reason(
    desk: MakeDesk, expert: str, settings: dict[str, object], why: str
) -> None:
    transport = "http" if expert == "mt4" else "tcp"
    at = desk(expert, transport, start=False)

    terminal = at.start_refused(**settings)

    assert any(line.startswith("[alert]") and why in line for line in terminal.lines)
    assert why in "\n".join(terminal.lines).split("[comment]")[1]


@pytest.mark.parametrize("key", [None, "", "only-a-kid", "bad/kid secret"])
def test_without_a_key_it_says_where_to_put_one(desk: MakeDesk, key: str | None) -> None:
    at = desk("signal", "tcp", start=False)
    place = at.spool.with_suffix(".key")
    if key is None:
        place.unlink()
    else:
        place.write_text(key)

    terminal = at.start_refused()

    assert any("MQL5\\Files\\Fairstrike\\signal.key" in line for line in terminal.lines)


def test_a_key_saved_by_notepad(desk: MakeDesk, server: Server) -> None:
    """With a byte order mark, Windows line ends and blanks around it."""
    at = desk("signal", "tcp", start=False)
    text = f"  {server.book.kid}\r\n{server.book.secret} \r\n"
    at.spool.with_suffix(".key").write_bytes(b"\xef\xbb\xbf" + text.encode())

    at.start()
    at.deals(1)

    at.clean(1)
