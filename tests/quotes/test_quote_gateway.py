"""``manage.py quote_gateway``: what it does besides the conversation, which ``test_stream*`` holds on both servers."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

from kernel.metrics import counted
from quotes.stream import gateway as gateway_module
from quotes.stream import sockets
from quotes.stream.gateway import Gateway, address_key
from quotes.stream.messages import Tick
from tests.quotes.live import Stream, hear_ticks, stream_running, subscribe
from tests.quotes.market import Market, code_new
from tests.realtime.live import ask
from tests.support import eventually, eventually_async

committed = pytest.mark.django_db(transaction=True)
PER_ADDRESS = 3


@pytest.fixture(scope="module")
def stream(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Stream]:
    limit = ("--sockets-per-address", str(PER_ADDRESS))
    with django_db_blocker.unblock(), stream_running(*limit, server="gateway") as running:
        connections.close_all()
        yield running


@pytest.fixture
def client(stream: Stream) -> Iterator[ClientConnection]:
    with stream.open() as opened:
        yield opened


def closing_code(client: ClientConnection) -> int | None:
    """Read until the server closes, and return its code."""
    try:
        while True:
            client.recv(timeout=10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [("/healthz", 200, {"status": "ok"}), ("/", 404, None), ("/api/v1/time", 404, None), ("/ws/quotes/", 400, None)],
)
def test_plain_requests(stream: Stream, path: str, status: int, body: object) -> None:
    """Contract, Commands: the gateway serves one socket and its probe; anything else is no address of its."""
    connection = http.client.HTTPConnection("127.0.0.1", stream.port, timeout=10)
    connection.request("GET", path)

    answer = connection.getresponse()

    assert answer.status == status
    assert body is None or (json.loads(answer.read()), answer.headers["Content-Type"]) == (body, "application/json")
    connection.close()


def test_a_browser_that_names_keep_alive_beside_upgrade_is_let_in(stream: Stream) -> None:
    """Firefox sends ``Connection: keep-alive, Upgrade``."""
    with socket.create_connection(("127.0.0.1", stream.port), timeout=10) as raw:
        raw.sendall(
            b"GET /ws/quotes/ HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 101 ")


def test_an_address_holds_so_many_sockets_and_no_more(stream: Stream) -> None:
    """S-08: bounded memory for each client address; a socket that goes makes room."""
    with ExitStack() as held:
        clients = [held.enter_context(stream.open()) for _ in range(PER_ADDRESS)]
        with stream.open() as refused:
            assert closing_code(refused) == 1008
        clients[0].close()

        def there_is_room() -> bool:
            with stream.open() as newcomer, suppress(ConnectionClosed):
                return ask(newcomer, type="ping") == {"type": "pong"}
            return False

        assert eventually(there_is_room, within_s=10)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "key"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.2", "198.51.100.1, 198.51.100.2", "198.51.100.2"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        ("10.0.0.2", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (None, "", "None"),
    ],
)
def test_sockets_are_counted_by_the_address_behind_our_own_proxies(
    settings: Any, peer: str | None, forwarded_for: str, key: str
) -> None:
    """A client cannot write itself another address, and an IPv6 household counts as one."""
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]

    assert address_key(peer, forwarded_for) == key


class Compressed(Frame):
    """A frame of an extension that nobody agreed on."""

    def serialize(self, **options: Any) -> bytes:
        """Return the bytes with the first reserved bit set."""
        plain = super().serialize(**options)
        return bytes([plain[0] | 0x40]) + plain[1:]


def _raw(client: ClientConnection, *frames: Frame) -> None:
    # At once: whoever writes on after a close is cut before it has read why.
    client.socket.sendall(b"".join(frame.serialize(mask=True) for frame in frames))


def test_a_message_in_fragments_is_one_message_and_control_frames_may_come_between(client: ClientConnection) -> None:
    """RFC 6455, 5.4."""
    _raw(
        client,
        Frame(Opcode.TEXT, b'{"id":1,', fin=False),
        Frame(Opcode.PING, b"between"),
        Frame(Opcode.CONT, b"", fin=False),
        Frame(Opcode.CONT, b'"type":"ping"}'),
    )

    assert json.loads(client.recv(timeout=10)) == {"id": 1, "type": "pong"}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Frame(Opcode.CONT, b"x")], 1002),
        ([Frame(Opcode.TEXT, b"x", fin=False), Frame(Opcode.TEXT, b"y")], 1002),
        ([Frame(Opcode.TEXT, b"x", fin=False), Frame(Opcode.BINARY, b"y")], 1002),
        ([Compressed(Opcode.TEXT, b"{}")], 1002),
        ([Frame(Opcode.TEXT, b'"\xff\xfe"')], 1007),
        ([Frame(Opcode.BINARY, b"x", fin=False), Frame(Opcode.CONT, b"y")], 1003),
        ([Frame(Opcode.TEXT, b"x" * 40_000, fin=False), Frame(Opcode.CONT, b"x" * 40_000)], 1009),
        ([Frame(Opcode.TEXT, b"x", fin=False), *[Frame(Opcode.CONT, b"", fin=False)] * 1_000], 1008),
        ([Frame(Opcode.PING, b"x")] * 1_000, 1008),
    ],
    ids=["no start", "two starts", "mixed", "rsv1", "UTF-8", "binary", "too large", "flood of fragments", "pings"],
)
def test_what_breaks_the_protocol_closes_the_socket(client: ClientConnection, frames: list[Frame], code: int) -> None:
    """S-08: bounded memory, and a code that tells why."""
    _raw(client, *frames)

    assert closing_code(client) == code


@committed
def test_both_servers_say_the_same_bytes(stream: Stream) -> None:
    """Contract, Commands: the fan-out at scale has the messages of ``/ws/quotes/``."""
    market, unknown = Market(), code_new()
    market.admit("1.1")
    frames = [
        f'{{"id":"a","type":"subscribe","symbols":["{market.code}"]}}',
        f'{{"id":2,"type":"subscribe","symbols":["{unknown}"]}}',
        f'{{"id":3,"type":"unsubscribe","symbols":["{market.code}"]}}',
        '{"id":4,"type":"ping"}',
        '{"id":5,"type":"order"}',
        "nonsense",
    ]
    with stream_running(server="asgi") as other, stream.open() as here, other.open() as there:
        for frame in frames:
            for asked in (here, there):
                asked.send(frame)
        for _ in range(len(frames) + 1):
            assert _without_request_id(here.recv(timeout=10)) == _without_request_id(there.recv(timeout=10))

        for watching in (here, there):
            subscribe(watching, market.code)
            hear_ticks(watching, until=(market.code, 1))
        market.admit("1.1", "1.11", "1.12")
        assert here.recv(timeout=10) == there.recv(timeout=10)


def _without_request_id(message: str | bytes) -> str:
    said = json.loads(message)
    if said["type"] != "error":
        return str(message)
    request_id = said["error"]["request_id"]
    return str(message).replace(request_id, "-")


@committed
def test_sigterm_closes_the_sockets_and_ends_the_process() -> None:
    """Sockets hear that the server comes back (1012); one that does not answer holds nothing up for long."""
    with stream_running(server="gateway") as own, own.open() as polite:
        subscribe(polite, Market().code)
        silent = socket.create_connection(("127.0.0.1", own.port), timeout=10)
        silent.sendall(
            b"GET /ws/quotes/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert silent.recv(4096).startswith(b"HTTP/1.1 101 ")

        own.process.send_signal(signal.SIGTERM)

        assert closing_code(polite) == 1012
        assert own.process.wait(6) == 0
        silent.close()


@asynccontextmanager
async def gateway_here(**options: Any) -> AsyncIterator[Gateway]:
    """Run a gateway on this test's event loop."""
    running = Gateway(**options)
    await running.start("127.0.0.1", 0)
    try:
        yield running
    finally:
        await running.stop()


