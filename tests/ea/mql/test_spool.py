"""What the expert has stored outlives crashes, full disks and lost files (ea.md 6.8, reliability F-22, F-23)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ea.mql.desk import Desk
from tests.ea.mql.reference import Server
from tests.support import eventually

MakeDesk = Callable[..., Desk]
ALL = ["tcp", "ws", "http"]


def stored(spool: Path) -> list[dict[str, object]]:
    """Return the signals whose lines stand in a journal, without a look at its sums."""
    lines = spool.read_text().splitlines()
    return [json.loads(line.split(" ", 4)[4]) for line in lines if line[8:11] == " S "]


@pytest.mark.parametrize("transport", ALL)
def test_a_crash_with_signals_that_wait(desk: MakeDesk, server: Server, transport: str) -> None:
    """Killed offline with three in the spool: the same three go out after the restart, and numbers go on."""
    at = desk("signal", transport)
    at.deals(1)
    at.delivered(1)
    server.stop()
    at.deals(3)
    waiting = [signal["event_id"] for signal in stored(at.spool)][-3:]
    at.terminal.kill()

    server.start()
    at.start()
    at.deals(1)

    events = at.clean(5)
    assert [event.signal.event_id for event in events][1:4] == waiting


@pytest.mark.parametrize("transport", ALL)
def test_a_crash_between_sending_and_the_answer(desk: MakeDesk, server: Server, transport: str) -> None:
    """F-20: the server has it, the expert does not know: it sends it again, byte for byte."""
    server.faults.ack_delay_s = 20
    at = desk("signal", transport)
    at.terminal.say("deal")
    eventually(lambda: len(at.book.events) == 1, within_s=5)
    at.terminal.kill()

    server.faults.ack_delay_s = 0
    at.start()

    at.clean(1)
    assert [signal.event_id for signal in at.book.arrivals] == [next(iter(at.book.events))] * 2


def test_a_line_is_on_disk_before_it_is_sent(desk: MakeDesk, server: Server) -> None:
    at = desk("signal", "tcp")
    on_disk = []
    server.on_signal = lambda signal: on_disk.append(signal.event_id in {line["event_id"] for line in stored(at.spool)})

    at.deals(3)

    at.clean(3)
    assert on_disk == [True] * 3


@pytest.mark.parametrize("transport", ALL)
def test_numbers_go_on_after_a_clean_restart(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(2)
    at.delivered(2)
    at.terminal.stop()

    at.start()
    at.deals(1)

    at.clean(3)


def test_numbers_go_on_without_the_journal(desk: MakeDesk) -> None:
    """The terminal's global variable is the second place where the last number stands."""
    at = desk("signal", "tcp")
    at.deals(2)
    at.delivered(2)
    at.terminal.stop()
    at.spool.unlink()

    at.start()
    at.deals(1)

    at.clean(3)


def test_a_deal_is_known_after_a_restart(desk: MakeDesk) -> None:
    """A ticket that was acknowledged is not sent again although the history still has it."""
    at = desk("signal", "tcp")
    at.deals(3)
    at.delivered(3)
    for _ in range(2):
        at.terminal.kill()
        at.start()

    at.deals(1)

    at.clean(4)
    assert len(at.book.arrivals) == 4


def test_a_torn_tail_loses_nothing_but_itself(desk: MakeDesk, server: Server) -> None:
    """F-23: cut at every byte of the last short line, and at many of the last signal."""
    server.stop()
    at = desk("signal", "tcp")
    at.deals(3)
    at.terminal.kill()
    whole = at.spool.read_bytes()
    last_line = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    cuts = [*range(last_line, last_line + 16), *range(last_line + 16, len(whole), 97), len(whole) - 1]

    for cut in cuts:
        at.spool.write_bytes(whole[:cut])
        at.forget_history()
        at.start()
        assert at.waiting() == 2, f"cut at {cut - last_line} of {len(whole) - last_line}"
        at.terminal.stop()
    at.spool.write_bytes(whole)
    server.start()
    at.start()

    assert [event.signal.src_ticket for event in at.clean(3)] == ["5000", "5001", "5002"]


def test_a_spoilt_line_in_the_middle_is_left_out(desk: MakeDesk, server: Server) -> None:
    server.stop()
    at = desk("signal", "tcp")
    at.deals(3)
    at.terminal.kill()
    whole = at.spool.read_bytes()
    at.spool.write_bytes(whole.replace(b'"src_ticket":"5001"', b'"src_ticket":"5991"'))
    at.forget_history()

    at.start()

    assert at.waiting() == 2
    assert at.terminal.said("1 torn lines left out")
    at.terminal.stop()


