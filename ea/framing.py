"""Frames of the TCP transport: a 4-byte big-endian length, then that many bytes of JSON."""

from __future__ import annotations

from ea.codes import RejectCode, Rejected

HEAD_BYTES = 4
PAYLOAD_BYTES_MAX = 65_536


def framed(payload: bytes) -> bytes:
    """Return a payload as it goes over TCP."""
    return len(payload).to_bytes(HEAD_BYTES, "big") + payload


class Deframer:
    """Cuts a stream of bytes into payloads; holds at most one frame that is not complete."""

    def __init__(self) -> None:
        self._rest = bytearray()
        # So many bytes must be there before looking at them again is worth it.
        self._needed = HEAD_BYTES

    @property
    def waiting(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return bool(self._rest)

    def fed(self, data: bytes) -> list[bytes]:
        """Take what has arrived and return the payloads that are complete with it.

        :raises Rejected: ``bad_frame`` on a length out of range; the stream cannot be read any further
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
        payloads, at, end = [], 0, len(data)
        self._needed = HEAD_BYTES
        while end - at >= HEAD_BYTES:
            length = int.from_bytes(data[at : at + HEAD_BYTES], "big")
            if not 1 <= length <= PAYLOAD_BYTES_MAX:
                raise Rejected(RejectCode.BAD_FRAME, f"a frame has 1 to {PAYLOAD_BYTES_MAX} bytes, not {length}")
            begin = at + HEAD_BYTES
            if end - begin < length:
                self._needed = HEAD_BYTES + length
                break
            at = begin + length
            payloads.append(data[begin:at])
        if self._rest or at < end:
            self._rest = bytearray(data[at:])
        return payloads
