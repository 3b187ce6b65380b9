"""What becomes a signal: deals with a magic number, all positions of an account, orders of MetaTrader 4, calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ea.mql.desk import Desk
from tests.ea.mql.reference import Server
from tests.support import eventually

MakeDesk = Callable[..., Desk]


def tickets(at: Desk) -> list[str | None]:
    """Return the tickets that the server knows, in the order of their numbers."""
    return [event.signal.src_ticket for event in sorted(at.book.events.values(), key=lambda event: event.signal.seq)]


def test_the_signal_expert_takes_deals_with_its_number_only(desk: MakeDesk) -> None:
    at = desk("signal", "tcp", InpMagic=42)

    at.deals(1, magic=0)
    at.deals(1, magic=42)
    at.deals(1, magic=43)

    assert at.clean(1)[0].signal.magic == 42


@pytest.mark.parametrize("transport", ["tcp", "ws", "http"])
def test_the_monitor_takes_every_position_that_is_opened(desk: MakeDesk, transport: str) -> None:
    at = desk("monitor", transport)

    at.deals(1, magic=0, type="buy")
    at.deals(1, magic=99, type="sell", entry="inout")
    for passed_over in ({"type": "balance"}, {"entry": "out"}, {"entry": "out_by"}):
        at.deals(1, **passed_over)
    at.deals(1, magic=7, symbol="XAUUSD-")

    signals = [event.signal for event in at.clean(3)]
    assert [(signal.magic, signal.direction) for signal in signals] == [(0, "call"), (99, "put"), (7, "call")]


def test_the_monitor_follows_a_choice(desk: MakeDesk) -> None:
    at = desk("monitor", "tcp", InpMagics="0,7", InpSymbols="EURUSD,GBPUSD")

    at.deals(1, magic=0)
    at.deals(1, magic=8)
    at.deals(1, magic=7, symbol="USDJPY")
    at.deals(1, magic=7, symbol="GBPUSD")

    assert [event.signal.symbol for event in at.clean(2)] == ["EURUSD", "GBPUSD"]


@pytest.mark.parametrize("expert", ["signal", "monitor"])
def test_a_hint_that_never_came(desk: MakeDesk, expert: str) -> None:
    """ea.md 4: calls of OnTradeTransaction may be displaced: the history is read again from the timer."""
    at = desk(expert, "tcp")

    at.deals(3, hints=0)

    at.clean(3)


@pytest.mark.parametrize("expert", ["signal", "monitor"])
def test_hints_that_come_again(desk: MakeDesk, expert: str) -> None:
    """ea.md 2.1: duplicates come from repeated calls; a deal is known by its ticket."""
    at = desk(expert, "tcp")

    at.deals(4, hints=5)

    at.clean(4)
    assert len(at.book.arrivals) == 4


def test_a_deal_that_shows_up_late_with_a_lower_ticket(desk: MakeDesk) -> None:
    """Neither tickets nor times need to come in order."""
    at = desk("monitor", "tcp")
    at.deals(1, ticket=9000)
    at.delivered(1)

    at.deals(1, ticket=8000, age_s=2)

    assert [event.signal.src_ticket for event in at.clean(2)] == ["9000", "8000"]


def test_history_from_before_the_first_start_is_left_alone(desk: MakeDesk) -> None:
    """Whoever puts the expert on a chart does not want the trades of the last minutes again."""
    at = desk("monitor", "tcp", InpMagics="1")
    at.deals(2, magic=1, age_s=60)
    at.terminal.stop()
    (at.spool).unlink()
    for left in (at.spool.with_suffix(".sid"),):
        left.unlink()

    at.start()
    at.deals(1, magic=1)

    assert [event.signal.src_ticket for event in at.clean(1)] == ["5002"]


def test_deals_made_while_the_expert_was_away(desk: MakeDesk) -> None:
    """Those that are still good become signals; those that are too old do not, and are counted."""
    at = desk("monitor", "tcp")
    at.deals(1)
    at.delivered(1)
    at.terminal.stop()
    at.start()
    at.terminal.do("skip ms=1000")
    at.deals(1, age_s=120, hints=0)
    at.deals(1, age_s=1, hints=0)

    events = at.delivered(2)
    eventually(lambda: "late 1" in at.terminal.comment(), within_s=5)
    assert [event.signal.src_ticket for event in events] == ["5000", "5002"]
    at.clean(2)


def test_a_deal_that_was_not_acknowledged_holds_the_history_open(desk: MakeDesk, server: Server) -> None:
    """ea.md 4: the history is read from the last deal that was acknowledged, not from the last one seen."""
    server.faults.ack_delay_s = 60
    at = desk("monitor", "tcp")
    at.deals(1)
    eventually(lambda: len(at.book.events) == 1, within_s=5)
    at.terminal.do("skip ms=900000")
    at.terminal.do("sleep ms=200")
    held = cursor(at)

    server.faults.ack_delay_s = 0
    server.say({"type": "command", "cmd": "resync"})
    at.delivered(1)
    at.terminal.do("skip ms=11000")

    eventually(lambda: cursor(at) >= held + 800, within_s=5)
    at.clean(1)


def cursor(at: Desk) -> int:
    """Return the broker's time from which deals are looked at, by the journal."""
    return max(int(line.split()[2]) for line in at.spool.read_text().splitlines() if line[8:11] == " C ")


# --- MetaTrader 4 -----------------------------------------------------------------------------------


def test_orders_of_metatrader_4_become_events(desk: MakeDesk) -> None:
    at = desk("mt4", "http")

    at.terminal.do("order type=buy symbol=EURUSD.m price=1.08512 magic=5")
    at.terminal.do("order type=sell symbol=GBPUSD price=1.27001")

    first, second = (event.signal for event in at.clean(2))
    assert (first.source, first.symbol, first.direction, first.magic) == ("mt4", "EURUSD.m", "call", 5)
    assert (first.ref_price, first.src_ticket) == ("1.08512", "7000")
    assert second.direction == "put"


