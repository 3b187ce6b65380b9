"""A client of the bridge in plain Python: a sample for authors, and the one that our tests speak with.

It needs nothing but the standard library. It does what every client has to do: it numbers its events without a gap,
keeps the bytes of each until the server has answered for good, and sends the same bytes again after a lost connection.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

Frame = dict[str, Any]
# So many events may be under way at once.
WINDOW = 50


def event_id_new(now_ms: int | None = None) -> str:
    """Return a UUIDv7: its time is for people, the order of events is in their numbers."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    bits = now_ms << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Credentials:
    """A key, and the account of the terminal that it belongs to."""

    def __init__(self, kid: str, secret: str, *, account: str, server: str) -> None:
        self.kid, self.account, self.server = kid, account, server
        self._secret = secret.encode()

    def signed(self, members: Frame) -> bytes:
        """Return a payload with its signature: the HMAC of every byte in front of the last member."""
        open_end = json.dumps(members, separators=(",", ":")).encode()[:-1]
        return open_end + b',"sig":"' + self.digest(open_end).encode() + b'"}'

    def digest(self, content: bytes) -> str:
        """Return the HMAC-SHA256 of bytes as hexadecimal digits."""
        return hmac.new(self._secret, content, hashlib.sha256).hexdigest()


class Spool:
    """The numbered events of one installation that the server has not answered for good.

    A real client keeps them on its disk, and writes each there before it sends it the first time.
    """

    def __init__(self, credentials: Credentials, sid: str | None = None) -> None:
        self.credentials = credentials
        self.sid = sid or secrets.token_hex(8)
        self.last_seq = 0
        self.waiting: dict[str, bytes] = {}
        self._seqs: dict[str, int] = {}

    def add(self, **members: Any) -> tuple[str, bytes]:
        """Number, sign and keep an event; return its id and its bytes, which never change again."""
        self.last_seq += 1
        now_ms = time.time_ns() // 1_000_000
        event: Frame = {
            "type": "signal",
            "v": 1,
            "event_id": event_id_new(now_ms),
            "kid": self.credentials.kid,
            "sid": self.sid,
            "seq": self.last_seq,
            "source": "api",
            "acct": self.credentials.account,
            "server": self.credentials.server,
            "action": "open",
            "t_evt_ms": now_ms,
            "t_sig_ms": now_ms,
        } | members
        payload = self.credentials.signed(event)
        self.waiting[event["event_id"]] = payload
        self._seqs[event["event_id"]] = self.last_seq
        return event["event_id"], payload

    def answered(self, frame: Frame) -> None:
        """Drop an event that is acknowledged or refused for good."""
        if frame["type"] == "ack" or (frame["type"] == "reject" and frame["final"]):
            self.waiting.pop(frame.get("event_id") or "", None)

    @property
    def first_seq(self) -> int:
        """The number of the oldest event that is still here, or the one that comes next."""
        return min((self._seqs[event_id] for event_id in self.waiting), default=self.last_seq + 1)


class Link(Protocol):
    """A way to the server for whole payloads."""

    def send(self, payload: bytes) -> None:
        """Send one payload."""

    def receive(self, within_s: float) -> bytes:
        """Return the next payload.

        :raises TimeoutError: none came
        :raises ConnectionError: the server has ended the connection
        """

    def close(self) -> None:
        """End the connection."""


