"""One connection's conversation, whichever way its bytes come: who it is, its numbers, its answers.

Everything here runs on the event loop's thread. A signal's number is taken when it is handed to the log; when the log
cannot be written, the number is given back, so that what is sent again comes in its order.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from accounts.domain import Address
from ea.codes import RejectCode, Rejected
from ea.framing import PAYLOAD_BYTES_MAX
from ea.gateway import bounds
from ea.gateway.bucket import Bucket
from ea.gateway.news import Told
from ea.gateway.numbers import Numbers, Verdict
from ea.gateway.offset import Offset
from ea.gateway.wire import Stage, Wire
from ea.keys import LiveKey
from ea.log import Arrived, Logged
from ea.news import InForce
from ea.protocol import (
    HEARTBEAT_S,
    Heartbeat,
    Hello,
    Mac,
    Message,
    ParamsAck,
    Resync,
    Signal,
    message_decoded,
    signature_holds,
)
from ea.replies import Ack, Challenge, ServerHeartbeat, ServerResync, Welcome, encoded, reject_frame
from kernel.metrics import count

if TYPE_CHECKING:
    from ea.gateway.hub import Hub


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says when a client says hello: the keys of its installation, and how far it is."""

    keys: dict[str, LiveKey]
    last_seq: int
    told_no: int
    params: InForce


NOTHING_KNOWN = Known({}, 0, 0, InForce(0, []))


