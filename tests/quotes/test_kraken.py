"""The Kraken adapter against a local server that speaks both versions, and the recorded packets (F-14, F-15)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernel.clock import wall_ms
from kernel.metrics import counted
from quotes.adapters import kraken
from quotes.adapters.connection import FRAME_MAX_BYTES, Timings
from quotes.adapters.kraken import kraken_feed
from quotes.adapters.upstream import Declaration, Wanted
from quotes.domain import Refusal
from quotes.feeds import KRAKEN, FeedSettings
from tests.quotes.hearing import heard_from
from tests.quotes.replay import KRAKEN_TRADES, Replay, recording, replaying
from tests.quotes.upstreams import KrakenServer

pytestmark = pytest.mark.asyncio

QUOTES = Wanted()
TRADES = Wanted(quotes=False, trades=True)
BOTH = Wanted(trades=True)
HASTY = Timings(ping_after_s=0.1, dead_after_s=0.4)


def hearing(
    address: str, wanted: dict[str, Wanted], *, timings: Timings | None = None, receive_time: bool = False
) -> Any:
    """Run the adapter against an address."""
    settings = FeedSettings(KRAKEN, address, receive_time=receive_time)
    return heard_from(kraken_feed(settings=settings, clock=wall_ms, timings=timings), wanted)


@pytest.mark.parametrize(("version", "quotes"), [(1, "spread"), (2, "ticker")])
async def test_channels_are_asked_for_by_kind(version: int, quotes: str) -> None:
    """Contract, feeds: ``mid`` takes quotes, ``last`` takes trades, in either version; digits stay as they are sent."""
    server = KrakenServer("BTC/USD", "ETH/USD", version=version)
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES, "ETH/USD": TRADES}) as heard:
        await heard.until(lambda _: server.topics() == {(quotes, "BTC/USD"), ("trade", "ETH/USD")})
        at_ms = wall_ms()
        await server.quote("BTC/USD", "108359.80", "108359.90", at_ms=at_ms)
        await server.trade("ETH/USD", "2500.10", "2500.20", at_ms=at_ms)
        await heard.until(lambda heard: len(heard.ticks) == 3)

    quote, first, second = heard.ticks
    assert (str(quote.bid), str(quote.ask), quote.last) == ("108359.80", "108359.90", None)
    assert (str(first.last), str(second.last), first.bid) == ("2500.10", "2500.20", None)
    # Microseconds are cut.
    assert {tick.src_ms for tick in heard.ticks} == {at_ms}
    assert first.packet == second.packet != quote.packet
    assert (first.source_id, second.source_id) == (("t1", "t2") if version == 2 else (None, None))


async def test_a_quote_without_a_time_has_the_receive_time() -> None:
    """Rules 1: the time of a tick is the source's where it gives one; such packets say nothing of its clock."""
    server = KrakenServer("BTC/USD", stamped=False)
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}) as heard:
        await heard.until(lambda _: server.topics())
        await server.quote("BTC/USD", "1.5", "1.6")
        await heard.until(lambda heard: heard.ticks)

    assert heard.ticks[0].src_ms == heard.ticks[0].recv_ms
    assert [packet.timed for packet in heard.packets if packet.ticks] == [False]


