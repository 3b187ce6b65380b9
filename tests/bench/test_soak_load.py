"""What the soak sends, and what it demands of the answers, of the streams and of its own sources of prices."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect

from bench.soak.findings import Findings
from bench.soak.market import ADDED, CALENDARS, CODES, add_symbol_arguments, levels, sessions_around
from bench.soak.orders import WRONG, Answer, Ask, Composer, answers_problem
from bench.soak.streams import AccountFollower
from bench.soak.traders import Trader
from bench.soak.upstreams import Binance, Deriv, Dialect, Kraken, Upstream
from kernel.clock import parse_rfc3339, wall_ms
from quotes.adapters.registry import adapter_build
from quotes.adapters.upstream import Wanted
from quotes.calendar import sessions_parsed
from quotes.feeds import feed_settings
from quotes.hours import Hours, hours_problems
from tests.support import eventually_async
from trading.ticket import ticket_parsed

TRADER = Trader(0, "soak-0@example.com", "00000000-0000-7000-8000-000000000001", "fs_x")
BODY = {"client_order_id": "soak-1", "direction": "up"}
MADE, SAME, OTHER = Answer(201, order_id="a"), Answer(200, order_id="a"), Answer(200, order_id="b")
DIALECTS: dict[str, tuple[Dialect, str]] = {
    "binance": (Binance(), "/stream"),
    "kraken": (Kraken(), "/v2"),
    "deriv": (Deriv(), "/websockets/v3?app_id=1"),
}


@pytest.mark.parametrize(
    ("kind", "must", "answers", "well"),
    [
        ("plain", "", [MADE], True),
        ("plain", "", [Answer(422, "market.halted")], True),
        ("plain", "", [Answer(503, "order.busy")], True),
        ("plain", "", [Answer(403, "account.banned")], True),
        ("plain", "", [Answer(500, "internal")], False),
        ("plain", "", [Answer(502, "not JSON")], False),
        ("plain", "", [Answer(0, "unanswered")], False),
        ("plain", "", [Answer(429, "rate.limited")], False),
        ("plain", "", [Answer(422, "wallet.insufficient_funds")], False),
        ("twin", "", [MADE, SAME], True),
        ("twin", "", [SAME, SAME], True),
        ("twin", "", [MADE, MADE], False),
        ("twin", "", [MADE, OTHER], False),
        ("repeat", "", [SAME], True),
        ("repeat", "", [OTHER], False),
        ("repeat", "", [MADE], False),
        ("other_terms", "order.client_order_id.reused", [Answer(422, "order.client_order_id.reused")], True),
        ("other_terms", "order.client_order_id.reused", [SAME], False),
        ("wrong", "symbol.unknown", [Answer(422, "symbol.unknown")], True),
        ("wrong", "symbol.unknown", [Answer(422, "market.halted")], False),
        ("wrong", "symbol.unknown", [MADE], False),
    ],
)
def test_answers_are_judged(kind: str, must: str, answers: list[Answer], well: bool) -> None:
    """Contract, idempotency and refusal codes: what each kind of order may be answered."""
    problem = answers_problem(Ask(TRADER, BODY, kind=kind, must=must), answers, known_id="a")

    assert (problem == "") is well, problem


def test_every_kind_of_order_is_drawn_and_has_the_shape_it_should() -> None:
    """Issue 3: all symbols, both directions, durations and clock times, repeats, and orders that must be refused."""
    composer = Composer([TRADER], random.Random(1))
    asks: list[Ask] = []
    for number in range(1_500):
        ask = composer.compose()
        asks.append(ask)
        if ask.kind in ("plain", "twin"):
            composer.remember(ask, f"order-{number}")

    parsed = [ticket_parsed(json.dumps(ask.body).encode()) for ask in asks if ask.must != "request.invalid"]

    assert {ask.kind for ask in asks} == {"plain", "twin", "repeat", "other_terms", "wrong"}
    assert {ask.must for ask in asks if ask.kind == "wrong"} == set(WRONG)
    assert {ticket.symbol for ticket in parsed} >= set(CODES)
    clock = [parse_rfc3339(ask.body["expires_at"]) - wall_ms() for ask in asks if "expires_at" in ask.body]
    assert clock
    # Behind the purchase deadline of 10 s, and within the hour that all symbols offer.
    assert all(10_000 < ahead_ms < 120_000 for ahead_ms in clock)
    assert {ticket.duration_s for ticket in parsed if ticket.duration_s} >= set(range(5, 61))


def test_the_same_seed_draws_the_same_orders() -> None:
    """Issue 3: the seed is printed, so that what a run has drawn can be drawn again."""
    first, second = (Composer([TRADER], random.Random("7:orders")) for _ in range(2))

    drawn = [(first.compose(), second.compose()) for _ in range(50)]

    assert all(_undated(one) == _undated(other) for one, other in drawn)


def _undated(ask: Ask) -> dict[str, Any]:
    return {name: value for name, value in ask.body.items() if name != "expires_at"}


def test_a_stream_must_not_skip_repeat_or_reorder_events() -> None:
    """Contract, WebSocket: prev_seq is the last seq that the subscription saw."""
    findings = Findings(accepted={"a": 0, "b": 0, "c": 1})
    follower = AccountFollower(url="http://127.0.0.1:1", trader=TRADER, findings=findings)

    follower.take(_event(1, 0, "order.settled", "a"))
    follower.take({"id": 1, "type": "ok"})
    follower.take(_event(2, 1, "balance.changed", "x"))
    assert findings.violations == []
    follower.take(_event(4, 3, "order.settled", "a"))
    follower.take(_event(4, 4, "balance.changed", "x"))
    follower.judge()

    assert [text.partition(" of ")[0] for text in findings.violations[:2]] == ["stream", "stream"]
    assert follower.unsettled() == 1
    assert ["not told" in text or "told twice" in text for text in findings.violations[2:]] == [True, True]


def _event(seq: int, prev_seq: int, kind: str, order_id: str) -> dict[str, Any]:
    return {"channel": "account", "seq": seq, "prev_seq": prev_seq, "type": kind, "data": {"id": order_id}}


def test_violations_beyond_the_first_are_counted() -> None:
    """A run that goes wrong everywhere does not fill the memory."""
    findings = Findings()

    for number in range(60):
        findings.violated(f"violation {number}")

    assert (len(findings.violations), findings.violations_more) == (50, 10)


@pytest.mark.parametrize("hours", CALENDARS, ids=lambda hours: hours.name)
@pytest.mark.parametrize(
    "weekday", ["2026-11-21T23:58:31.000Z", "2026-11-22T14:59:00.000Z", "2026-06-17T10:00:00.000Z"]
)
def test_sessions_end_and_begin_during_the_run(hours: Any, weekday: str) -> None:
    """Rules 1, sessions: the hours that the soak asks for can be kept, across midnight and the week's end as well."""
    now_ms = parse_rfc3339(weekday)
    texts = sessions_around(hours, now_ms=now_ms, minutes=10, shift=1)
    kept = Hours(hours.time_zone, tuple(one for text in texts for one in sessions_parsed(text)))

    problems = hours_problems(kept, now_ms=now_ms)
    windows = kept.calendar.windows(now_ms, now_ms + 600_000)

    assert problems == []
    assert len(windows) >= 2


