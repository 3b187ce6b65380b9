"""The socket ``/ws/quotes/`` on its two real servers: contract.md, WebSocket /ws/quotes/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from kernel import db
from kernel.clock import rfc3339
from kernel.money import format_scaled
from quotes.domain import AdmittedTick
from quotes.models import Symbol, SymbolHead
from quotes.publishing import publish
from quotes.services import symbol_halt, symbol_resume
from tests.quotes.live import SERVERS, Stream, hear_ticks, hear_type, stream_running, subscribe
from tests.quotes.market import Market, code_new
from tests.realtime.live import ask, hear, say

committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", params=SERVERS)
def stream(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stream]:
    with django_db_blocker.unblock(), stream_running(server=request.param) as running:
        connections.close_all()
        yield running


@pytest.fixture
def client(stream: Stream) -> Iterator[ClientConnection]:
    with stream.open() as opened:
        yield opened


def told(market: Market, tick: AdmittedTick) -> dict[str, Any]:
    """Return what the stream tells of an admitted tick."""
    price = format_scaled(tick.price, market.symbol.price_scale)
    return {"symbol": market.code, "seq": tick.seq, "at": rfc3339(tick.at_ms), "price": price}


@committed
def test_a_subscription_is_answered_and_the_last_tick_follows_at_once(client: ClientConnection) -> None:
    market = Market()
    last = market.admit("1.10001", "1.10002")[-1]

    say(client, {"id": 7, "type": "subscribe", "symbols": [market.code]})

    assert hear(client) == {"id": 7, "type": "ok"}
    assert hear(client) == {"type": "ticks", "ticks": [told(market, last)]}


@committed
def test_every_admitted_tick_arrives_in_order_as_it_stands_in_the_log(client: ClientConnection) -> None:
    market = Market()
    subscribe(client, market.code)

    admitted = [tick for number in range(20) for tick in market.admit(f"1.100{number:02d}", f"1.101{number:02d}")]

    heard = hear_ticks(client, until=(market.code, 40))
    assert heard == [told(market, tick) for tick in admitted]


@committed
def test_ticks_of_one_batch_come_in_one_frame(client: ClientConnection) -> None:
    first, second = Market(), Market(price_scale=2)
    first.admit("1.1")
    second.admit("10.00")
    subscribe(client, first.code, second.code)
    hear_type(client, "ticks")

    admitted = first.admit("1.1", "1.11", "1.12")

    assert hear(client)["ticks"] == [told(first, tick) for tick in admitted]


@committed
def test_a_socket_hears_only_what_it_watches(client: ClientConnection, stream: Stream) -> None:
    mine, other = Market(), Market()
    subscribe(client, mine.code)
    with stream.open() as neighbour:
        subscribe(neighbour, other.code, mine.code)
        other.admit("1.1")
        mine.admit("1.2")

        assert {tick["symbol"] for tick in hear_ticks(client, until=(mine.code, 1))} == {mine.code}
        assert {tick["symbol"] for tick in hear_ticks(neighbour, until=(mine.code, 1))} == {mine.code, other.code}


@committed
def test_unknown_symbols_are_answered_with_an_error_and_the_others_are_subscribed(client: ClientConnection) -> None:
    market = Market()
    market.admit("1.1")
    unknown = code_new()

    say(client, {"id": "a", "type": "subscribe", "symbols": [unknown, market.code]})
    answer = hear(client)

    assert (answer["id"], answer["type"]) == ("a", "error")
    assert answer["error"]["code"] == "symbol.unknown"
    assert [error["message"] for error in answer["error"]["errors"]] == [unknown]
    assert hear(client)["ticks"][0]["symbol"] == market.code


@committed
def test_a_symbol_added_later_can_be_subscribed_at_once(client: ClientConnection) -> None:
    subscribe(client, Market().code)

    assert subscribe(client, Market().code) == {"id": 1, "type": "ok"}


@committed
def test_unsubscribed_symbols_fall_silent(client: ClientConnection) -> None:
    market, other = Market(), Market()
    subscribe(client, market.code, other.code)

    assert ask(client, id=2, type="unsubscribe", symbols=[market.code]) == {"id": 2, "type": "ok"}
    market.admit("1.1")
    other.admit("1.2")

    assert [tick["symbol"] for tick in hear_ticks(client, until=(other.code, 1))] == [other.code]


def test_a_ping_is_answered(client: ClientConnection) -> None:
    assert ask(client, type="ping") == {"type": "pong"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"ping"',
        "{}",
        '{"id":1}',
        '{"id":1,"type":"order"}',
        '{"id":1,"type":"subscribe"}',
        '{"id":1,"type":"subscribe","symbols":[]}',
        '{"id":1,"type":"subscribe","symbols":"EURUSD"}',
        '{"id":1,"type":"subscribe","symbols":[1]}',
        '{"id":1,"type":"subscribe","symbols":[""]}',
        '{"id":1,"type":"subscribe","symbols":[null]}',
        '{"id":1,"type":"subscribe","symbols":["' + "X" * 33 + '"]}',
        '{"id":1,"type":"ping","extra":true}',
        '{"id":{},"type":"ping"}',
        '{"type":"subscribe","symbols":' + "[" * 20_000 + "]" * 20_000 + "}",
        "\N{PILE OF POO}",
    ],
)
def test_what_is_no_frame_is_answered_with_an_error(client: ClientConnection, text: str) -> None:
    client.send(text)

    answer = hear(client)

    assert answer["type"] == "error"
    assert answer["error"]["code"] == "request.invalid"
    assert answer["id"] == (1 if text.startswith('{"id":1') else None)
    assert ask(client, type="ping") == {"type": "pong"}


@committed
def test_too_many_subscriptions_are_refused_whole(client: ClientConnection) -> None:
    codes = [code_new() for _ in range(201)]
    symbols = Symbol.objects.bulk_create(Symbol(code=code, name=code, feed="script", source=code) for code in codes)
    SymbolHead.objects.bulk_create(SymbolHead(symbol=symbol) for symbol in symbols)
    assert subscribe(client, *codes[:200])["type"] == "ok"

    answer = subscribe(client, codes[200])

    assert answer["error"]["code"] == "subscription.limit"
    assert subscribe(client, *codes[:200])["type"] == "ok"


@pytest.mark.parametrize(("message", "code"), [("x" * 65_537, 1009), ("é" * 40_000, 1009), (b"{}", 1003)])
def test_a_frame_that_is_too_large_or_binary_closes_the_socket(
    client: ClientConnection, message: str | bytes, code: int
) -> None:
    client.send(message)

    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_flood_of_frames_closes_the_socket(client: ClientConnection) -> None:
    with pytest.raises(ConnectionClosed) as closed:
        _flood(client)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def _flood(client: ClientConnection) -> None:
    for _ in range(2_000):
        client.send('{"type":"ping"}')
    while True:
        client.recv(timeout=10)


@committed
def test_a_halt_and_its_end_are_told(client: ClientConnection) -> None:
    market = Market(max_tick_age_ms=600_000)
    market.admit("1.1")
    subscribe(client, market.code)

    symbol_halt(code=market.code, reason="Exchange outage")
    assert hear_type(client, "feed") == {"type": "feed", "symbol": market.code, "state": "halted"}
    market.beat()
    symbol_resume(code=market.code)
    assert hear_type(client, "feed") == {"type": "feed", "symbol": market.code, "state": "open"}


@committed
def test_a_hint_about_states_is_followed_at_once(client: ClientConnection) -> None:
    """What the parser says about states is a hint; the state that is told comes from the heads."""
    market = Market(max_tick_age_ms=600_000)
    market.admit("1.1")
    subscribe(client, market.code)
    hear_type(client, "ticks")

    symbol_halt(code=market.code, reason="Exchange outage")
    publish("feed", b'{"feed":[{"symbol":"nonsense","state":"open"}]}')
    publish("feed", b"nonsense")
    publish("ticks", b"nonsense")

    assert hear_type(client, "feed") == {"type": "feed", "symbol": market.code, "state": "halted"}
    assert market.admit("1.11")[-1].seq == hear_ticks(client, until=(market.code, 2))[-1]["seq"]


@committed
def test_a_market_goes_stale_without_a_word_from_a_parser(client: ClientConnection) -> None:
    """Rules 1, market state: silence is a state, and the heads tell it."""
    market = Market(max_tick_age_ms=500)
    market.admit("1.1")
    subscribe(client, market.code)

    assert hear_type(client, "feed") == {"type": "feed", "symbol": market.code, "state": "stale"}


@committed
def test_a_tick_that_no_message_told_is_found_in_the_heads(client: ClientConnection) -> None:
    """Redis carries hints: a message that is lost delays a tick and loses nothing for ever."""
    market = Market()
    market.admit("1.1")
    subscribe(client, market.code)
    hear_ticks(client, until=(market.code, 1))

    # The head moves as an admission moves it, and nothing is published.
    db.run(
        "UPDATE quotes_symbol_head SET seq = 5, tick_at_ms = tick_at_ms + 1, tick_price = 110001 WHERE symbol_id = %s",
        [market.symbol.id],
    )

    tick = hear_ticks(client, until=(market.code, 5))[-1]
    assert tick["price"] == "1.10001"


@committed
def test_a_socket_that_comes_later_never_sees_a_seq_twice_or_backwards(stream: Stream) -> None:
    market = Market()
    with ExitStack() as subscribers:
        clients = []
        for number in range(30):
            market.admit(f"1.1{number:02d}")
            clients.append(subscribers.enter_context(stream.open()))
            say(clients[-1], {"type": "subscribe", "symbols": [market.code]})
        for opened in clients:
            seqs = [tick["seq"] for tick in hear_ticks(opened, until=(market.code, 30))]
            assert all(later == earlier + 1 for earlier, later in pairwise(seqs))


@committed
def test_frames_for_the_same_set_are_equal_bytes(stream: Stream) -> None:
    market = Market()
    with stream.open() as one, stream.open() as two:
        subscribe(one, market.code)
        subscribe(two, market.code)
        market.admit("1.1", "1.11")

        assert one.recv(timeout=10) == two.recv(timeout=10)


def test_messages_are_text_frames_of_json(client: ClientConnection) -> None:
    client.send('{"id":1,"type":"ping"}')

    message = client.recv(timeout=10)

    assert isinstance(message, str)
    assert json.loads(message) == {"id": 1, "type": "pong"}
