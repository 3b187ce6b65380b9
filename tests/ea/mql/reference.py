"""A server of the EA wire for tests: TCP, WebSocket and HTTP on loopback, with faults on demand.

It runs on a thread of its own. What it knows lies in a book, which stays when the server is stopped and started again.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.ea.mql.endpoint import Endpoint
from tests.ea.mql.faults import Faults
from tests.ea.mql.framings import Breach, Framing, TcpFraming, WebSocketFraming
from tests.ea.mql.wire import EVENTS_MAX, Book, Heartbeat, Hello, ParamsAck, Resync, Signal, reject

TRANSPORTS = ("tcp", "ws", "http", "tls", "wss")


class Server:
    """Holds one port for each transport, whether it listens or not.

    :ivar links: how many connections said hello and were welcomed
    :ivar asks: how often results were asked for over HTTP
    :ivar batches: how many events each request over HTTP had
    :ivar offsets: how far the server's clock is ahead, as requests over HTTP said
    """

    def __init__(self, book: Book, tls: ssl.SSLContext | None = None) -> None:
        self.book, self.faults, self._tls = book, Faults(), tls
        self.links = 0
        self.heartbeat_s = 1
        self.clock_ahead_ms = 0
        # Called when a signal has been logged, before it is answered.
        self.on_signal: Callable[[Signal], None] | None = None
        self.asks = 0
        self.batches: list[int] = []
        self.offsets: list[int] = []
        self.pairing_code: str | None = None
        self.pairings: list[dict[str, str]] = []
        self._connections: set[Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._stopping: asyncio.Task[None] | None = None
        self._sockets = {name: _bound(0) for name in TRANSPORTS}
        self.ports = {name: held.getsockname()[1] for name, held in self._sockets.items()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reference server")
        self._thread.start()

    @property
    def endpoint(self) -> Endpoint:
        """Where this server is, and its key."""
        book = self.book
        return Endpoint("127.0.0.1", self.ports, book.kid, book.secret, book.acct, book.server)

    def start(self) -> None:
        """Listen on every port."""
        self._wait(self._start())

    def stop(self) -> None:
        """Cut every link and refuse new ones; the ports stay ours."""
        self._wait(self._stop())

    def stop_soon(self, _: Signal) -> None:
        """Stop from inside of the server's own thread."""
        self._stopping = self._loop.create_task(self._stop())

    def end(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for held in self._sockets.values():
            held.close()

    def say(self, frame: dict[str, Any]) -> None:
        """Send a frame to every link that is up."""
        self._wait(self._say(frame))

    def decide(self, event_id: str, state: str, **more: Any) -> None:
        """Decide about an event, and tell it."""
        self.say(self.book.decide(event_id, state, **more))

    def write(self, payload: bytes) -> None:
        """Send a payload, whatever it is, to every link that is up."""
        self._wait(self._write(payload))

    def send_split(self, frame: dict[str, Any]) -> None:
        """Send a frame to every WebSocket in fragments, with a ping between them."""
        self._wait(self._split(frame))

    @property
    def pongs(self) -> int:
        """How many pings were answered."""
        return sum(getattr(connection.framing, "pongs", 0) for connection in self._connections)

    def server_ms(self) -> int:
        """Return the server's clock."""
        return time.time_ns() // 1_000_000 + self.clock_ahead_ms

    def take(self, signal: Signal, payload: bytes) -> dict[str, Any]:
        """Log a signal and return the answer."""
        reply = self.book.take(signal, payload)
        if self.on_signal:
            self.on_signal(signal)
        return reply

    def _wait(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_as_coroutine(work), self._loop).result(10)

    async def _start(self) -> None:
        framings: dict[str, Callable[[], Framing]] = {"tcp": TcpFraming, "ws": WebSocketFraming}
        framings |= {"tls": TcpFraming, "wss": WebSocketFraming}
        for name in TRANSPORTS:
            if self._sockets[name].fileno() < 0:
                self._sockets[name] = _bound(self.ports[name])
            if name == "http":
                self._listeners.append(await asyncio.start_server(self._http, sock=self._sockets[name]))
            elif self._tls is not None or name in {"tcp", "ws"}:
                make, tls = framings[name], self._tls if name in {"tls", "wss"} else None
                opened = self._loop.create_server(
                    lambda make=make: Connection(self, make()), sock=self._sockets[name], ssl=tls
                )
                self._listeners.append(await opened)

    async def _stop(self) -> None:
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.cut()
        self._listeners.clear()
        answering = [task for task in asyncio.all_tasks() if task not in {asyncio.current_task(), self._stopping}]
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)

    async def _say(self, frame: dict[str, Any]) -> None:
        for connection in self._connections:
            if connection.greeted:
                connection.send(frame)

    async def _write(self, payload: bytes) -> None:
        for connection in self._connections:
            if connection.greeted:
                connection.write(connection.framing.framed(payload))

    async def _split(self, frame: dict[str, Any]) -> None:
        for connection in self._connections:
            if connection.greeted and isinstance(connection.framing, WebSocketFraming):
                connection.write(connection.framing.split(encoded(frame)))

    # --- HTTP ---------------------------------------------------------------------------------------

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._request(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.used("deaf"):
            writer.transport.abort()
            return
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n")[0].split(" ")
        sizes = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(sizes[0])) if sizes else b""
        answer = await self._answer(method, target, body)
        if answer is None:
            writer.transport.abort()
            return
        # A problem document has a title, and no other answer.
        refused = isinstance(answer, dict) and "title" in answer
        status, reply = self.faults.http_status or (404 if refused else 200), encoded(answer)
        text = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(reply)}\r\n\r\n"
        half = method == "POST" and self.faults.used("half_frames")
        writer.write(text.encode() + (reply[: len(reply) // 2] if half else reply))
        await writer.drain()
        writer.close()

    async def _answer(self, method: str, target: str, body: bytes) -> Any:
        """Return the reply to a request; None to cut it off."""
        path = urlsplit(target).path
        if self.faults.http_status:
            return {"status": self.faults.http_status}
        if (method, path) == ("GET", "/ea/v1/commands"):
            return self._commands(target)
        if (method, path) == ("POST", "/ea/v1/pair"):
            return self._paired(body)
        if (method, path) != ("POST", "/ea/v1/events"):
            self.book.breach(f"{method} {target}")
            return None
        self.offsets += [int(text) for text in parse_qs(urlsplit(target).query).get("offset_ms", [])]
        payloads = (
            [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])] if body[:1] == b"[" else [body]
        )
        if not 1 <= len(payloads) <= EVENTS_MAX:
            self.book.breach(f"{len(payloads)} events at once")
        if self.faults.used("cuts_unlogged"):
            return None
        self.batches.append(len(payloads))
        replies = [self.reply(payload) for payload in payloads]
        await asyncio.sleep(self.faults.ack_delay_s)
        if self.faults.used("cuts_logged"):
            return None
        return replies if body[:1] == b"[" else replies[0]

    def _paired(self, body: bytes) -> dict[str, Any]:
        """Give the key for the code that stands for it, once."""
        asked = msgspec.json.decode(body)
        self.pairings.append(asked)
        if asked["code"] != self.pairing_code:
            return {"type": "about:blank", "code": "pairing.unknown", "title": "There is no such pairing code."}
        self.pairing_code = None
        return {"kid": self.book.kid, "secret": self.book.secret, "tcp_port": 9100, "ws_port": 9101}

    def reply(self, payload: bytes) -> dict[str, Any]:
        """Answer one payload that came without a link."""
        message = self.book.read(payload)
        if isinstance(message, Signal):
            if self.faults.refusals:
                return self.refusal(message)
            return self.take(message, payload) | {"server_ms": self.server_ms()}
        if isinstance(message, ParamsAck | Resync):
            self.book.answers.append(message)
            if isinstance(message, Resync):
                self.book.hole(message.sid, message.from_seq)
            return {"type": "ok", "server_ms": self.server_ms()}
        self.book.breach(f"over HTTP: {payload[:200]!r}")
        return reject("schema", None, final=True)

    def refusal(self, signal: Signal) -> dict[str, Any]:
        """Refuse a signal because a test wants it; a final one leaves a hole."""
        due = self.faults.refusals.pop(0)
        self.book.arrivals.append(signal)
        return reject(due.code, signal.event_id, final=due.final, retry_after_ms=due.retry_after_ms)

    def _commands(self, target: str) -> dict[str, Any]:
        """Results after a number. The request is signed as a frame is, up to its last member."""
        self.asks += 1
        signed, _, sig = urlsplit(target).query.rpartition("&sig=")
        if sig != hmac.new(self.book.secret.encode(), signed.encode(), "sha256").hexdigest():
            self.book.breach(f"the signature does not hold: {target}")
            return reject("bad_sig", None, final=True)
        asked = parse_qs(signed)
        if abs(int(asked["t_ms"][0]) - self.server_ms()) > 60_000:
            return reject("bad_sig", None, final=True) | {"server_ms": self.server_ms()}
        after = int(asked.get("after", ["0"])[0])
        frames = [frame for frame in self.book.orders if frame["no"] > after]
        return {
            "server_ms": self.server_ms(),
            "after": max([after, *(frame["no"] for frame in frames)]),
            "frames": frames,
        }


class Connection(asyncio.Protocol):
    """One link over TCP or WebSocket."""

    def __init__(self, server: Server, framing: Framing) -> None:
        self.server, self.framing = server, framing
        self.greeted = False
        self._nonce = secrets.token_hex(16)
        self._challenged = False
        self._resync_asked = False
        self._held: bytes | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Speak first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.server._connections.add(self)
        self._challenge()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the link."""
        self.server._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take what has come apart, and answer it."""
        try:
            payloads = self.framing.fed(data)
        except Breach as breach:
            self.server.book.breach(str(breach))
            self.cut()
            return
        self.write(self.framing.pending())
        self._challenge()
        for payload in payloads:
            if not self._transport.is_closing():
                self._heard(payload)

    def write(self, data: bytes) -> None:
        """Send bytes, unless the server is silent; behind a frame that is not out yet, they wait."""
        if self._held is not None:
            self._held += data
        elif data and not self._transport.is_closing() and not self.server.faults.silent:
            self._transport.write(data)

    def send(self, frame: dict[str, Any]) -> None:
        """Send one frame."""
        self.write(self.framing.framed(encoded(frame)))

    def cut(self) -> None:
        """End the link at once, without a word."""
        self._transport.abort()

    def _challenge(self) -> None:
        if self.framing.open and not self._challenged:
            self._challenged = True
            self.send({"type": "challenge", "nonce": self._nonce, "v": 1})

    def _heard(self, payload: bytes) -> None:
        message = self.server.book.read(payload)
        if message is None:
            self.send(reject("schema", None, final=True))
        elif not self.greeted:
            self._greet(message)
        elif isinstance(message, Signal):
            self._signal(message, payload)
        elif isinstance(message, Heartbeat):
            self.server.book.heartbeats.append(message)
            server_ms = self.server.server_ms()
            self.send({"type": "heartbeat", "seq": message.seq, "t_ms": server_ms, "server_ms": server_ms, "spool": 0})
        elif isinstance(message, ParamsAck | Resync):
            self.server.book.answers.append(message)
            if isinstance(message, Resync):
                self.server.book.hole(message.sid, message.from_seq)
        else:
            self.server.book.breach(f"a second hello: {payload[:200]!r}")

    def _greet(self, message: Any) -> None:
        book, faults = self.server.book, self.server.faults
        if not isinstance(message, Hello):
            book.breach(f"the first frame is a {type(message).__name__}")
            return
        if message.nonce != self._nonce:
            book.breach("the hello signs another nonce")
        book.hellos.append(message)
        if faults.hello_refusals:
            due = faults.hello_refusals.pop(0)
            self.send(reject(due.code, None, final=due.final, retry_after_ms=due.retry_after_ms))
            self._transport.close()
            return
        book.hole(message.sid, message.first_seq)
        self.greeted = True
        self.server.links += 1
        last_seen = book.expected(message.sid) - 1
        if faults.welcome_seq_extra:
            last_seen += faults.welcome_seq_extra
            faults.welcome_seq_extra = 0
            book.hole(message.sid, last_seen + 1)
        welcome = {"type": "welcome", "session": self._nonce[:16], "server_ms": self.server.server_ms()}
        self.send(
            welcome | {"hb_s": self.server.heartbeat_s, "last_seq_seen": last_seen, "params_rev": 0, "limits": {}}
        )
        for frame in book.orders:
            if frame["no"] > (message.after or 0):
                self.send(frame)

    def _signal(self, signal: Signal, payload: bytes) -> None:
        faults = self.server.faults
        if faults.used("cuts_unlogged"):
            self.cut()
            return
        if faults.refusals:
            self.send(self.server.refusal(signal))
            return
        reply = self.server.take(signal, payload)
        if faults.used("cuts_logged"):
            self.cut()
            return
        if reply.get("code") == "seq_gap" and not self._resync_asked:
            self.send({"type": "resync", "from_seq": self.server.book.expected(signal.sid)})
        self._resync_asked = reply.get("code") == "seq_gap"
        if faults.ack_delay_s:
            self.server._loop.call_later(faults.ack_delay_s, self._acknowledge, reply)
        else:
            self._acknowledge(reply)

    def _acknowledge(self, reply: dict[str, Any]) -> None:
        faults = self.server.faults
        data = faults.raw.pop(0) if faults.raw else self.framing.framed(encoded(reply))
        half = len(data) // 2
        if faults.used("half_frames"):
            self.write(data[:half])
            self._transport.close()
        elif faults.used("slow_halves"):
            self.write(data[:half])
            self._held = data[half:]
            self.server._loop.call_later(0.15, self._release)
        else:
            self.write(data)
            if faults.double_acks:
                self.send(reply)

    def _release(self) -> None:
        held, self._held = self._held or b"", None
        self.write(held)


def encoded(frame: Any) -> bytes:
    """Return a reply as the server writes it."""
    return json.dumps(frame, separators=(",", ":")).encode()


def _bound(port: int) -> socket.socket:
    """Take a port without listening on it: whoever connects is refused."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
