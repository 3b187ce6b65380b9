"""The WebSocket transport (picows): one text message is one payload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from django.conf import settings
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from accounts.domain import client_address
from ea.codes import RejectCode, Rejected
from ea.framing import PAYLOAD_BYTES_MAX
from ea.gateway.session import Session
from ea.gateway.tcp import CLOSE_S, DRAIN_S, WRITE_BYTES_MAX
from ea.gateway.wire import Timer

if TYPE_CHECKING:
    from ea.gateway.hub import Hub

PATH = "/"
_CODES = {"restart": 1012, "bad_frame": 1002, "replaced": 1008, "overloaded": 1013}
_POLICY = 1008


class WebSocketClient(WSListener):  # type: ignore[misc, unused-ignore]
    """One connection."""

    name = "websocket"

    def __init__(self, hub: Hub, request: WSUpgradeRequest) -> None:
        self._hub = hub
        self._forwarded_for = ",".join(request.headers.getall("X-Forwarded-For", []))
        self._begun: bytearray | None = None
        self._timer = Timer()
        self._session: Session | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the connection in."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        peer = transport.underlying_transport.get_extra_info("peername")
        address = client_address(peer[0] if peer else None, self._forwarded_for, settings.TRUSTED_PROXIES)
        self._session = Session(self._hub, self, address)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a message, in one frame or several; binary ones and broken fragments end the connection."""
        kind = frame.msg_type
        assert self._session is not None
        if kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.PONG:
            return
        elif (kind == WSMsgType.CONTINUATION) is (self._begun is None) or kind == WSMsgType.BINARY:
            self._session.refuse(Rejected(RejectCode.BAD_FRAME, "one text message is one payload"))
        elif frame.fin and self._begun is None:
            self._session.heard(frame.get_payload_as_bytes())
        else:
            self._fragment(frame)

    def _fragment(self, frame: WSFrame) -> None:
        assert self._session is not None
        self._begun = bytearray() if self._begun is None else self._begun
        self._begun += frame.get_payload_as_memoryview()
        if len(self._begun) > PAYLOAD_BYTES_MAX:
            self._session.refuse(Rejected(RejectCode.BAD_FRAME, f"a payload has at most {PAYLOAD_BYTES_MAX} bytes"))
        elif frame.fin:
            whole, self._begun = bytes(self._begun), None
            self._session.heard(whole)

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        self._transport.send(WSMsgType.TEXT, payload)

    def reading(self, go_on: bool) -> None:
        """Read on, or leave what comes where it is."""
        connection = self._transport.underlying_transport
        if not connection.is_closing():
            if go_on:
                connection.resume_reading()
            else:
                connection.pause_reading()

    def close(self, reason: str) -> None:
        """Close, and cut the connection when the client does not answer that."""
        self._timer.stop()
        self._transport.send_close(WSCloseCode(_CODES.get(reason, _POLICY)))
        # What the client answers has to be read, or it would be cut.
        self.reading(go_on=True)
        asyncio.get_running_loop().call_later(CLOSE_S, self._transport.underlying_transport.abort)

    def pause_writing(self) -> None:
        """Hold back: the client does not read as fast as it is told."""
        if self._session is not None:
            self._session.stall(True)
            self._timer.start(DRAIN_S, self._session.close, "stalled")

    def resume_writing(self) -> None:
        """Go on: the client has caught up."""
        self._timer.stop()
        if self._session is not None:
            self._session.stall(False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the connection."""
        self._timer.stop()
        if self._session is not None:
            self._session.lost()


def listener_of(hub: Hub, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
    """Choose by path: the socket, the probe, or nothing."""
    path = request.path.partition(b"?")[0].decode("latin-1")
    if path == "/healthz":
        response = WSUpgradeResponse.create_ok_response(b'{"status":"ok"}', {"Content-Type": "application/json"})
        return WSUpgradeResponseWithListener(response, None)
    if path != PATH or not hub.has_room:
        return None
    return WebSocketClient(hub, request)