def test_twenty_symbols_have_all_pairs_of_rules() -> None:
    """Issue 3: 20 symbols; both entry rules with both settlement rules."""
    pairs = set()
    for position, offered in enumerate(ADDED):
        words = add_symbol_arguments(position, offered)
        pairs.add((words[words.index("--entry-rule") + 1], words[words.index("--settlement-rule") + 1]))

    assert len(CODES) == len(set(CODES)) == 20
    assert len(pairs) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("feed", sorted(DIALECTS))
async def test_the_platform_understands_the_local_sources(feed: str) -> None:
    """Issue 3: adapters get moving prices of every symbol, whatever garbage is between them."""
    dialect, path = DIALECTS[feed]
    upstream = Upstream(feed, dialect, levels(feed), random.Random(3))
    wanted = {
        offered.source: Wanted(quotes=offered.price_source == "mid", trades=offered.price_source == "last")
        for offered in ADDED
        if offered.feed == feed
    }
    async with upstream.serving(path) as address:
        adapter = adapter_build(feed_settings(feed, {f"FEED_{feed.upper()}_URL": address}), wall_ms)
        await adapter.resubscribe(wanted)
        prices: dict[str, set[str]] = {}

        async def listen() -> None:
            async for packet in adapter.packets():
                for tick in packet.ticks:
                    if tick.source in wanted:
                        prices.setdefault(tick.source, set()).add(str(tick.last or tick.bid))

        async def moving() -> bool:
            return prices.keys() == wanted.keys() and all(len(seen) > 1 for seen in prices.values())

        listening = asyncio.create_task(listen())
        try:
            await eventually_async(moving, within_s=10)
            await upstream.garble()
            prices.clear()
            await eventually_async(moving, within_s=10)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    assert upstream.faults[f"{feed} garbled"] == 1


@pytest.mark.asyncio
async def test_a_stalled_source_keeps_the_connection_and_says_nothing() -> None:
    """F-14: a half-open connection; only silence tells."""
    upstream = Upstream("kraken", Kraken(), levels("kraken"), random.Random(3))
    async with upstream.serving("/v2") as address, connect(address) as socket:
        await socket.send(json.dumps({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}}))
        told = [json.loads(await socket.recv()) for _ in range(4)]
        stalling = asyncio.create_task(upstream.stall())
        pong = await socket.ping()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pong, 0.5)
        stalling.cancel()

    assert told[0]["channel"] == "status"
    assert any(message.get("channel") == "ticker" for message in told)
