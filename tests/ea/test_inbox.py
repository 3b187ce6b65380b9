"""From connections to the log: one commit for what comes together, no acknowledgement before it, none out of order."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.db import OperationalError

from accounts.domain import Address
from ea.codes import RejectCode
from ea.gateway import inbox as inbox_module
from ea.gateway.inbox import Inbox
from ea.gateway.news import Told
from ea.gateway.session import Known, Session
from ea.keys import LiveKey
from ea.log import Arrived, Logged
from ea.news import InForce
from ea.protocol import Hello
from tests.ea.events import HELLO, SECRET, SIGNAL, payload

KEY = LiveKey(
    kid="k1",
    secret=SECRET,
    scopes=frozenset({"source"}),
    networks=(),
    valid_from_ms=0,
    valid_until_ms=None,
    revoked=False,
    link_id=1,
    account="50012345",
    server="Broker-Demo",
    user_id=uuid4(),
)


class FakeLog:
    """Keeps what is appended; fails as often as it is told to, after the write when it is told so."""

    has_repeats = False

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.batches: list[list[int]] = []
        self.seqs: list[int] = []

    def append(self, batch: Sequence[Arrived]) -> list[Logged]:
        """Log a batch."""
        if self.failures:
            self.failures -= 1
            raise OperationalError("away")
        self.batches.append([event.signal.seq for event in batch])
        results = []
        for event in batch:
            results.append(Logged(duplicate=False, recv_us=event.recv_us, log_us=1))
            self.seqs.append(event.signal.seq)
        return results

    def tell(self) -> None: ...


class FakeHub:
    """What a session needs of its hub: the inbox, and nobody to tell."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.alerts: list[str] = []
        self.lagging: list[Session] = []

    def opened(self, session: Session) -> None: ...
    def admitted(self, session: Session) -> None: ...
    def closed(self, session: Session) -> None: ...
    def behind(self, session: Session) -> None:
        """Keep who is behind."""
        self.lagging.append(session)

    def key_ask(self, session: Session, hello: Hello, raw: bytes) -> None: ...

    def alert(self, key: LiveKey, address: Address | None, kind: str, detail: str) -> None:
        """Keep the kind."""
        self.alerts.append(kind)


class FakeWire:
    """Keeps what is sent."""

    name = "fake"

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.reads = True

    def send(self, raw: bytes) -> None:
        """Keep a frame."""
        self.frames.append(msgspec.json.decode(raw))

    def close(self, reason: str) -> None: ...

    def reading(self, go_on: bool) -> None:
        """Keep whether more is read."""
        self.reads = go_on

    def told(self, *kinds: str) -> list[tuple[str, Any]]:
        """Return what was sent, by kind, with the event's place or the code."""
        ids = {event_id(seq): seq for seq in range(1, 400)}
        return [
            (frame["type"], frame.get("code") or ids.get(frame.get("event_id", "")))
            for frame in self.frames
            if frame["type"] in kinds
        ]


def event_id(seq: int) -> str:
    return f"01890a5d-ac96-774b-bcce-{seq:012x}"


def signal(seq: int) -> bytes:
    return payload(SIGNAL | {"seq": seq, "event_id": event_id(seq), "src_ticket": str(seq)})


def joined(log: Any) -> tuple[Session, FakeWire, Inbox, FakeHub]:
    """Return a session that is known, over a log."""
    inbox = Inbox()
    inbox._log = log
    hub, wire = FakeHub(inbox), FakeWire()
    session = Session(hub, wire, None)  # type: ignore[arg-type]
    hello = payload(HELLO | {"nonce": wire.frames[0]["nonce"], "first_seq": 1})
    session.heard(hello)
    greeting = msgspec.json.decode(hello, type=Hello)
    session.known(greeting, hello, Known({greeting.kid: KEY}, last_seq=0, told_no=0, params=InForce(0, [])))
    return session, wire, inbox, hub


def said(session: Session, seqs: Iterable[int]) -> None:
    """Let a session hear signals at once."""
    for seq in seqs:
        session.heard(signal(seq))


def played(log: Any, play: Callable[[Session, Inbox], Any]) -> FakeWire:
    """Let a session say something on an event loop, and return what it was told once all is answered."""

    async def run() -> FakeWire:
        session, wire, inbox, _ = joined(log)
        done = play(session, inbox)
        if done is not None:
            await done
        await inbox.drained()
        inbox.end()
        return wire

    return asyncio.run(run())


def test_what_comes_together_is_one_batch() -> None:
    log = FakeLog()
    wire = played(log, lambda session, _: said(session, range(1, 41)))
    assert log.batches == [list(range(1, 41))]
    assert wire.told("ack", "reject") == [("ack", seq) for seq in range(1, 41)]