@committed
@pytest.mark.asyncio
async def test_heartbeats_go_both_ways_and_a_dead_client_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract: heartbeat both ways every 20 s; here every 0.2 s."""
    monkeypatch.setattr(gateway_module, "HEARTBEAT_S", 0.2)
    async with gateway_here() as running:
        address = f"ws://127.0.0.1:{running.port}/ws/quotes/"
        async with connect_async(address, ping_interval=None, compression=None) as alive:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(
                b"GET /ws/quotes/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            said = await asyncio.wait_for(reader.read(), 5)

            # A ping without a payload, then the close of the one who did not answer it.
            assert b"\r\n\r\n\x89\x00\x88" in said
            assert await asyncio.wait_for(await alive.ping(), 5) >= 0
            writer.close()


@committed
@pytest.mark.asyncio
async def test_a_frame_that_comes_while_the_answering_ends_is_answered() -> None:
    """A task's end and the call that tells of it are two steps of the loop: a frame between them must not be lost."""
    async with (
        gateway_here() as running,
        connect_async(f"ws://127.0.0.1:{running.port}/ws/quotes/", compression=None) as client,
    ):
        await client.send('{"id":0,"type":"ping"}')
        await client.recv()
        (served,) = running._clients
        served._message(b'{"id":1,"type":"ping"}', text=True)
        answering = served._answering
        assert answering is not None
        while not answering.done():
            await asyncio.sleep(0)
        served._message(b'{"id":2,"type":"ping"}', text=True)

        async with asyncio.timeout(5):
            assert [json.loads(await client.recv())["id"] for _ in range(2)] == [1, 2]


@committed
@pytest.mark.asyncio
async def test_a_client_that_never_reads_is_cut_and_held_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-08: what one socket keeps is bounded by the write limit and one tick a symbol, and so is its time."""
    monkeypatch.setattr(sockets, "DRAIN_S", 0.3)
    monkeypatch.setattr(sockets, "CLOSE_S", 0.2)
    async with gateway_here() as running:
        before, superseded = counted("quotes_sockets_closed", code="1013"), counted("quotes_frames_superseded")
        market = await asyncio.to_thread(_symbol)
        async with connect_async(
            f"ws://127.0.0.1:{running.port}/ws/quotes/", ping_interval=None, compression=None, max_queue=1
        ) as slow:
            await slow.send(json.dumps({"type": "subscribe", "symbols": [market]}))
            await slow.recv()
            slow.transport.pause_reading()
            (served,) = running._clients
            seq = 0

            async def is_cut() -> bool:
                nonlocal seq
                for _ in range(50):
                    ticks = [Tick(market, seq := seq + 1, "2026-01-01T00:00:00.000Z", "1.1") for _ in range(500)]
                    running.market.take(ticks)
                    running.market._flush()
                connection = served._connection
                assert connection.is_closing() or connection.get_write_buffer_size() < 2 * 64 * 1024
                return not running._clients

            assert await eventually_async(is_cut, within_s=30)
            slow.transport.abort()
        assert counted("quotes_sockets_closed", code="1013") == before + 1
        assert counted("quotes_frames_superseded") > superseded


def _symbol() -> str:
    market = Market()
    connections.close_all()
    return market.code