class TcpLink:
    """Frames over TCP: four bytes of length, most significant first, then the payload."""

    def __init__(self, host: str, port: int, *, within_s: float = 10.0) -> None:
        self.socket = socket.create_connection((host, port), timeout=within_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        self.socket.sendall(struct.pack(">I", len(payload)) + payload)

    def receive(self, within_s: float) -> bytes:
        """Return the next payload."""
        until_s = time.monotonic() + within_s
        while len(self._read) < 4 or len(self._read) < 4 + struct.unpack(">I", self._read[:4])[0]:
            self.socket.settimeout(max(0.001, until_s - time.monotonic()))
            data = self.socket.recv(65_536)
            if not data:
                raise ConnectionError("the server has ended the connection")
            self._read += data
        (length,) = struct.unpack(">I", self._read[:4])
        payload, self._read = self._read[4 : 4 + length], self._read[4 + length :]
        return payload

    def close(self) -> None:
        """End the connection."""
        self.socket.close()


class Client:
    """A conversation with the gateway: hello, events, heartbeats, and what the server tells."""

    def __init__(self, spool: Spool, link: Link) -> None:
        self.spool, self.link = spool, link
        self.frames: list[Frame] = []
        self.after: int | None = None
        self._known = False
        self._sent: set[str] = set()
        self._quiet_until_s = 0.0

    def hello(self, **changes: Any) -> Frame:
        """Answer the server's challenge, send again what is in the spool, and return the welcome or the refusal."""
        challenge = self.next("challenge")
        members: Frame = {
            "type": "hello",
            "v": 1,
            "kid": self.spool.credentials.kid,
            "sid": self.spool.sid,
            "build": "python",
            "terminal": f"sample {os.name}",
            "acct": self.spool.credentials.account,
            "server": self.spool.credentials.server,
            "last_seq": self.spool.last_seq,
            "first_seq": self.spool.first_seq,
            "nonce": challenge["nonce"],
        }
        if self.after is not None:
            members["after"] = self.after
        self.link.send(self.spool.credentials.signed(members | changes))
        answer = self.next("welcome", "reject")
        self._known = answer["type"] == "welcome"
        self.resend()
        return answer

    def resend(self) -> None:
        """Send what is in the spool from its beginning, as it was sent before."""
        self._sent.clear()
        self._push()

    def signal(self, **members: Any) -> str:
        """Keep an event and send it as soon as there is room for it; return its id."""
        event_id, _ = self.spool.add(**members)
        self._push()
        return event_id

    def _push(self) -> None:
        """Send the oldest events that were not sent yet, so many that the server has at most a window of them."""
        if not self._known or time.monotonic() < self._quiet_until_s:
            return
        for event_id, payload in list(self.spool.waiting.items()):
            if len(self._sent) >= WINDOW:
                return
            if event_id not in self._sent:
                self._sent.add(event_id)
                self.link.send(payload)

    def heartbeat(self, seq: int = 1, *, t_ms: int | None = None, rtt_us: int | None = None) -> None:
        """Send a sign of life."""
        now_ms = time.time_ns() // 1_000_000 if t_ms is None else t_ms
        beat: Frame = {"type": "heartbeat", "seq": seq, "t_ms": now_ms, "spool": len(self.spool.waiting)}
        if rtt_us is not None:
            beat["link_rtt_us"] = rtt_us
        self.link.send(self.spool.credentials.signed(beat))

    def next(self, *kinds: str, within_s: float = 10.0, where: Callable[[Frame], bool] = lambda _: True) -> Frame:
        """Return the first frame of a kind that was not returned yet; what else comes is kept for later calls.

        :raises TimeoutError: none came
        :raises ConnectionError: the server has ended the connection
        """
        until_s = time.monotonic() + within_s
        while True:
            for place, frame in enumerate(self.frames):
                if frame["type"] in kinds and where(frame):
                    return self.frames.pop(place)
            self.take(max(0.001, until_s - time.monotonic()))

    def ended(self, within_s: float = 10.0) -> bool:
        """Read until the server ends the connection; return whether it did."""
        until_s = time.monotonic() + within_s
        try:
            while True:
                self.take(max(0.001, until_s - time.monotonic()))
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def take(self, within_s: float) -> None:
        """Take the next frame in, and do what it asks for.

        :raises TimeoutError: none came
        :raises ConnectionError: the server has ended the connection
        """
        frame = json.loads(self._received(within_s))
        if "no" in frame:
            self.after = max(self.after or 0, frame["no"])
        self.frames.append(frame)
        self.spool.answered(frame)
        if frame["type"] == "resync":
            self.resend()
        elif frame["type"] == "reject" and frame["retry_after_ms"]:
            self._quiet_until_s = time.monotonic() + frame["retry_after_ms"] / 1_000
        elif frame.get("event_id") in self._sent:
            self._sent.discard(frame["event_id"])
            self._push()

    def _received(self, within_s: float) -> bytes:
        """Return the next payload; when the time to send again comes first, do so and wait on."""
        quiet_s = self._quiet_until_s - time.monotonic()
        if not 0 < quiet_s < within_s:
            return self.link.receive(within_s)
        try:
            return self.link.receive(quiet_s)
        except TimeoutError:
            self._quiet_until_s = 0.0
            self.resend()
            return self.link.receive(within_s - quiet_s)
