"""The Deriv adapter against a local server that speaks its protocol (F-14, F-15, F-16)."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.clock import wall_ms
from quotes.adapters import deriv
from quotes.adapters.connection import Timings
from quotes.adapters.deriv import DerivDialect, deriv_feed
from quotes.adapters.upstream import Wanted
from quotes.domain import Refusal
from quotes.feeds import DERIV, FeedSettings
from tests.quotes.hearing import heard_from
from tests.quotes.upstreams import DerivServer

pytestmark = pytest.mark.asyncio

WANTED = Wanted()
HASTY = Timings(ping_after_s=0.1, dead_after_s=0.4)


def hearing(address: str, *symbols: str, timings: Timings | None = None, receive_time: bool = False) -> Any:
    """Run the adapter against an address."""
    settings = FeedSettings(DERIV, address, receive_time=receive_time)
    adapter = deriv_feed(settings=settings, clock=wall_ms, timings=timings)
    return heard_from(adapter, dict.fromkeys(symbols, WANTED))


async def test_ticks_have_their_second_and_their_order() -> None:
    """Dependencies 5: times are whole seconds, so equal ones are common; nothing is taken for a repeat by an id."""
    server = DerivServer("R_100")
    async with server.serving() as address, hearing(address, "R_100") as heard:
        await heard.until(lambda _: server.carried())
        for quote in (1234.56, 1234.57, 1234.55):
            await server.tick("R_100", quote, epoch=1_700_000_000)
        await heard.until(lambda heard: len(heard.ticks) == 3)

    assert [(tick.src_ms, str(tick.last)) for tick in heard.ticks] == [
        (1_700_000_000_000, text) for text in ("1234.56", "1234.57", "1234.55")
    ]
    assert all(tick.serves_all and tick.bid is None and tick.source_id is None for tick in heard.ticks)


async def test_bid_and_ask_make_the_mid_and_the_quote_the_last() -> None:
    """Contract, feeds: ``mid`` takes quotes where both sides are given; one price alone serves both sources."""
    server = DerivServer("frxEURUSD")
    async with server.serving() as address, hearing(address, "frxEURUSD", receive_time=True) as heard:
        await heard.until(lambda _: server.carried())
        await server.tick("frxEURUSD", 1.0851, spread=0.0001)
        await heard.until(lambda heard: heard.ticks)

    tick = heard.ticks[0]
    assert (str(tick.bid), str(tick.ask), str(tick.last), tick.serves_all) == ("1.085", "1.0852", "1.0851", False)
    assert tick.src_ms == tick.recv_ms


async def test_symbols_come_and_go_on_the_same_connection() -> None:
    """Rules 1: a stream is ended by its id, also when the id comes only after the symbol is unwanted."""
    server = DerivServer("R_50", "R_75", "R_100")
    async with server.serving() as address, hearing(address, "R_50", "R_75") as heard:
        await heard.until(lambda _: server.carried() == {"R_50", "R_75"})
        await server.tick("R_50", 5.5)
        await heard.until(lambda heard: heard.ticks)
        await heard.adapter.resubscribe({"R_100": WANTED})
        await heard.until(lambda _: server.carried() == {"R_75", "R_100"})
        await server.tick("R_75", 7.5)
        await heard.until(lambda _: server.carried() == {"R_100"})
        await heard.adapter.resubscribe({"R_100": WANTED, "R_75": WANTED})
        await heard.until(lambda _: server.carried() == {"R_100", "R_75"})

    assert server.connections == 1


async def test_a_closed_market_is_declared_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 1: the feed's own word closes this market only; its first tick opens it."""
    monkeypatch.setattr(deriv, "retry_after_s", lambda _: 0.2)
    server = DerivServer("frxEURUSD", "R_100")
    server.closed = {"frxEURUSD"}
    async with server.serving() as address, hearing(address, "frxEURUSD", "R_100") as heard:
        await heard.until(lambda heard: len(heard.declared) >= 2)
        await server.tick("R_100", 1.5)
        await heard.until(lambda heard: heard.ticks)
        closed = list(heard.declared)
        server.closed.clear()
        await heard.until(lambda _: server.carried() == {"R_100", "frxEURUSD"})
        await server.tick("frxEURUSD", 1.0851)
        await server.tick("frxEURUSD", 1.0852)
        await heard.until(lambda heard: len(heard.ticks) == 3)

    words = [(word.source, word.closed) for word in closed]
    assert set(words[:-1]) == {("frxEURUSD", True)}
    assert closed[0].reason == "This market is presently closed."
    assert [(word.source, word.closed) for word in heard.declared if not word.closed] == [
        ("R_100", False),
        ("frxEURUSD", False),
    ]
    assert server.connections == 1