async def test_requests_ask_for_the_book_now_and_no_trades_of_the_past() -> None:
    """Dependencies 5: every change of the best prices; a snapshot of the book, none of trades."""
    server = KrakenServer("BTC/USD")
    async with server.serving() as address, hearing(address, {"BTC/USD": BOTH}) as heard:
        await heard.until(lambda _: len(server.requests) == 2)

    asked = {request["params"]["channel"]: request["params"] for request in server.requests}
    assert asked["ticker"] == {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo", "snapshot": True}
    assert asked["trade"] == {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": False}


@pytest.mark.parametrize(("receive_time", "ticks"), [(False, 1), (True, 0)])
async def test_a_snapshot_of_trades_is_never_stamped_as_now(receive_time: bool, ticks: int) -> None:
    """Rules 1: a trade of the past is judged by its own time, or passed over; it never becomes a price of now."""
    server = KrakenServer("BTC/USD")
    old = {"symbol": "BTC/USD", "price": 9.5, "trade_id": 4, "timestamp": "2026-01-01T00:00:00.000001Z"}
    server.snapshots = {"BTC/USD": [old]}
    async with (
        server.serving() as address,
        hearing(address, {"BTC/USD": TRADES}, receive_time=receive_time) as heard,
    ):
        await heard.until(lambda _: server.topics())
        await server.trade("BTC/USD", "10.5")
        await heard.until(lambda heard: len(heard.ticks) == ticks + 1)

    assert [str(tick.last) for tick in heard.ticks] == ["9.5", "10.5"][1 - ticks :]


@pytest.mark.parametrize("version", [1, 2])
async def test_a_refused_symbol_costs_itself_only(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 1: it is counted, shown and asked for again; the others go on, on the same connection."""
    monkeypatch.setattr(kraken, "retry_after_s", lambda: 0.3)
    server = KrakenServer("BTC/USD", version=version)
    before = counted("feed_subscriptions_refused", feed="kraken")
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES, "NO/USD": QUOTES}) as heard:
        await heard.until(lambda heard: "1 refused" in heard.adapter.detail)
        shown = heard.adapter.detail
        await server.quote("BTC/USD", "1.5", "1.6")
        await heard.until(lambda heard: heard.ticks)
        server.known.add("NO/USD")
        await heard.until(lambda heard: len(server.topics()) == 2 and "refused" not in heard.adapter.detail)

    assert "NO/USD (Currency pair not supported" in shown.replace("spread ", "").replace("ticker ", "")
    assert counted("feed_subscriptions_refused", feed="kraken") > before
    assert server.connections == 1


async def test_symbols_come_and_go_on_the_same_connection() -> None:
    """Rules 1: it resubscribes without dropping the other symbols."""
    server = KrakenServer("BTC/USD", "ETH/USD")
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}) as heard:
        await heard.until(lambda _: server.topics() == {("ticker", "BTC/USD")})
        await heard.adapter.resubscribe({"BTC/USD": QUOTES, "ETH/USD": QUOTES})
        await heard.until(lambda _: len(server.topics()) == 2)
        await heard.adapter.resubscribe({"ETH/USD": QUOTES})
        await heard.until(lambda _: server.topics() == {("ticker", "ETH/USD")})

    assert server.connections == 1
    assert [request["params"]["symbol"] for request in server.requests] == [["BTC/USD"], ["ETH/USD"], ["BTC/USD"]]


@pytest.mark.parametrize("mid_frame", [False, True])
async def test_a_lost_connection_comes_back_with_all_channels_and_marks_the_gap(mid_frame: bool) -> None:
    """Issue 3: resubscription of everything; the gap is recorded from the last sign of life to the next, not filled."""
    server = KrakenServer("BTC/USD", "ETH/USD")
    before = counted("feed_gaps", feed="kraken")
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES, "ETH/USD": BOTH}) as heard:
        await heard.until(lambda _: len(server.topics()) == 3)
        await server.quote("BTC/USD", "1.5", "1.6")
        await heard.until(lambda heard: heard.ticks)
        await server.cut(mid_frame=mid_frame)
        await heard.until(lambda _: len(server.topics()) == 3 and server.connections == 2)
        await heard.until(lambda heard: "1 gaps" in heard.adapter.detail)

    assert len(heard.ticks) == 1
    assert counted("feed_gaps", feed="kraken") == before + 1
    assert heard.refused == []


async def test_a_quiet_market_is_proved_alive_by_its_pong() -> None:
    """F-14, heartbeat without ticks: the API's own ping is asked and answered."""
    server = KrakenServer("BTC/USD")
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}, timings=HASTY) as heard:
        await heard.until(lambda heard: heard.pongs >= 5)
        await heard.until(lambda _: any(request.get("method") == "ping" for request in server.requests))

    assert server.connections == 1


@pytest.mark.parametrize("version", [1, 2])
async def test_heartbeats_are_signs_of_life_and_no_ticks(version: int) -> None:
    """Dependencies 5: about one a second when nothing else flows."""
    server = KrakenServer("BTC/USD", version=version, heartbeat_s=0.05)
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}) as heard:
        await heard.until(lambda heard: heard.pongs >= 10)

    assert (heard.ticks, heard.refused) == ([], [])


async def test_a_half_open_connection_is_left() -> None:
    """F-14: nothing is read and nothing is said; no sign of life comes, and the connection is replaced."""
    server = KrakenServer("BTC/USD", heartbeat_s=0.05)
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}, timings=HASTY) as heard:
        await heard.until(lambda _: server.topics())
        await server.freeze()
        frozen_ms = wall_ms()
        await heard.until(lambda _: server.connections == 2)
        await heard.until(lambda heard: heard.adapter.connected and "gaps" in heard.adapter.detail)

    silent = [packet for packet in heard.packets if frozen_ms + 100 < packet.recv_ms < frozen_ms + 400]
    assert silent == []