@pytest.mark.parametrize("left", ["only the new file", "both files"])
def test_a_crash_while_the_journal_is_made_shorter(desk: MakeDesk, server: Server, left: str) -> None:
    server.stop()
    at = desk("signal", "tcp")
    at.deals(2)
    at.terminal.kill()
    fresh = at.spool.with_name("signal.spool.new")
    if left == "only the new file":
        at.spool.rename(fresh)
    else:
        fresh.write_bytes(at.spool.read_bytes()[:40])
    server.start()

    at.start()

    at.clean(2)


def test_a_full_disk_refuses_before_anything_is_sent(desk: MakeDesk, server: Server) -> None:
    """F-22: what could not be stored was never sent and never will be; then it goes on without repair."""
    at = desk("signal", "tcp")
    at.terminal.do("call text=EURUSD|call|2.00|a")
    at.delivered(1)

    at.terminal.do("disk state=full")
    at.terminal.do("call text=EURUSD|call|2.00|b")
    at.terminal.do("call text=EURUSD|call|2.00|c")
    at.terminal.do("disk state=ok")
    at.terminal.do("call text=EURUSD|call|2.00|d")

    assert [event.signal.src_ticket for event in at.delivered(2)] == ["a", "d"]
    assert at.terminal.said("[alert] Fairstrike: signal refused")
    at.terminal.kill()
    at.start()
    assert [event.signal.seq for event in at.clean(2)] == [1, 2]


def test_a_deal_on_a_full_disk_is_taken_up_when_there_is_room(desk: MakeDesk) -> None:
    at = desk("signal", "tcp")
    at.terminal.do("disk state=full")
    at.deals(1)
    at.terminal.wait_for(lambda: at.terminal.said("signal refused"))

    at.terminal.do("disk state=ok")

    at.clean(1)


def test_the_spool_takes_a_thousand(desk: MakeDesk, server: Server) -> None:
    """ea.md 6.8: the cap is 1,000; the next is refused, with an alert, and the rest goes out in order."""
    server.stop()
    at = desk("signal", "tcp", InpValidMs=60000)
    at.terminal.do(*(f"call text=EURUSD|call|1.00|t{number}" for number in range(1002)))
    eventually(lambda: at.waiting() == 1000, within_s=20)
    assert sum(line.startswith("[alert]") for line in at.terminal.lines) == 1

    server.start()

    at.clean(1000, within_s=40)


@pytest.mark.parametrize("transport", ALL)
def test_what_was_never_sent_ages_out(desk: MakeDesk, server: Server, transport: str) -> None:
    """ea.md 6.8: too old by its valid_ms before it was first sent: it is left out, and its number declared gone."""
    server.stop()
    at = desk("signal", transport)
    at.deals(2)
    at.terminal.do("skip ms=6000")
    eventually(lambda: "too old 2" in at.terminal.comment(), within_s=5)

    server.start()
    at.deals(1)

    assert [event.signal.seq for event in at.delivered(1)] == [3]
    assert at.book.holes == [(1, 2)]
    at.terminal.stop()


@pytest.mark.parametrize("transport", ALL)
def test_what_was_sent_once_never_ages_out(desk: MakeDesk, server: Server, transport: str) -> None:
    """It may have been executed: only the server can say what became of it."""
    # Over HTTP the end of the server cuts the request by itself.
    server.faults.cuts_logged = int(transport != "http")
    at = desk("signal", transport)
    eventually(lambda: server.links + server.asks > 0, within_s=5)
    server.on_signal = server.stop_soon
    at.deals(1)
    eventually(lambda: len(at.book.events) == 1, within_s=5)

    at.terminal.do("skip ms=60000")
    server.on_signal = None
    server.start()

    at.clean(1)
    assert len(at.book.arrivals) == 2


def test_a_second_chart_with_the_same_name_does_not_run(desk: MakeDesk) -> None:
    at = desk("signal", "tcp")

    at.start_refused()

    at.deals(1)
    at.clean(1)


def test_the_journal_stays_short(desk: MakeDesk) -> None:
    at = desk("signal", "http")
    for burst in range(6):
        at.terminal.do(*(f"call text=EURUSD|put|1.00|{burst}-{number}|{'n' * 190}" for number in range(60)))
    at.delivered(360, within_s=30)
    # The history is tidied every ten seconds.
    at.terminal.do("skip ms=11000")

    eventually(lambda: at.spool.stat().st_size < 60_000, within_s=5)
    at.clean(360)