def test_a_database_that_is_away_acknowledges_nothing_and_keeps_the_order() -> None:
    """ea 6.1, F-20: ``overloaded`` for everything that waits; sent again, all comes in its order, once."""
    log = FakeLog(failures=1)

    async def play(session: Session, inbox: Inbox) -> None:
        for seq in (1, 2):
            session.heard(signal(seq))
        inbox._write()
        # While the first batch is under way another signal comes; it must not overtake.
        session.heard(signal(3))
        await inbox.drained()
        session.heard(signal(4))
        await inbox.drained()
        for seq in (1, 2, 3, 4):
            session.heard(signal(seq))
        await inbox.drained()

    wire = played(log, play)
    told = wire.told("ack", "reject")
    assert told[:4] == [("reject", "overloaded")] * 3 + [("reject", "rate_limited")]
    assert told[4:] == [("ack", seq) for seq in (1, 2, 3, 4)]
    assert log.seqs == [1, 2, 3, 4]
    assert all(frame["retry_after_ms"] == 1_000 for frame in wire.frames if frame["type"] == "reject")


def test_too_many_that_wait_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backpressure: the inbox is bounded."""
    monkeypatch.setattr(inbox_module, "WAITING_MAX", 5)
    log = FakeLog()
    wire = played(log, lambda session, _: said(session, range(1, 9)))
    assert wire.told("ack") == [("ack", seq) for seq in range(1, 6)]
    assert wire.told("reject") == [("reject", "overloaded")] * 3


def test_reading_stops_while_too_many_are_unanswered() -> None:
    log, seen = FakeLog(), list[bool]()

    async def play(session: Session, inbox: Inbox) -> None:
        for seq in range(1, 201):
            session.heard(signal(seq))
        seen.append(session.wire.reads)  # type: ignore[attr-defined]
        await inbox.drained()

    wire = played(log, play)
    assert seen == [False]
    assert wire.reads


class _Hasty(Inbox):
    """Acknowledges first and writes afterwards: the fault that I-34 is about."""

    def put(self, arrived: Arrived, sender: Any) -> None:
        sender.logged(arrived, Logged(duplicate=False, recv_us=1, log_us=1))
        super().put(arrived, sender)


def acknowledged_and_lost(wire: FakeWire, log: FakeLog) -> set[int]:
    """Return what a client believes to be logged and is not."""
    return {seq for _, seq in wire.told("ack")} - set(log.seqs)


@pytest.mark.parametrize(("kind", "lost"), [(Inbox, set()), (_Hasty, {1, 2, 3})])
def test_an_acknowledgement_follows_the_commit(
    kind: type[Inbox], lost: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I-34: what is acknowledged is durable; an inbox that acknowledges before it persists is seen."""
    monkeypatch.setitem(globals(), "Inbox", kind)
    log = FakeLog(failures=1)
    wire = played(log, lambda session, _: said(session, (1, 2, 3)))
    assert acknowledged_and_lost(wire, log) == lost


def test_the_digest_that_is_logged_is_that_of_the_bytes() -> None:
    """ea 6.1: the bytes themselves are kept."""
    kept: list[Arrived] = []

    class Kept(FakeLog):
        def append(self, batch: Sequence[Arrived]) -> list[Logged]:
            kept.extend(batch)
            return super().append(batch)

    played(Kept(), lambda session, _: session.heard(signal(1)))
    assert kept[0].raw == signal(1)
    assert kept[0].sha256 == hashlib.sha256(signal(1)).digest()


def test_a_conflict_is_told_and_goes_on_record() -> None:
    class Conflict(FakeLog):
        def append(self, batch: Sequence[Arrived]) -> list[Logged]:
            return [
                Logged(duplicate=True, recv_us=1, log_us=1, conflict=RejectCode.ID_CONFLICT, detail="why")
                for _ in batch
            ]

    async def run() -> tuple[FakeWire, FakeHub]:
        session, wire, inbox, hub = joined(Conflict())
        session.heard(signal(1))
        await inbox.drained()
        inbox.end()
        return wire, hub

    wire, hub = asyncio.run(run())
    assert wire.told("reject") == [("reject", "id_conflict")]
    assert hub.alerts == ["id_conflict"]


def test_who_joins_while_others_are_told_misses_nothing() -> None:
    """ea 5: what was read for a connection that is further is no news for one that is not: it is read again for it."""

    async def run() -> tuple[list[Any], list[Session], int]:
        session, wire, inbox, hub = joined(FakeLog())
        session.told_no = 3
        frames = [(number, f'{{"type":"order","no":{number}}}') for number in range(4, 13)]
        session.told(Told(after=10, frames=frames[7:], until=12))
        lagging = list(hub.lagging)
        for _ in range(2):
            session.told(Told(after=2, frames=frames, until=14))
        inbox.end()
        return [frame["no"] for frame in wire.frames if frame["type"] == "order"], lagging, session.told_no

    told, lagging, told_no = asyncio.run(run())
    assert told == list(range(4, 13))
    assert len(lagging) == 1
    # Numbers that nobody is told of any more are passed over.
    assert told_no == 14
