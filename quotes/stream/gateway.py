"""``/ws/quotes/`` from a server of its own (picows): the same conversation and messages, for less work per delivery.

Frames are read and written inside the event loop's callbacks; a task runs only while a client's frames are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from ipaddress import IPv6Address, ip_network
from typing import Any

import structlog
from django.conf import settings
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from accounts.domain import client_address
from kernel.metrics import count
from kernel.sockets import SocketFaults
from quotes.stream import sockets
from quotes.stream.conversation import Conversation
from quotes.stream.hub import Hub, hub
from quotes.stream.messages import FRAME_BYTES_MAX
from quotes.stream.sockets import (
    CLOSE_BROKEN,
    CLOSE_FAILURE,
    CLOSE_NOT_TEXT,
    CLOSE_POLICY,
    CLOSE_RESTART,
    CLOSE_TOO_BIG,
    CLOSE_TRY_LATER,
    Socket,
)

log = structlog.get_logger(__name__)

PATH = "/ws/quotes/"
SOCKETS_PER_ADDRESS = 500
# Unsent bytes of one socket; above that its writes wait and the newest of each symbol is kept.
WRITE_BYTES_MAX = 64 * 1024
# A client's frames that wait for their turn; above that no more is read from it.
ASKED_MAX = 16
HEARTBEAT_S = 20
_BACKLOG = 1024


class GatewaySocket(Socket):
    """A socket whose writes go straight to the connection; the connection says when they have to wait."""

    def __init__(self, transport: WSTransport) -> None:
        super().__init__()
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None
        transport.underlying_transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)

    def finish(self, code: int) -> None:
        """Close the socket; when the client does not answer that in time, cut it."""
        if self.closing:
            return
        self.closing = self._holding = True
        count("quotes_sockets_closed", code=str(code))
        self._transport.send_close(WSCloseCode(code))
        self._wait(sockets.CLOSE_S, self._transport.underlying_transport.abort)

    def closed_by_client(self, code: WSCloseCode) -> None:
        """Answer the client's close, or take it as the answer to ours."""
        self.closing = self._holding = True
        self._transport.send_close(code)
        self._transport.disconnect()
        self._wait(sockets.CLOSE_S, self._transport.underlying_transport.abort)

    def pong(self, payload: bytes) -> None:
        """Answer a ping of the protocol; under pressure it has to do without."""
        if not self._holding:
            self._transport.send_pong(payload)

    def hold(self) -> None:
        """Write no more until the client has read."""
        if not self.closing:
            self._holding = True
            self._wait(sockets.DRAIN_S, self.finish, CLOSE_TRY_LATER)

    def go_on(self) -> None:
        """Write what was kept, until the connection is full again."""
        if self.closing:
            return
        self.end()
        self._holding = False
        while not self._holding and (text := self._kept()) is not None:
            self._write(text)

    def end(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write(self, text: str) -> None:
        if not self.closing:
            self._transport.send(WSMsgType.TEXT, text)

    def _wait(self, seconds: float, act: Any, *arguments: Any) -> None:
        self.end()
        self._timer = asyncio.get_running_loop().call_later(seconds, act, *arguments)


class Client(WSListener):
    """One connection: its frames come in here."""

    def __init__(self, gateway: Gateway, request: WSUpgradeRequest) -> None:
        self._gateway = gateway
        self._forwarded_for = ",".join(request.headers.getall("X-Forwarded-For", []))
        self._address = ""
        self._asked: deque[str | None] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._paused = False
        self._begun: bytearray | None = None
        self._begun_text = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the connection in, unless its address has too many already."""
        self._connection = transport.underlying_transport
        self.socket = GatewaySocket(transport)
        self._conversation = Conversation(self._gateway.market, self.socket)
        peer = self._connection.get_extra_info("peername")
        self._address = address_key(peer[0] if peer else None, self._forwarded_for)
        self._gateway.take_in(self, self._address)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; messages are answered in their order, control frames at once."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self.socket.closed_by_client(frame.get_close_code())
        elif self.socket.closing:
            return
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.socket.finish(CLOSE_BROKEN)
        elif kind == WSMsgType.PONG:
            return
        elif kind == WSMsgType.PING:
            if self._conversation.within_budget():
                self.socket.pong(frame.get_payload_as_bytes())
            else:
                self.socket.finish(CLOSE_POLICY)
        elif kind != WSMsgType.CONTINUATION and frame.fin and self._begun is None:
            self._message(frame.get_payload_as_bytes(), text=kind == WSMsgType.TEXT)
        else:
            self._fragment(frame)

    def pause_writing(self) -> None:
        """Hold back: the client does not read as fast as it is told."""
        self.socket.hold()

    def resume_writing(self) -> None:
        """Go on: the client has caught up."""
        self.socket.go_on()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the connection."""
        self.socket.closing = True
        self.socket.end()
        self._asked.clear()
        if self._answering is not None:
            self._answering.cancel()
        self._gateway.let_go(self, self._address)

    def _fragment(self, frame: WSFrame) -> None:
        starts = frame.msg_type != WSMsgType.CONTINUATION
        if starts is (self._begun is not None):
            self.socket.finish(CLOSE_BROKEN)
            return
        if not self._conversation.within_budget():
            self.socket.finish(CLOSE_POLICY)
            return
        if self._begun is None:
            self._begun, self._begun_text = bytearray(), frame.msg_type == WSMsgType.TEXT
        self._begun += frame.get_payload_as_memoryview()
        if len(self._begun) > FRAME_BYTES_MAX:
            self.socket.finish(CLOSE_TOO_BIG)
        elif frame.fin:
            whole, self._begun = bytes(self._begun), None
            self._message(whole, text=self._begun_text)

    def _message(self, payload: bytes, *, text: bool) -> None:
        if text and len(payload) > FRAME_BYTES_MAX:
            self.socket.finish(CLOSE_TOO_BIG)
            return
        try:
            self._asked.append(payload.decode() if text else None)
        except UnicodeDecodeError:
            self.socket.finish(CLOSE_NOT_TEXT)
            return
        if self._answering is None:
            self._begin_answering()
        if len(self._asked) > ASKED_MAX and not self._paused:
            self._paused = True
            self._connection.pause_reading()

    def _begin_answering(self) -> None:
        self._answering = asyncio.create_task(self._answer(), name="quotes answer")
        self._answering.add_done_callback(self._answered)

    async def _answer(self) -> None:
        while self._asked and not self.socket.closing:
            await self._conversation.hear(self._asked.popleft())

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("quotes_conversation_failed", exc_info=failure)
            self.socket.finish(CLOSE_FAILURE)
        if self._asked and not self.socket.closing:
            # It came between the task's last step and this call.
            self._begin_answering()
        if self._paused and not self._connection.is_closing():
            # While it closes too: the answer to our close has to be read.
            self._paused = False
            self._connection.resume_reading()


class Gateway:
    """The server: connections by address, their hub, and an orderly end."""

    def __init__(self, *, sockets_per_address: int = SOCKETS_PER_ADDRESS) -> None:
        self.market: Hub = hub()
        self.port = 0
        self._sockets_per_address = sockets_per_address
        self._by_address: Counter[str] = Counter()
        self._clients: set[Client] = set()
        self._server: asyncio.Server | None = None
        self._emptied = asyncio.Event()

    async def start(self, host: str, port: int) -> None:
        """Listen.

        :raises OSError: when the address is not free
        """
        self._server = await ws_create_server(
            self._client_of,
            host,
            port,
            logger_name=SocketFaults(__name__, "quotes_sockets_broken"),
            # Larger frames than a client may send are read up to here, so that it hears why it is closed.
            max_frame_size=4 * FRAME_BYTES_MAX,
            read_buffer_init_size=4 * 1024,
            enable_auto_pong=False,
            enable_auto_ping=True,
            # One ping in each heartbeat: half of it passes before the ping, half is given to the answer.
            auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
            auto_ping_idle_timeout=HEARTBEAT_S / 2,
            auto_ping_reply_timeout=HEARTBEAT_S / 2,
            backlog=_BACKLOG,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every socket as a server does that comes back, wait for a bound, and end."""
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.socket.finish(CLOSE_RESTART)
        if self._clients:
            self._emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), 2 * sockets.CLOSE_S)
        await self.market.stop()

    def take_in(self, client: Client, address: str) -> None:
        """Count a connection and let it ask, or close it when its address has too many."""
        self._clients.add(client)
        self._by_address[address] += 1
        if self._by_address[address] > self._sockets_per_address:
            client.socket.finish(CLOSE_POLICY)
        else:
            self.market.attach(client.socket)

    def let_go(self, client: Client, address: str) -> None:
        """Forget a connection."""
        self.market.detach(client.socket)
        self._clients.discard(client)
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
        if not self._clients:
            self._emptied.set()

    def _client_of(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        """Choose by path: the socket, the probe, or nothing."""
        path = request.path.partition(b"?")[0].decode("latin-1")
        if path == "/healthz":
            response = WSUpgradeResponse.create_ok_response(b'{"status":"ok"}', {"Content-Type": "application/json"})
            return WSUpgradeResponseWithListener(response, None)
        if path != PATH:
            return None
        if "upgrade" in {token.strip().lower() for token in request.headers.get("Connection", "").split(",")}:
            # Firefox names keep-alive too, which RFC 9110 (7.6.1) allows and picows does not expect.
            request.headers["Connection"] = "Upgrade"
        return Client(self, request)


def address_key(peer: str | None, forwarded_for: str) -> str:
    """Return what sockets are counted by: the client's address, of IPv6 the network that one household has."""
    address = client_address(peer, forwarded_for, settings.TRUSTED_PROXIES)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)
