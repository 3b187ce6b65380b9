"""The socket ``/ws/quotes/`` when Redis is away and when clients do not read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from websockets.sync.client import ClientConnection

from quotes import publishing
from tests.quotes.live import Stream, hear_ticks, stream_running, subscribe
from tests.quotes.market import Market
from tests.realtime.live import OwnRedis
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def own_redis(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRedis]:
    """A Redis of the test's own, which the admission of this process publishes to."""
    server = OwnRedis(tmp_path)
    server.start()
    settings.REDIS_URL = server.url
    monkeypatch.setattr(publishing, "_client", None)
    monkeypatch.setattr(publishing, "_silent_until_s", 0.0)
    yield server
    server.stop()


@pytest.fixture
def stream(own_redis: OwnRedis) -> Iterator[Stream]:
    with stream_running(redis_url=own_redis.url) as running:
        yield running
    connections.close_all()


def test_quotes_go_on_by_the_heads_while_redis_is_away_and_by_messages_after(
    stream: Stream, own_redis: OwnRedis
) -> None:
    market = Market()
    with stream.open() as client:
        subscribe(client, market.code)
        market.admit("1.1")
        hear_ticks(client, until=(market.code, 1))

        own_redis.stop()
        market.admit("1.11")
        assert hear_ticks(client, until=(market.code, 2), within_s=3)
        with stream.open() as newcomer:
            subscribe(newcomer, market.code)
            assert hear_ticks(newcomer, until=(market.code, 2))

        own_redis.start()

        def every_tick_of_a_batch_arrives() -> bool:
            publishing._silent_until_s = 0.0
            admitted = market.admit("1.12", "1.13", "1.14")
            heard = hear_ticks(client, until=(market.code, admitted[-1].seq))
            return [tick["seq"] for tick in heard] == [tick.seq for tick in admitted]

        assert eventually(every_tick_of_a_batch_arrives, within_s=15)


def test_a_socket_never_goes_backwards_while_redis_comes_and_goes(stream: Stream, own_redis: OwnRedis) -> None:
    market = Market()
    with stream.open() as client:
        subscribe(client, market.code)
        last = 0
        for number in range(60):
            if number % 20 == 10:
                own_redis.stop()
            elif number % 20 == 0 and number:
                own_redis.start()
            last = market.admit(f"1.1{number:02d}")[-1].seq
        seqs = [tick["seq"] for tick in hear_ticks(client, until=(market.code, last))]

    assert seqs == sorted(set(seqs))


def _small_window(stream: Stream) -> socket.socket:
    """Return a connection whose unread bytes fill up soon."""
    connection = socket.create_connection(("127.0.0.1", stream.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return connection


def _watch_without_reading(stream: Stream, market: Market) -> ClientConnection:
    client = stream.open(sock=_small_window(stream), max_queue=1, ping_interval=None)
    return client