async def test_unknown_symbols_and_limits_cost_themselves_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 1: shown, counted, asked for again; an unknown symbol much later than a limited one."""
    asked_again = []

    def soon(least_s: float) -> float:
        asked_again.append(least_s)
        return 0.2 if least_s < 60 else least_s

    monkeypatch.setattr(deriv, "retry_after_s", soon)
    server = DerivServer("R_100")
    server.limited = 1
    async with server.serving() as address, hearing(address, "R_100", "NO_1") as heard:
        await heard.until(lambda heard: "Symbol NO_1 is invalid" in heard.adapter.detail)
        await heard.until(lambda _: server.carried() == {"R_100"})
        await server.tick("R_100", 1.5)
        await heard.until(lambda heard: heard.ticks)
        await heard.until(lambda heard: "rate limit" not in heard.adapter.detail)

    assert sorted(asked_again) == [30.0, 300.0]
    assert heard.declared == [word for word in heard.declared if not word.closed]


async def test_a_lost_connection_comes_back_with_all_streams() -> None:
    """Dependencies 5: resubscribe all; the newest tick comes first and is judged like any other."""
    server = DerivServer("R_50", "R_100")
    async with server.serving() as address, hearing(address, "R_50", "R_100") as heard:
        await heard.until(lambda _: len(server.carried()) == 2)
        await server.tick("R_50", 5.5, epoch=1_700_000_000)
        await heard.until(lambda heard: heard.ticks)
        await server.cut(mid_frame=True)
        await heard.until(lambda heard: len(server.carried()) == 2 and "1 gaps" in heard.adapter.detail)
        await heard.until(lambda heard: len(heard.ticks) == 2)

    assert server.connections == 2
    # The same tick again is admission's duplicate.
    assert heard.ticks[0].src_ms == heard.ticks[1].src_ms


async def test_a_session_is_kept_alive_however_much_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dependencies 5: a session that asks nothing for two minutes is ended; a ping goes out at least every 30 s."""
    assert DerivDialect.keepalive_s == 30.0
    monkeypatch.setattr(DerivDialect, "keepalive_s", 0.1)
    server = DerivServer("R_100")
    async with server.serving() as address, hearing(address, "R_100") as heard:
        await heard.until(lambda _: server.carried())
        for number in range(40):
            await server.tick("R_100", 1.5 + number)
            await heard.until(lambda heard, number=number: len(heard.ticks) > number)
        await heard.until(lambda _: sum("ping" in request for request in server.requests) >= 3)

    assert (server.connections, heard.refused) == (1, [])


async def test_a_half_open_connection_is_left() -> None:
    """F-14: neither a tick nor an answer to our ping."""
    server = DerivServer("R_100")
    async with server.serving() as address, hearing(address, "R_100", timings=HASTY) as heard:
        await heard.until(lambda heard: heard.pongs >= 2)
        await server.freeze()
        await heard.until(lambda _: server.connections == 2 and len(server.carried()) == 1)


async def test_garbage_costs_itself() -> None:
    """F-15: counted; what comes after is read."""
    server = DerivServer("R_100")
    async with server.serving() as address, hearing(address, "R_100") as heard:
        await heard.until(lambda _: server.carried())
        for frame in (b"\xff", "{", '{"msg_type":"tick","tick":{"symbol":"R_100","epoch":"now","quote":1}}', "[]"):
            await server.send(frame)
        await server.send({"msg_type": "tick", "error": {"code": "WrongResponse", "message": "Sorry."}})
        await server.tick("R_100", 1.5)
        await heard.until(lambda heard: heard.ticks)

    assert heard.refused == [Refusal.MALFORMED] * 4
    assert server.connections == 1
