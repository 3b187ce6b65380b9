"""The TCP transport: frames with a length in front."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from accounts.domain import address_parsed
from ea.codes import RejectCode, Rejected
from ea.framing import Deframer, framed
from ea.gateway.session import Session
from ea.gateway.wire import Timer
from ea.replies import encoded, reject_frame

if TYPE_CHECKING:
    from ea.gateway.hub import Hub

# Unsent bytes of one connection; above that nothing more is read from it.
WRITE_BYTES_MAX = 256 * 1024
# How long a client may take to read what it is told, and to complete a frame that it has begun.
DRAIN_S, FRAME_S, CLOSE_S = 10.0, 10.0, 2.0


class TcpClient(asyncio.Protocol):
    """One connection."""

    name = "tcp"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._deframer = Deframer()
        self._timer, self._frame_timer = Timer(), Timer()
        self._session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, if there is room."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        peer = transport.get_extra_info("peername")
        if not self._hub.has_room:
            refusal = reject_frame(Rejected(RejectCode.OVERLOADED, "too many connections"), retry_after_ms=5_000)
            self._transport.write(framed(encoded(refusal)))
            self._transport.close()
            return
        self._session = Session(self._hub, self, address_parsed(peer[0] if peer else ""))

    def data_received(self, data: bytes) -> None:
        """Cut what comes into payloads."""
        if self._session is None:
            return
        try:
            payloads = self._deframer.fed(data)
        except Rejected as rejected:
            self._session.refuse(rejected)
            return
        for payload in payloads:
            self._session.heard(payload)
        if payloads or not self._deframer.waiting:
            self._frame_timer.stop()
        if self._deframer.waiting and not self._frame_timer.runs:
            self._frame_timer.start(FRAME_S, self._session.close, "slow")

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        if not self._transport.is_closing():
            self._transport.write(framed(payload))

    def reading(self, go_on: bool) -> None:
        """Read on, or leave what comes where it is."""
        if not self._transport.is_closing():
            if go_on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self, reason: str) -> None:
        """Send what is waiting; cut the connection when the client does not take it."""
        self._stop()
        self._transport.close()
        asyncio.get_running_loop().call_later(CLOSE_S, self._transport.abort)

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop()
        if self._session is not None:
            self._session.lost()

    def _stop(self) -> None:
        self._timer.stop()
        self._frame_timer.stop()
