"""Bytes to payloads and back: TCP frames, and WebSocket by a library that does no input or output itself."""

from __future__ import annotations

from typing import Protocol

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

PAYLOAD_MAX = 65_536


class Breach(Exception):
    """Bytes that no client may send."""


class Framing(Protocol):
    """One connection's way from bytes to payloads."""

    def fed(self, data: bytes) -> list[bytes]:
        """Take bytes in, return the payloads that are complete."""

    def framed(self, payload: bytes) -> bytes:
        """Return the bytes of a payload."""

    def pending(self) -> bytes:
        """Return bytes that must go out by themselves, such as the answer to an upgrade."""

    @property
    def open(self) -> bool:
        """Whether payloads can be sent."""


class TcpFraming:
    """A 4-byte big-endian length, then the payload."""

    open = True

    def __init__(self) -> None:
        self._rest = b""

    def fed(self, data: bytes) -> list[bytes]:
        """Take bytes in, return the payloads that are complete.

        :raises Breach: a length out of range
        """
        self._rest += data
        payloads = []
        while len(self._rest) >= 4:
            length = int.from_bytes(self._rest[:4], "big")
            if not 1 <= length <= PAYLOAD_MAX:
                raise Breach(f"a frame of {length} bytes")
            if len(self._rest) < 4 + length:
                break
            payloads.append(self._rest[4 : 4 + length])
            self._rest = self._rest[4 + length :]
        return payloads

    def framed(self, payload: bytes) -> bytes:
        """Return the bytes of a payload."""
        return len(payload).to_bytes(4, "big") + payload

    def pending(self) -> bytes:
        """Nothing goes out by itself."""
        return b""


class WebSocketFraming:
    """One text message is one payload; the library refuses what RFC 6455 forbids, as a client that does not mask."""

    def __init__(self) -> None:
        self._protocol = ServerProtocol(max_size=PAYLOAD_MAX)
        self.open = False
        self.pongs = 0

    def fed(self, data: bytes) -> list[bytes]:
        """Take bytes in, return the payloads that are complete.

        :raises Breach: what a client must not do
        """
        self._protocol.receive_data(data)
        payloads = []
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                if event.path != "/":
                    raise Breach(f"the path {event.path}")
                self._protocol.send_response(self._protocol.accept(event))
                self.open = True
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and event.fin:
                payloads.append(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self.pongs += 1
            elif isinstance(event, Frame) and event.opcode is not Opcode.CLOSE:
                raise Breach(f"a frame {event}")
        if isinstance(self._protocol.parser_exc, ProtocolError):
            raise Breach(str(self._protocol.parser_exc))
        return payloads

    def framed(self, payload: bytes) -> bytes:
        """Return the bytes of a payload as one text message."""
        self._protocol.send_text(payload)
        return self.pending()

    def split(self, payload: bytes) -> bytes:
        """Return a payload as three fragments with a ping between them."""
        third = len(payload) // 3
        self._protocol.send_text(payload[:third], fin=False)
        self._protocol.send_ping(b"are you there")
        self._protocol.send_continuation(payload[third : 2 * third], fin=False)
        self._protocol.send_continuation(payload[2 * third :], fin=True)
        return self.pending()

    def pending(self) -> bytes:
        """Return what the protocol itself wants to say."""
        return b"".join(self._protocol.data_to_send())
