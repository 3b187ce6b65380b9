"""F-21: connections that send rubbish or next to nothing: each ends alone, and the gateway stays as large as it was."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import time
from collections.abc import Iterator

import psutil
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from ea.client import Client, Spool, TcpLink
from ea.models import Event
from tests.ea.bridge import OPEN, Running, gateway_running, installation
from tests.support import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.xdist_group("ea-poison")]

CONNECTIONS, FRAMES = 120, 25
GROWTH_BYTES_MAX = 20_000_000
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# Frames of a WebSocket that RFC 6455 forbids, or that are no payload: unmasked, a reserved bit, a continuation of
# nothing, 2^62 bytes, a fragmented ping, an unknown kind, bad UTF-8, binary.
WEBSOCKET = [
    b"\x81\x02{}",
    b"\xc1\x82\0\0\0\0{}",
    b"\x80\x82\0\0\0\0{}",
    b"\x81\xff\x40\0\0\0\0\0\0\0\0\0\0\0",
    b"\x09\x80\0\0\0\0",
    b"\x83\x80\0\0\0\0",
    b"\x81\x84\0\0\0\0\xff\xfe\xfd\xfc",
    b"\x82\x82\0\0\0\0{}",
]


@pytest.fixture(scope="module")
def gateway(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with django_db_blocker.unblock(), gateway_running(tmp_path_factory.mktemp("gateway")) as running:
        connections.close_all()
        yield running


@pytest.fixture
def good(gateway: Running) -> Iterator[Client]:
    """A client that does nothing wrong."""
    client = gateway.client(installation().spool())
    assert client.hello()["type"] == "welcome"
    yield client
    client.link.close()


def spoilt(rng: random.Random, payload: bytes) -> bytes:
    """Return a frame that is wrong in one of many ways."""
    cut = rng.randrange(len(payload))
    content = rng.choice(
        [
            payload[:cut],
            payload[:cut] + bytes([payload[cut] ^ rng.randrange(1, 256)]) + payload[cut + 1 :],
            payload[:cut] + payload[:cut],
            payload.replace(b"{", b"[" * rng.randrange(1, 2_000), 1),
            payload.replace(b'"seq":', b'"seq":1,"seq":', 1),
            payload.replace(b"10.00", rng.choice([b"-1", b"1e9", b"NaN", b"\\u0000", b"\xc0\x80"]), 1),
            os.urandom(rng.randrange(1, 400)),
            b'{"type":"hello"}',
        ]
    )
    length = rng.choice([len(content)] * 9 + [0, 2**31, 2**32 - 1, 65_537, len(content) + 7])
    return struct.pack(">I", length) + content


def poured(port: int, data: bytes, *, greeted: Spool | None = None) -> None:
    """Send rubbish on a connection of its own, known to the server or not, and read until nothing more comes."""
    link = TcpLink("127.0.0.1", port)
    with contextlib.closing(link), contextlib.suppress(OSError):
        if greeted is not None:
            assert Client(greeted, link).hello()["type"] == "welcome"
        link.socket.sendall(data)
        link.socket.shutdown(socket.SHUT_WR)
        link.socket.settimeout(10)
        while link.socket.recv(65_536):
            pass


def held(gateway: Running) -> int:
    """Return how many connections the gateway has with clients."""
    found = psutil.Process(gateway.process.pid).net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED for one in found)


def test_rubbish_ends_its_own_connection_and_nothing_else(gateway: Running, good: Client) -> None:
    """F-21: thousands of frames from strangers and from known terminals, over both ports; nothing of it is logged."""
    rng, before = random.Random(21), held(gateway)
    spool = installation().spool()
    _, payload = Spool(spool.credentials).add(**OPEN)
    size = psutil.Process(gateway.process.pid).memory_info().rss

    for number in range(CONNECTIONS):
        data = b"".join(spoilt(rng, payload) for _ in range(FRAMES))
        poured(gateway.port, data, greeted=spool if number % 2 else None)
        poured(gateway.ws_port, UPGRADE + rng.choice(WEBSOCKET) if number % 3 else data)
        if number % 20 == 0:
            good.signal(**OPEN)
            assert good.next("ack")["status"] == "accepted"

    assert psutil.Process(gateway.process.pid).memory_info().rss - size < GROWTH_BYTES_MAX
    eventually(lambda: held(gateway) == before, within_s=10)
    assert set(Event.objects.values_list("kid", flat=True)) == {good.spool.credentials.kid}
    assert "Traceback" not in gateway.log.read_text()


def test_who_says_next_to_nothing_is_let_go(gateway: Running, good: Client) -> None:
    """F-21: slow-loris before the hello: half a length, a hello, an upgrade and a message, byte by byte."""
    begun_s = time.monotonic()
    slow = {
        "length": (gateway.port, b"", b"\0"),
        "hello": (gateway.port, struct.pack(">I", 60_000), b" "),
        "upgrade": (gateway.ws_port, b"GET / HTTP/1.1\r\nX: ", b"x"),
        "message": (gateway.ws_port, UPGRADE + b"\x81\xfe\xea\x60\0\0\0\0", b" "),
    }
    links = {}
    for name, (port, first, _) in slow.items():
        links[name] = socket.create_connection(("127.0.0.1", port), timeout=10)
        links[name].sendall(first)

    ended_s = dict[str, float]()
    while len(ended_s) < len(slow) and time.monotonic() < begun_s + 15:
        for name in slow.keys() - ended_s.keys():
            try:
                links[name].settimeout(0.1)
                links[name].sendall(slow[name][2] if name != "length" or time.monotonic() < begun_s + 0.2 else b"")
                while links[name].recv(65_536):
                    pass
                ended_s[name] = time.monotonic() - begun_s
            except TimeoutError:
                continue
            except OSError:
                ended_s[name] = time.monotonic() - begun_s
        good.heartbeat()
        good.next("heartbeat")
    for link in links.values():
        link.close()

    assert set(ended_s) == set(slow)
    assert max(ended_s.values()) < 9
