"""A client of the bridge in plain Python: a sample for authors, and the one that our tests speak with.

It needs nothing but the standard library: take the file as it is. It does what every client has to do: it numbers its
events without a gap, keeps the bytes of each on its disk until the server has answered for good, and sends the same
bytes again after a lost connection. ``client_shell.py`` beside it uses it from a shell.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import secrets
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode
from urllib.request import Request, urlopen

Frame = dict[str, Any]
# So many events may be under way at once.
WINDOW = 50
# So many events may wait; more would be too old by the time the server is back.
WAITING_MAX = 1_000


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

    def query(self, **members: Any) -> str:
        """Return the query of a GET: the key, the time, and last the signature of all that stands in front of it."""
        query = urlencode({"kid": self.kid} | members | {"t_ms": time.time_ns() // 1_000_000})
        return f"{query}&sig={self.digest(query.encode())}"


class Spool:
    """The numbered events of one installation that the server has not answered for good, kept in memory only."""

    def __init__(self, credentials: Credentials, sid: str | None = None) -> None:
        self.credentials = credentials
        self.sid = sid or secrets.token_hex(8)
        self.last_seq = 0
        self.waiting: dict[str, bytes] = {}
        self._seqs: dict[str, int] = {}

    def add(self, **members: Any) -> tuple[str, bytes]:
        """Number, sign and keep an event; return its id and its bytes, which never change again."""
        now_ms = time.time_ns() // 1_000_000
        event: Frame = {
            "type": "signal",
            "v": 1,
            "event_id": event_id_new(now_ms),
            "kid": self.credentials.kid,
            "sid": self.sid,
            "seq": self.last_seq + 1,
            "source": "api",
            "acct": self.credentials.account,
            "server": self.credentials.server,
            "action": "open",
            "t_evt_ms": now_ms,
            "t_sig_ms": now_ms,
        } | members
        payload = self.credentials.signed(event)
        self._keep(event["event_id"], self.last_seq + 1, payload)
        return event["event_id"], payload

    def answered(self, frame: Frame) -> None:
        """Drop an event that is acknowledged or refused for good."""
        if frame["type"] == "ack" or (frame["type"] == "reject" and frame["final"]):
            self.drop(frame.get("event_id") or "")

    def drop(self, event_id: str) -> None:
        """Forget an event."""
        self.waiting.pop(event_id, None)

    def _keep(self, event_id: str, seq: int, payload: bytes) -> None:
        self.last_seq = seq
        self.waiting[event_id] = payload
        self._seqs[event_id] = seq

    def hello(self, nonce: str) -> Frame:
        """Return the members of the answer to a server's challenge."""
        return {
            "type": "hello",
            "v": 1,
            "kid": self.credentials.kid,
            "sid": self.sid,
            "build": "python",
            "terminal": f"sample {os.name}",
            "acct": self.credentials.account,
            "server": self.credentials.server,
            "last_seq": self.last_seq,
            "first_seq": self.first_seq,
            "nonce": nonce,
        }

    @property
    def first_seq(self) -> int:
        """The number of the oldest event that is still here, or the one that comes next."""
        return min((self._seqs[event_id] for event_id in self.waiting), default=self.last_seq + 1)


class DiskSpool(Spool):
    """A spool whose events outlive the program: each is on the disk before it is sent the first time.

    The file is a journal of lines: ``S <sid>``, ``N <newest number>``, ``E <event>`` and ``D <event id>``. A line that
    was not written to its end was never sent, so it is cut off. Opening the file writes it anew without what is done.

    :raises BlockingIOError: another program has the file open
    :raises ValueError: the file holds something else in front of its last line
    """

    def __init__(self, credentials: Credentials, path: Path) -> None:
        super().__init__(credentials)
        self._lock = _locked(path.with_name(f"{path.name}.lock"))
        if path.exists():
            whole, _, _ = path.read_bytes().rpartition(b"\n")
            for line in whole.splitlines():
                self._replay(line)
        lines = [f"S {self.sid}".encode(), b"N %d" % self.last_seq]
        lines += [b"E " + payload for payload in self.waiting.values()]
        fresh = path.with_name(f"{path.name}.new")
        with fresh.open("wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def close(self) -> None:
        """Let another program have the file."""
        self._file.close()
        os.close(self._lock)

    def drop(self, event_id: str) -> None:
        """Forget an event. Were the line lost, the event would be sent again, and be answered as a repetition."""
        if event_id in self.waiting:
            super().drop(event_id)
            self._write(b"D " + event_id.encode())

    def _keep(self, event_id: str, seq: int, payload: bytes) -> None:
        if len(self.waiting) >= WAITING_MAX:
            raise BufferError(f"{WAITING_MAX} events wait for the server; this one was not kept")
        self._write(b"E " + payload)
        os.fsync(self._file.fileno())
        super()._keep(event_id, seq, payload)

    def _write(self, line: bytes) -> None:
        """Write a whole line or nothing: what a full disk has left of it is cut off."""
        data = line + b"\n"
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, "the disk is full")
        except OSError:
            self._file.truncate(self._size)
            raise
        self._size += len(data)

    def _replay(self, line: bytes) -> None:
        kind, _, rest = line.partition(b" ")
        if kind == b"S":
            self.sid = rest.decode()
        elif kind == b"N":
            self.last_seq = int(rest)
        elif kind == b"E":
            event = json.loads(rest)
            super()._keep(event["event_id"], event["seq"], rest)
        elif kind == b"D":
            super().drop(rest.decode())
        else:
            raise ValueError(f"the spool holds what is no line of one: {line[:40]!r}")