def test_an_order_that_opens_and_closes_between_two_looks(desk: MakeDesk) -> None:
    at = desk("mt4", "http")

    at.terminal.do("order closed=1")

    at.clean(1)


def test_a_pending_order_is_taken_when_it_is_filled(desk: MakeDesk) -> None:
    at = desk("mt4", "http")
    at.terminal.do("order type=buylimit")
    at.terminal.do("order type=buy")
    at.delivered(1)

    at.terminal.do("fill ticket=7000")

    at.clean(2)
    assert tickets(at) == ["7001", "7000"]


def test_what_is_left_of_an_order_is_no_new_position(desk: MakeDesk) -> None:
    """Closing in part gives the rest a new ticket."""
    at = desk("mt4", "http")
    at.terminal.do("order")
    at.delivered(1)

    at.terminal.do("close ticket=7000 part=1")
    at.terminal.do("order")

    at.clean(2)
    assert tickets(at) == ["7000", "7002"]


def test_metatrader_4_knows_its_orders_after_a_crash(desk: MakeDesk, server: Server) -> None:
    at = desk("mt4", "http")
    at.terminal.do("order")
    at.delivered(1)
    server.stop()
    at.terminal.do("order")
    eventually(lambda: at.waiting() == 1, within_s=5)
    at.terminal.kill()

    server.start()
    at.start()
    at.terminal.do("order")

    at.clean(3)
    assert tickets(at) == ["7000", "7001", "7002"]


def test_metatrader_4_does_not_repeat_history(desk: MakeDesk) -> None:
    at = desk("mt4", "http", InpMagics="1")
    at.terminal.do("order magic=1 age_s=100")
    at.terminal.do("order magic=2")
    at.terminal.do("order magic=1")

    assert [event.signal.src_ticket for event in at.clean(1)] == ["7002"]


@pytest.mark.parametrize("fault", ["cuts_unlogged", "cuts_logged", "half_frames"])
def test_metatrader_4_through_cuts(desk: MakeDesk, server: Server, fault: str) -> None:
    setattr(server.faults, fault, 2)
    at = desk("mt4", "http")

    for _ in range(6):
        at.terminal.do("order")

    at.clean(6)


def test_metatrader_4_with_a_server_that_comes_late(desk: MakeDesk, server: Server) -> None:
    server.stop()
    at = desk("mt4", "http")
    for _ in range(6):
        at.terminal.do("order")
    eventually(lambda: at.waiting() == 6, within_s=5)

    server.start()

    at.clean(6)


# --- calls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expert", "transport"), [("signal", "tcp"), ("signal", "ws"), ("mt4", "http")])
def test_a_call_says_what_it_wants(desk: MakeDesk, expert: str, transport: str) -> None:
    at = desk(expert, transport, InpCurrency="USD", InpMaxDrift="0.001")
    at.terminal.do("quote symbol=XAUUSD bid=2034.12 ask=2034.32")

    at.terminal.do('call expiry_s=300 text=XAUUSD|put|7.50|trend-17|it "broke" \\ naïve Ω 😀')
    at.terminal.do("call text=EURUSD|call")

    first, second = (event.signal for event in at.clean(2))
    assert (first.direction, first.stake.value, first.stake.currency, first.expiry.s) == ("put", "7.50", "USD", 300)
    assert (first.src_ticket, first.meta) == ("trend-17", {"note": 'it "broke" \\ naïve Ω 😀'})
    assert (first.ref_price, first.max_drift, first.ask) == ("2034.12000", "0.001", "2034.32000")
    assert (second.src_ticket, second.stake.value, second.expiry.s) == (None, "1.00", 60)
    assert (second.ref_price, second.max_drift) == (None, None), "no quote, no price, no drift from it"


def test_a_call_with_a_ticket_is_taken_once(desk: MakeDesk) -> None:
    """A strategy that fires again after a restart does not trade twice."""
    at = desk("signal", "tcp")
    at.terminal.do("call text=EURUSD|call||bar-1")
    at.terminal.do("call text=EURUSD|call||bar-1")
    at.delivered(1)
    at.terminal.kill()
    at.start()

    at.terminal.do("call text=EURUSD|call||bar-1")
    at.terminal.do("call text=EURUSD|call||bar-2")

    at.clean(2)
    assert tickets(at) == ["bar-1", "bar-2"]


@pytest.mark.parametrize(
    "text",
    [
        "EURUSD", "EURUSD|up", "|call", "EURUSD|call|-1", "EURUSD|call|1,5", "EURUSD|call|1e3", "EURUSD|call|.5",
        "EURUSD|call|5.", "EURUSD|call|1234567890123", f"{'X' * 33}|call", f"EURUSD|call|1|{'t' * 33}",
        "EURUSD|call|1|a b", f"EURUSD|call|1|t|{'n' * 201}", "EURUSD|call|1|t|n|more",
    ],
)  # fmt: skip
def test_a_call_that_makes_no_sense_is_refused(desk: MakeDesk, text: str) -> None:
    at = desk("signal", "tcp")

    at.terminal.do(f"call text={text}")
    at.terminal.do("call expiry_s=4 text=EURUSD|call")
    at.terminal.do("call expiry_s=99999999999 text=EURUSD|call")
    at.terminal.do("call text=EURUSD|call|1.00|good")

    assert [event.signal.src_ticket for event in at.clean(1)] == ["good"]
    assert sum("refused" in line for line in at.terminal.lines) == 3
