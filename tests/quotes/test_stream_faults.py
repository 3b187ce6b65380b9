"""The socket ``/ws/quotes/`` when Redis is away and when clients do not read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker
from websockets.sync.client import ClientConnection

from quotes import publishing
from realtime import publishing as events_publishing
from tests.quotes.live import SERVERS, Stream, hear_ticks, stream_running, subscribe
from tests.quotes.market import Market
from tests.realtime.live import OwnRedis
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """A Redis that these tests stop and start."""
    server = OwnRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=SERVERS)
def stream(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker, own_redis: OwnRedis
) -> Iterator[Stream]:
    with django_db_blocker.unblock(), stream_running(server=request.param, redis_url=own_redis.url) as running:
        connections.close_all()
        yield running


@pytest.fixture(autouse=True)
def _published_there(own_redis: OwnRedis, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the admission of this process publish where the stream listens."""
    settings.REDIS_URL = own_redis.url
    own_redis.stop()
    own_redis.start()
    for publisher in (publishing, events_publishing):
        monkeypatch.setattr(publisher, "_client", None)
        monkeypatch.setattr(publisher, "_silent_until_s", 0.0)


def hear_whole_batches(client: ClientConnection, market: Market) -> None:
    """Wait until messages reach the stream: without them only the newest tick of a batch arrives."""

    def every_tick_of_a_batch_arrives() -> bool:
        publishing._silent_until_s = 0.0
        admitted = market.admit("1.12", "1.13", "1.14")
        heard = hear_ticks(client, until=(market.code, admitted[-1].seq))
        return [tick["seq"] for tick in heard][-3:] == [tick.seq for tick in admitted]

    assert eventually(every_tick_of_a_batch_arrives, within_s=20)


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
        hear_whole_batches(client, market)


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


@contextmanager
def reading_late(stream: Stream) -> Iterator[ClientConnection]:
    """Open a socket whose unread bytes fill up soon, for a client that reads nothing until it is asked to."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", stream.port))
    with stream.open(sock=connection, max_queue=1, ping_interval=None, max_size=2**24) as client:
        yield client


def _kernel_buffer_bytes() -> int:
    """Return how far the kernel lets the send buffer of a connection grow."""
    return int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])


def test_a_slow_reader_loses_superseded_ticks_never_the_newest_and_hinders_nobody(stream: Stream) -> None:
    market = Market()
    with stream.open(max_size=2**24, max_queue=None) as quick, reading_late(stream) as slow:
        subscribe(quick, market.code)
        hear_whole_batches(quick, market)
        subscribe(slow, market.code)
        prices = [f"1.1{number:04d}" for number in range(2_000)]
        admitted = []
        # More than the kernel keeps for a client that does not read, whatever this machine allows it.
        for _ in range(max(20, 2 * _kernel_buffer_bytes() // (len(prices) * 80))):
            admitted += market.admit(*prices, apart_ms=0)
        until = (market.code, admitted[-1].seq)

        all_of_them = hear_ticks(quick, until=until)
        some_of_them = hear_ticks(slow, until=until)

    assert [tick["seq"] for tick in all_of_them] == [tick.seq for tick in admitted]
    seqs = [tick["seq"] for tick in some_of_them]
    assert seqs == sorted(set(seqs))
    assert len(seqs) < len(admitted)
    known = {tick["seq"]: tick for tick in all_of_them}
    assert all(known[tick["seq"]] == tick for tick in some_of_them if tick["seq"] >= admitted[0].seq)