class Session:
    """The conversation with one client."""

    def __init__(self, hub: Hub, wire: Wire, address: Address | None) -> None:
        self.hub, self.wire, self.address = hub, wire, address
        self.id = secrets.token_hex(8)
        self.stage = Stage.NEW
        self.key: LiveKey | None = None
        self.sid = ""
        self.told_no = 0
        self.heard_s = self.said_s = time.monotonic()
        self.stalled = False
        self._nonce = secrets.token_hex(16)
        self._mac: Mac | None = None
        self._held: list[bytes] = []
        self._numbers = Numbers(0)
        self._unacked = 0
        self._paused = False
        self._offset = Offset()
        self._bucket = Bucket(per_s=bounds.RATE_PER_S, burst=bounds.RATE_BURST, now_s=self.heard_s)
        self._other = Bucket(per_s=bounds.OTHER_PER_S, burst=bounds.OTHER_BURST, now_s=self.heard_s)
        self._again = Bucket(per_s=bounds.AGAIN_PER_S, burst=bounds.AGAIN_BURST, now_s=self.heard_s)
        hub.opened(self)
        self.say(Challenge(nonce=self._nonce))

    # --- what comes in ------------------------------------------------------------------------------

    def heard(self, payload: bytes) -> None:
        """Take one payload; whatever it is, no more than this connection suffers from it."""
        if self.stage is Stage.CLOSED:
            return
        self.heard_s = time.monotonic()
        if self.stage is Stage.ASKING:
            self._held.append(payload)
            return
        try:
            if len(payload) > PAYLOAD_BYTES_MAX:
                raise Rejected(RejectCode.BAD_FRAME, f"a payload has at most {PAYLOAD_BYTES_MAX} bytes")
            message = message_decoded(payload)
            if type(message) is not Signal and self._other.take(self.heard_s):
                self.close("rate_limited")
            elif self.stage is Stage.NEW:
                self._greeted(message, payload)
            else:
                _ANSWERS[type(message)](self, message, payload)
        except Rejected as rejected:
            self.refuse(rejected)
            budget = self._other if rejected.code.final else self._again
            if budget.take(self.heard_s):
                self.close("rate_limited")

    def _greeted(self, message: Message, payload: bytes) -> None:
        if not isinstance(message, Hello):
            raise Rejected(RejectCode.SCHEMA, "the first frame is a hello")
        self.stage = Stage.ASKING
        self._pause()
        self.hub.key_ask(self, message, payload)

    def known(self, hello: Hello, payload: bytes, known: Known) -> None:
        """Go on with what the database says of the key that was shown; refuse it, or welcome the client."""
        if self.stage is not Stage.ASKING:
            return
        key = known.keys.get(hello.kid)
        try:
            self._admitted(hello, payload, key)
        except Rejected as rejected:
            if key is not None and rejected.code in _AUDITED_AT_HELLO:
                self.hub.alert(key, self.address, rejected.code.value, rejected.detail)
            self.refuse(rejected)
            return
        assert key is not None
        self.stage, self.key, self.sid, self.told_no = Stage.KNOWN, key, hello.sid, known.told_no
        self._mac = Mac(key.secret)
        self._numbers = Numbers(known.last_seq)
        if hello.first_seq is not None:
            self._missing(self._numbers.go_on_at(hello.first_seq))
        self.hub.admitted(self)
        self.say(
            Welcome(
                session=self.id,
                server_ms=time.time_ns() // 1_000_000,
                hb_s=HEARTBEAT_S,
                last_seq_seen=known.last_seq,
                params_rev=known.params.rev,
                limits={
                    "rate_per_s": bounds.RATE_PER_S,
                    "burst": bounds.RATE_BURST,
                    "payload_bytes": PAYLOAD_BYTES_MAX,
                },
            )
        )
        for _, frame in known.params.until(known.told_no):
            self.wire.send(frame.encode())
        held, self._held = self._held, []
        for waiting in held:
            self.heard(waiting)
        self._unpause()

    def unread(self) -> None:
        """Send a client away for a while: the database is away, so nothing is known of its key."""
        self.refuse(Rejected(RejectCode.OVERLOADED, "the database is away"))

    def _admitted(self, hello: Hello, payload: bytes, key: LiveKey | None) -> None:
        """Check who it is. Nothing is told of a key to somebody who does not have its secret."""
        if key is None:
            raise Rejected(RejectCode.UNKNOWN_KEY, "there is no such key")
        nonce_holds = hmac.compare_digest(hello.nonce.encode(), self._nonce.encode())
        if not signature_holds(payload, Mac(key.secret)) or not nonce_holds:
            raise Rejected(RejectCode.BAD_SIG, "the hello is not signed with this key over this nonce")
        key.check(address=self.address, now_ms=time.time_ns() // 1_000_000)
        if (hello.acct, hello.server) != (key.account, key.server):
            raise Rejected(RejectCode.ACCT_MISMATCH, "the key belongs to another account or server")

    def _signal(self, signal: Signal, payload: bytes) -> None:
        key = self._key_of(signal)
        assert self._mac is not None
        if not signature_holds(payload, self._mac if key is self.key else Mac(key.secret)):
            raise Rejected(RejectCode.BAD_SIG, "the signature does not hold", event_id=signal.event_id)
        if (signal.acct, signal.server) != (key.account, key.server):
            raise self._refusal(RejectCode.ACCT_MISMATCH, "the key belongs to another account or server", signal)
        if self._bucket.take(self.heard_s):
            self._later(RejectCode.RATE_LIMITED, "too many signals", signal)
            return
        if not self.hub.inbox.has_room:
            self._later(RejectCode.OVERLOADED, "too much is waiting", signal)
            return
        if signal.sid == self.sid:
            self._numbered(signal)
        self._unacked += 1
        if self._unacked >= bounds.UNACKED_MAX:
            self._pause()
        arrived = Arrived(
            signal=signal,
            raw=payload,
            sha256=hashlib.sha256(payload).digest(),
            link_id=key.link_id,
            recv_us=time.time_ns() // 1_000,
            offset_ms=self._offset.ms,
            rtt_us=self._offset.rtt_us,
        )
        self.hub.inbox.put(arrived, self)

    def _key_of(self, signal: Signal) -> LiveKey:
        """Return the key that a signal names: the connection's, or another one of its installation."""
        assert self.key is not None
        if signal.kid == self.key.kid:
            return self.key
        other = self.hub.key_of_link(signal.kid, self.key.link_id)
        if other is None:
            raise self._refusal(RejectCode.UNKNOWN_KEY, "there is no such key of this installation", signal)
        other.check(address=self.address, now_ms=time.time_ns() // 1_000_000)
        return other

    def _numbered(self, signal: Signal) -> None:
        """Take a signal's number.

        :raises Rejected: ``seq_gap``, or ``rate_limited`` while what is in front of it was refused for a while
        """
        wanted = self._numbers.next
        verdict, hole = self._numbers.take(signal.seq)
        self._missing(hole)
        if verdict is Verdict.BEHIND_REFUSED:
            raise self._refusal(RejectCode.RATE_LIMITED, "what is in front of it was refused", signal)
        if verdict is Verdict.EARLY_FIRST:
            self.say(ServerResync(from_seq=wanted))
        if verdict is not Verdict.TAKEN:
            raise self._refusal(RejectCode.SEQ_GAP, f"{wanted} comes next", signal)

    def _missing(self, hole: range) -> None:
        if hole:
            count("ea_sequence_holes")
            self._alert("hole", f"{self.sid}: {hole[0]} to {hole[-1]} are missing")

    def _heartbeat(self, heartbeat: Heartbeat, payload: bytes) -> None:
        self._verified(payload)
        recv_us = time.time_ns() // 1_000
        self._offset.heard(recv_us=recv_us, client_ms=heartbeat.t_ms, rtt_us=heartbeat.link_rtt_us)
        self.say(ServerHeartbeat(seq=heartbeat.seq, t_ms=recv_us // 1_000, server_ms=recv_us // 1_000))

    def _resync(self, resync: Resync, payload: bytes) -> None:
        self._verified(payload)
        self._missing(self._numbers.go_on_at(resync.from_seq))

    def _params_ack(self, ack: ParamsAck, payload: bytes) -> None:
        self._verified(payload)
        assert self.key is not None
        self.hub.params_acked(self.key, ack.strategy, ack.rev)

    def _hello_again(self, _: Hello, __: bytes) -> None:
        raise Rejected(RejectCode.SCHEMA, "the hello was said")

    def _verified(self, payload: bytes) -> None:
        assert self._mac is not None
        if not signature_holds(payload, self._mac):
            raise Rejected(RejectCode.BAD_SIG, "the signature does not hold")

    # --- what goes out ------------------------------------------------------------------------------

    def say(self, reply: Struct) -> None:
        """Send a frame, unless the connection has ended."""
        if self.stage is not Stage.CLOSED:
            self.said_s = time.monotonic()
            self.wire.send(encoded(reply))

    def logged(self, arrived: Arrived, result: Logged) -> None:
        """Acknowledge what is in the log."""
        self._acked()
        signal = arrived.signal
        if result.conflict is not None:
            self._alert(result.conflict.value, f"{signal.event_id}: {result.detail}")
            self.refuse(self._refusal(result.conflict, result.detail, signal))
            return
        self.say(
            Ack(
                event_id=signal.event_id,
                seq=signal.seq,
                status="duplicate" if result.duplicate else "accepted",
                order_ids=[] if result.order_id is None else [str(result.order_id)],
                t_recv_us=result.recv_us,
                t_log_us=result.log_us,
            )
        )

    def not_logged(self, arrived: Arrived) -> None:
        """Give a signal's number back: the database is away."""
        self._acked()
        self._later(RejectCode.OVERLOADED, "the log cannot be written", arrived.signal)

    def told(self, told: Told) -> None:
        """Tell what was decided; a client that does not read is told when it does."""
        if self.told_no < told.after:
            # Read for others before this one came: what lies between would be lost.
            self.hub.behind(self)
            return
        for no, frame in told.frames:
            if no <= self.told_no:
                continue
            if self.stalled or self.stage is not Stage.KNOWN:
                return
            self.said_s = time.monotonic()
            self.wire.send(frame.encode())
            self.told_no = no
        self.told_no = max(self.told_no, told.until)

    def refuse(self, rejected: Rejected) -> None:
        """Answer a frame that is not accepted; end the connection where it cannot go on."""
        count("ea_frames_rejected", code=rejected.code.value)
        if rejected.code in _AUDITED:
            self._alert(rejected.code.value, rejected.detail)
        if rejected.code.final and self.stage is Stage.KNOWN:
            self._numbers.drop(rejected.seq)
        self.say(reject_frame(rejected, retry_after_ms=0 if rejected.code is RejectCode.SEQ_GAP else bounds.RETRY_MS))
        if self.stage is not Stage.KNOWN or rejected.code in _CLOSING:
            self.close(rejected.code.value)

    def close(self, reason: str) -> None:
        """End the connection."""
        if self.stage is not Stage.CLOSED:
            self.stage = Stage.CLOSED
            self._held.clear()
            count("ea_connections_closed", reason=reason)
            self.hub.closed(self)
            self.wire.close(reason)

    def lost(self) -> None:
        """Take note that the connection is gone."""
        self.close("gone")

    def stall(self, stalled: bool) -> None:
        """Take note that the client does not read, or does again."""
        self.stalled = stalled
        if stalled:
            self._pause()
        elif self.stage is Stage.KNOWN:
            self._unpause()
            self.hub.behind(self)

    def _alert(self, kind: str, detail: str) -> None:
        if self.key is not None:
            self.hub.alert(self.key, self.address, kind, detail)

    def _later(self, code: RejectCode, detail: str, signal: Signal) -> None:
        """Ask for a signal again after a while, and for those behind it after it."""
        count("ea_frames_rejected", code=code.value)
        if self._again.take(self.heard_s):
            self.close("rate_limited")
        if signal.sid == self.sid:
            self._numbers.hold_back(signal.seq)
        self.say(reject_frame(self._refusal(code, detail, signal), retry_after_ms=bounds.RETRY_MS))

    def _refusal(self, code: RejectCode, detail: str, signal: Signal) -> Rejected:
        return Rejected(code, detail, event_id=signal.event_id)

    def _acked(self) -> None:
        self._unacked -= 1
        if self._paused and self._unacked <= bounds.UNACKED_LOW:
            self._unpause()

    def _pause(self) -> None:
        self._paused = True
        self.wire.reading(go_on=False)

    def _unpause(self) -> None:
        if self._paused and not self.stalled and self.stage is Stage.KNOWN:
            self._paused = False
            self.wire.reading(go_on=True)


# Somebody who sends these has no business here, or is not who he says.
_AUDITED = frozenset({RejectCode.BAD_SIG, RejectCode.ACCT_MISMATCH, RejectCode.IP_DENIED})
# Its owner hears of a key that is used after its end, which those who were closed at its end do not mean.
_AUDITED_AT_HELLO = _AUDITED | {RejectCode.KEY_REVOKED}
_CLOSING = _AUDITED | {RejectCode.BAD_FRAME, RejectCode.KEY_REVOKED}
_ANSWERS: dict[type, Callable[..., None]] = {
    Signal: Session._signal,
    Heartbeat: Session._heartbeat,
    Resync: Session._resync,
    ParamsAck: Session._params_ack,
    Hello: Session._hello_again,
}