def _locked(path: Path) -> int:
    """Open a file that only one program at a time has open; systems without such locks let everybody."""
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        import fcntl
    except ImportError:
        return opened
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        raise
    return opened


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
        # What the server asks for: nothing is sent while paused; parameters of strategies hold from the next event on.
        self.paused = False
        self.params: dict[str, Frame] = {}
        self._known = False
        self._sent: set[str] = set()
        self._quiet_until_s = 0.0

    def hello(self, **changes: Any) -> Frame:
        """Answer the server's challenge, send again what is in the spool, and return the welcome or the refusal."""
        members = self.spool.hello(self.next("challenge")["nonce"])
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
        if not self._known or self.paused or time.monotonic() < self._quiet_until_s:
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
        elif frame["type"] == "command":
            self._obey(frame["cmd"])
        elif frame["type"] == "params":
            self.params[frame["strategy"]] = frame["values"]
            told = {"type": "params_ack", "strategy": frame["strategy"], "rev": frame["rev"]}
            self.link.send(self.spool.credentials.signed(told))
        elif frame["type"] == "reject" and frame["retry_after_ms"]:
            self._quiet_until_s = time.monotonic() + frame["retry_after_ms"] / 1_000
        elif frame.get("event_id") in self._sent:
            self._sent.discard(frame["event_id"])
            self._push()

    def _obey(self, cmd: str) -> None:
        self.paused = cmd == "pause" or (self.paused and cmd != "resume")
        if cmd == "flush":
            for event_id in list(self.spool.waiting):
                self.spool.drop(event_id)
        elif cmd in ("resume", "resync"):
            self.resend()

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


class HttpClient:
    """The bridge without a connection: events are posted, what became of them is asked for.

    :param url: the platform's address, such as ``https://example.com``
    """

    def __init__(self, spool: Spool, url: str, *, within_s: float = 10.0) -> None:
        self.spool, self.url, self._within_s = spool, url.rstrip("/"), within_s
        self.after: int | None = None
        # What must be added to our clock to get the server's, from its last answer.
        self.offset_ms = 0

    def signal(self, **members: Any) -> str:
        """Keep an event and send all that wait; return its id.

        :raises OSError: the server cannot be reached; what waits stays, and is sent with the next call
        """
        event_id, _ = self.spool.add(**members)
        self.push()
        return event_id

    def push(self) -> list[Frame]:
        """Send what waits, oldest first and a window at most, and return the answers.

        :raises OSError: the server cannot be reached; what waits stays
        """
        payloads = list(self.spool.waiting.values())[:WINDOW]
        if not payloads:
            return []
        answers = self._asked(f"/ea/v1/events?offset_ms={self.offset_ms}", b"[" + b",".join(payloads) + b"]")
        # A body that is refused as a whole has one answer.
        found: list[Frame] = answers if isinstance(answers, list) else [answers]
        for frame in found:
            self.spool.answered(frame)
        return found

    def commands(self, *, wait_ms: int = 0) -> list[Frame]:
        """Return what became of events since the last call, waiting up to 2,000 ms for the first.

        :raises PermissionError: the server refuses the key
        """
        members = {"wait_ms": wait_ms} | ({} if self.after is None else {"after": self.after})
        answer = self._asked(f"/ea/v1/commands?{self.spool.credentials.query(**members)}")
        self.after = _granted(answer)["after"]
        frames: list[Frame] = answer["frames"]
        return frames

    def symbols(self) -> Frame:
        """Return the symbols with their states and terms, and what the key may do.

        :raises PermissionError: the server refuses the key
        """
        return _granted(self._asked(f"/ea/v1/symbols?{self.spool.credentials.query()}"))

    def _asked(self, path: str, body: bytes | None = None) -> Any:
        began_ms = time.time_ns() // 1_000_000
        request = Request(self.url + path, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=self._within_s) as answer:  # noqa: S310 - the address is the user's own
            found = json.loads(answer.read())
        first = found[0] if isinstance(found, list) else found
        self.offset_ms = first["server_ms"] - (began_ms + time.time_ns() // 1_000_000) // 2
        return found


def _granted(answer: Frame) -> Frame:
    if answer.get("type") == "reject":
        raise PermissionError(f"{answer['code']}: {answer['detail']}")
    return answer