@pytest.mark.parametrize(
    ("system", "closed"),
    [("maintenance", True), ("cancel_only", True), ("post_only", True), ("limit_only", False), ("lunch", None)],
)
async def test_the_engine_declares_all_markets(system: str, closed: bool | None) -> None:
    """Rules 1: the feed's own word; where orders do not meet, its markets are closed. Unknown words change nothing."""
    server = KrakenServer("BTC/USD")
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}) as heard:
        await heard.until(lambda heard: heard.declared)
        await server.engine(system)
        await server.engine("online")
        await heard.until(lambda heard: len(heard.declared) == (2 if closed is None else 3))

    words = [(word.source, word.closed) for word in heard.declared]
    assert words == [(None, False), *([] if closed is None else [(None, closed)]), (None, False)]
    assert all(isinstance(word, Declaration) and bool(word.reason) is word.closed for word in heard.declared)


@pytest.mark.parametrize(("version", "greets", "path"), [(2, True, "/stream"), (2, False, "/stream"), (1, True, "/v2")])
async def test_a_stand_in_at_any_address_is_asked_in_its_own_version(version: int, greets: bool, path: str) -> None:
    """Contract: ``FEED_KRAKEN_URL`` lets a local server stand in; the shape of what it says tells the version."""
    server = KrakenServer("BTC/USD", version=version, greets=greets, path=path)
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}) as heard:
        await heard.until(lambda _: server.topics())
        await server.quote("BTC/USD", "1.5", "1.6")
        await heard.until(lambda heard: heard.ticks)
        await server.cut()
        asked = len(server.requests)
        await heard.until(lambda _: server.connections == 2 and server.topics())

    # The second connection begins in the version that was learned.
    assert all(("method" in request) is (version == 2) for request in server.requests[asked:])


async def test_the_recorded_packets_arrive_whole() -> None:
    """Issue 3: Kraken's arrays as they were recorded, stamped with our time, from a server that answers nothing."""
    packets = recording(KRAKEN_TRADES)
    trades = [json.loads(packet.text) for packet in packets if packet.text.startswith("[")]
    expected = [(one[3], row[0]) for one in trades for row in one[1]]
    before_ms = wall_ms()
    replay = Replay(packets, speed=0, answers=False)
    async with (
        replaying(replay) as address,
        hearing(address, {"XMR/USD": TRADES, "SC/EUR": TRADES}, receive_time=True) as heard,
    ):
        await heard.until(lambda heard: len(heard.ticks) >= len(expected))

    assert [(tick.source, str(tick.last)) for tick in heard.ticks] == expected
    assert all(tick.src_ms == tick.recv_ms >= before_ms for tick in heard.ticks)
    assert heard.refused == []
    assert [word.closed for word in heard.declared] == [False]
    assert len(expected) == 10


async def test_garbage_costs_itself_and_a_huge_frame_the_connection() -> None:
    """F-15: counted; what comes after is read."""
    server = KrakenServer("BTC/USD")
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}) as heard:
        await heard.until(lambda _: server.topics())
        for frame in (b"\xff{", "[[[", '{"channel":"ticker","data":[{"symbol":"BTC/USD","bid":"x","ask":1}]}', "{"):
            await server.send(frame)
        await server.quote("BTC/USD", "1.5", "1.6")
        await heard.until(lambda heard: heard.ticks)
        assert server.connections == 1
        await server.send("x" * (FRAME_MAX_BYTES + 1))
        await heard.until(lambda _: server.connections == 2 and server.topics())

    assert heard.refused == [Refusal.MALFORMED] * 5


async def test_a_slow_frame_is_waited_for_and_an_endless_one_is_not() -> None:
    """F-15: a frame may come in pieces, but a connection that is silent between them for too long is left."""
    server = KrakenServer("BTC/USD")
    text = json.dumps({"channel": "trade", "data": [], "padding": "x" * 300})
    async with server.serving() as address, hearing(address, {"BTC/USD": QUOTES}, timings=HASTY) as heard:
        await heard.until(lambda _: server.topics())
        await server.trickle(text, pieces=3, pause_s=0.05)
        await heard.until(lambda heard: heard.packets)
        assert server.connections == 1
        await server.trickle(text, pieces=2, pause_s=1.0)
        await heard.until(lambda _: server.connections == 2)

    assert heard.refused == []
