"""The Binance adapter against a local server that replays real packets (F-14, F-15, I-14)."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any

import pytest

from kernel.clock import wall_ms
from quotes.adapters.binance import binance_feed, streams_in
from quotes.adapters.connection import FRAME_MAX_BYTES, Timings
from quotes.adapters.upstream import Wanted
from quotes.domain import Refusal
from quotes.feeds import BINANCE, FeedSettings
from tests.quotes.hearing import heard_from
from tests.quotes.replay import FUTURES, Replay, packets_of, recording, replaying

pytestmark = pytest.mark.asyncio

QUOTES = Wanted()
TRADES = Wanted(quotes=False, trades=True)
HASTY = Timings(ping_after_s=0.1, dead_after_s=0.4)

_updates = count(1)


def book(symbol: str = "SUSHIUSDT", bid: str = "7.61") -> str:
    """Return a packet of a spot book ticker."""
    return json.dumps({"u": next(_updates), "s": symbol, "b": bid, "B": "1", "a": "7.62", "A": "1"})


def hearing(address: str, *, timings: Timings | None = None, receive_time: bool = False, **wanted: Wanted) -> Any:
    """Run the adapter against an address."""
    settings = FeedSettings(BINANCE, address, receive_time=receive_time)
    return heard_from(binance_feed(settings=settings, clock=wall_ms, timings=timings), wanted or {"sushiusdt": QUOTES})


async def test_the_recording_arrives_whole_and_in_order() -> None:
    """Issue 2.4: real packets, bursts included; what is not asked for is not dropped here but counted later."""
    packets = recording(FUTURES)
    kinds = [json.loads(packet.text)["data"] for packet in packets]
    expected = [event["s"] for event in kinds if event["e"] in {"bookTicker", "aggTrade"}]

    async with replaying(Replay(packets, speed=0)) as address, hearing(address) as heard:
        await heard.until(lambda heard: len(heard.sources) >= len(expected))

    assert heard.sources == expected
    assert heard.refused == []


async def test_streams_are_asked_for_by_kind() -> None:
    """Contract, feeds: ``mid`` takes quotes, ``last`` takes trades; names are lower-case."""
    replay = Replay(recording(FUTURES), speed=0, only_subscribed=True, loop=True)
    async with replaying(replay) as address, hearing(address, sushiusdt=QUOTES, ctkusdt=TRADES) as heard:
        await heard.until(lambda heard: {"SUSHIUSDT", "CTKUSDT"} <= set(heard.sources))

    assert replay.requests[0]["method"] == "SUBSCRIBE"
    assert set(replay.requests[0]["params"]) == {"sushiusdt@bookTicker", "ctkusdt@trade", "ctkusdt@aggTrade"}


async def test_a_new_symbol_joins_on_the_same_connection() -> None:
    """Rules 1: it resubscribes without dropping the other symbols."""
    replay = Replay(recording(FUTURES), speed=0, only_subscribed=True, loop=True)
    async with replaying(replay) as address, hearing(address) as heard:
        await heard.until(lambda heard: heard.sources)
        await heard.adapter.resubscribe({"sushiusdt": QUOTES, "akrousdt": QUOTES})
        await heard.until(lambda heard: "AKROUSDT" in heard.sources)
        await heard.adapter.resubscribe({"akrousdt": QUOTES})
        await heard.until(lambda _: len(replay.requests) == 3)

    assert replay.connections == 1
    assert replay.requests[1]["params"] == ["akrousdt@bookTicker"]
    assert (replay.requests[2]["method"], replay.requests[2]["params"]) == ("UNSUBSCRIBE", ["sushiusdt@bookTicker"])


async def test_streams_of_the_address_are_not_asked_for_again() -> None:
    """Contract, feeds: streams are asked for by SUBSCRIBE or ``?streams=``."""
    replay = Replay(recording(FUTURES), speed=0, only_subscribed=True, loop=True)
    async with replaying(replay) as address, hearing(f"{address}?streams=sushiusdt@bookTicker") as heard:
        await heard.until(lambda heard: heard.sources)

    assert replay.requests == []
    assert streams_in("wss://x/ws/btcusdt@trade") == {"btcusdt@trade"}


async def test_receive_time_stamps_a_replayed_recording() -> None:
    """Contract, environment: ``FEED_<NAME>_TIME=receive``."""
    before_ms = wall_ms()
    async with replaying(Replay(recording(FUTURES)[:5])) as address, hearing(address, receive_time=True) as heard:
        await heard.until(lambda heard: heard.sources)

    ticks = [tick for packet in heard.packets for tick in packet.ticks]
    assert all(tick.src_ms == tick.recv_ms >= before_ms for tick in ticks)


@pytest.mark.parametrize("answers", [True, False])
async def test_a_lost_connection_comes_back_with_all_streams(answers: bool) -> None:
    """Dependencies 5: reconnect with back-off, resubscribe all; with or without an answer to SUBSCRIBE."""
    replay = Replay(packets_of([book()]), answers=answers)
    async with replaying(replay) as address, hearing(address, sushiusdt=QUOTES, akrousdt=QUOTES) as heard:
        await heard.until(lambda heard: len(heard.sources) == 1)
        await replay.cut()
        await heard.until(lambda heard: len(heard.sources) == 2)
        await heard.until(lambda _: len(replay.requests) == 2)

    assert [set(request["params"]) for request in replay.requests] == [
        {"sushiusdt@bookTicker", "akrousdt@bookTicker"}
    ] * 2


async def test_a_server_that_takes_no_questions_is_listened_to() -> None:
    """Issue 2.4: a replay server may close on input that it does not know."""
    replay = Replay(packets_of([book()]), speed=1, closes_when_asked=True)
    replay.packets[0] = replay.packets[0].__class__(0.5, replay.packets[0].text)
    async with replaying(replay) as address, hearing(address) as heard:
        await heard.until(lambda heard: heard.sources)

    assert len(replay.requests) == 1


async def test_a_quiet_connection_is_proved_alive_by_its_pong() -> None:
    """F-14: heartbeat without ticks; the sign of life is the upstream's, never our own timer's."""
    async with replaying(Replay([])) as address, hearing(address, timings=HASTY) as heard:
        await heard.until(lambda heard: heard.pongs >= 3)
        connected = heard.adapter.connected

    assert connected


async def test_a_half_open_connection_is_left() -> None:
    """F-14: TCP half open: no packet, no pong; no sign of life comes, and the connection is replaced."""
    silent = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal silent
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        silent += 1
        pump = asyncio.create_task(_pump(reader, upstream_writer, limit=10_000))
        # The handshake and one packet pass; then nothing comes back any more.
        await _pump(upstream_reader, writer, limit=300)
        await asyncio.wait({pump}, timeout=5)
        writer.close()
        upstream_writer.close()

    replay = Replay(packets_of([book()] * 20))
    async with replaying(replay) as address:
        port = int(address.split(":")[2].split("/")[0])
        proxy = await asyncio.start_server(swallow, "127.0.0.1", 0)
        async with proxy, hearing(f"ws://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/stream", timings=HASTY) as heard:
            await heard.until(lambda _: silent >= 2)

    assert heard.pongs == 0


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, limit: int) -> None:
    passed = 0
    while passed < limit and (data := await reader.read(limit - passed)):
        passed += len(data)
        writer.write(data)


async def test_malformed_frames_cost_nothing_but_themselves() -> None:
    """F-15: truncated, binary, bad UTF-8: counted, and the connection goes on."""
    replay = Replay(packets_of([book()]))
    async with replaying(replay) as address, hearing(address) as heard:
        await heard.until(lambda heard: heard.sources)
        for frame in (b"\xff\xfe{", b'{"s":"SUSHIUSDT","u":1,"b":"x","a":"1"}', b"{", book().encode()[:-3]):
            await replay.send(frame)
        await replay.send(book())
        await heard.until(lambda heard: len(heard.sources) == 2)

    assert heard.refused == [Refusal.MALFORMED] * 4
    assert replay.connections == 1


async def test_an_oversized_frame_costs_the_connection_only() -> None:
    """F-15, huge: frames are bounded; the next connection goes on."""
    replay = Replay(packets_of([book()]))
    async with replaying(replay) as address, hearing(address) as heard:
        await heard.until(lambda heard: heard.sources)
        await replay.send("x" * (FRAME_MAX_BYTES + 1))
        await heard.until(lambda heard: len(heard.sources) == 2)

    assert heard.refused == [Refusal.MALFORMED]
    assert replay.connections == 2


async def test_nobody_at_the_address_is_waited_for() -> None:
    """Reliability: an upstream that is not there yet is tried again."""
    async with replaying(Replay([])) as address:
        port = int(address.split(":")[2].split("/")[0])
    async with hearing(address) as heard:
        await heard.until(lambda heard: "refused" in heard.adapter.detail or "Connect" in heard.adapter.detail)
        async with replaying(Replay(packets_of([book()])), port=port):
            await heard.until(lambda heard: heard.sources)
