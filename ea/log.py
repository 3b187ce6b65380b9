"""The log of events: what arrived together is written by one statement, and told only after the commit."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from uuid import UUID

import structlog
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, transaction
from psycopg import Error as DriverError
from psycopg.errors import UniqueViolation

from ea import statements
from ea.codes import RejectCode
from ea.notices import DUE_CHANNEL, notice_send
from ea.protocol import Signal
from kernel import db
from kernel.failpoints import reach
from kernel.ids import uuid7
from kernel.metrics import count

log = structlog.get_logger(__name__)

# A listener is a connection of the driver's own, whose errors come without Django's wrapping.
DATABASE_AWAY = (DatabaseError, InterfaceError, DriverError)
_REFUSED_BY_TABLES = (DataError, IntegrityError)
_LOG, _LOG_AND_REPEATS = db.Prepared(statements.LOG), db.Prepared(statements.LOG_AND_REPEATS)
_ATTEMPTS = 5
_AGAIN_S = 1.0
# Events that came again and are not noted yet; more than these are only counted.
_REPEATS_MAX = 10_000


# As many of these are made as there are signals, and a frozen one takes four times as long to make.
@dataclass(slots=True)
class Arrived:
    """A verified signal that is not logged yet; instants in Unix microseconds by this machine's clock."""

    signal: Signal
    raw: bytes
    sha256: bytes
    link_id: int
    recv_us: int
    offset_ms: int = 0
    rtt_us: int = 0


@dataclass(slots=True)
class Logged:
    """What became of an arrived event.

    :param conflict: the code to refuse it with; None when it is in the log
    :param order_id: the order that it had become when it arrived again
    :param event: its number in the log, where it was there already
    """

    duplicate: bool
    recv_us: int
    log_us: int
    order_id: UUID | None = None
    conflict: RejectCode | None = None
    detail: str = ""
    event: int = 0


class EventLog:
    """One process's hand on the log, with a chain of its own; several threads may use it.

    :param notice_every_s: how often executors are told at most; whoever gives it calls :meth:`tell` for the rest
    """

    def __init__(self, *, notice_every_s: float = 0.0) -> None:
        self._lock = Lock()
        self._notice_every_s, self._told_s = notice_every_s, -notice_every_s
        self._untold = set[int]()
        self._repeats = Counter[int]()
        self._came_again_s = -_AGAIN_S
        self._begin_chain()

    @property
    def has_repeats(self) -> bool:
        """Whether events came again that are not noted yet."""
        return bool(self._repeats)

    def append(self, batch: Sequence[Arrived]) -> list[Logged]:
        """Write a batch durably and return what became of each event, in the batch's order.

        :raises DatabaseError: the database is away: nothing may be acknowledged, and what was written may still turn
            up as a duplicate when it is sent again
        """
        with self._lock:
            try:
                results = self._appended(batch)
                self._repeated(results)
            except _REFUSED_BY_TABLES as error:
                # One that the tables refuse must not hold up the others; the schema should have refused it.
                log.error("ea_event_refused_by_tables", exc_info=error)
                results = self._each_alone(batch)
            except DATABASE_AWAY:
                # Whether the commit went through is not known, so neither is where the chain stands.
                self._begin_chain()
                raise
            if time.monotonic() - self._told_s >= self._notice_every_s:
                self._tell()
            return results

    def tell(self) -> None:
        """Tell executors what they were not told of yet."""
        with self._lock:
            self._tell()

    def _tell(self) -> None:
        if self._untold:
            notice_send(DUE_CHANNEL, self._untold)
            self._untold.clear()
            self._told_s = time.monotonic()

    def repeats_write(self) -> None:
        """Note the events that came again, if no batch has taken them along; nobody waits for this.

        :raises DatabaseError: the database is away: they are noted later
        """
        with self._lock:
            if self._repeats:
                noted = dict(self._repeats)
                with transaction.atomic(durable=True):
                    db.run("SET LOCAL synchronous_commit = off")
                    db.run(statements.REPEATS, _repeat_columns(noted))
                self._noted(noted)

    def _repeated(self, results: Sequence[Logged]) -> None:
        for result in results:
            if not result.duplicate or result.conflict is not None:
                continue
            count("ea_events_repeated")
            if result.event in self._repeats or len(self._repeats) < _REPEATS_MAX:
                self._repeats[result.event] += 1
            else:
                count("ea_repeats_not_noted")

    def _noted(self, noted: dict[int, int]) -> None:
        """Forget repeats that are noted now."""
        for event, times in noted.items():
            self._repeats[event] -= times
            if not self._repeats[event]:
                del self._repeats[event]

    def _each_alone(self, batch: Sequence[Arrived]) -> list[Logged]:
        results = []
        for event in batch:
            try:
                results += self._appended([event])
            except _REFUSED_BY_TABLES:
                refused = Logged(duplicate=False, recv_us=event.recv_us, log_us=0, conflict=RejectCode.SCHEMA)
                results.append(refused)
        return results

    def _begin_chain(self) -> None:
        self._chain = uuid7()
        self._no = 0
        self._link = hashlib.sha256(self._chain.bytes).digest()

    def _appended(self, batch: Sequence[Arrived]) -> list[Logged]:
        results: dict[int, Logged] = {}
        waiting = dict(enumerate(batch))
        # Where something has come again more of it will, and a look is cheaper than a statement that fails.
        look_first = time.monotonic() - self._came_again_s < _AGAIN_S
        for _ in range(_ATTEMPTS):
            # A second event with a key of the first is looked at once the first is there.
            chosen = _distinct(waiting)
            found = None if look_first else self._written(chosen)
            if found is None:
                # Some are in the log already: they are told what is stored, the others are tried again without them.
                found = _stored(chosen)
                if found:
                    self._came_again_s = time.monotonic()
                look_first = False
            results |= found
            for ord_ in found:
                del waiting[ord_]
            if not waiting:
                return [results[ord_] for ord_ in range(len(batch))]
        # Each attempt failed by others who write the same events at the same time; they are there by now.
        raise DatabaseError("the log is written by others faster than by us")

    def _written(self, batch: dict[int, Arrived]) -> dict[int, Logged] | None:
        """Write events, all or none; return None when some of them cannot be written."""
        events, links = list(batch.values()), [self._link]
        for event in events:
            links.append(hashlib.sha256(links[-1] + event.sha256).digest())
        noted = dict(self._repeats)
        asked = {"chain": str(self._chain), "no": str(self._no)} | _columns(events, links)
        reach("ea.arrived")
        try:
            told = _LOG_AND_REPEATS.committed(asked | _repeat_columns(noted)) if noted else _LOG.committed(asked)
        except IntegrityError as error:
            if isinstance(error.__cause__, UniqueViolation):
                return None
            raise
        reach("ea.log_committed")
        log_us = int(told[0])
        self._no, self._link = self._no + len(batch), links[-1]
        self._noted(noted)
        count("ea_events_logged", len(batch))
        self._untold |= {event.link_id for event in events}
        return {ord_: Logged(duplicate=False, recv_us=event.recv_us, log_us=log_us) for ord_, event in batch.items()}


def _distinct(waiting: dict[int, Arrived]) -> dict[int, Arrived]:
    """Return the events of which no earlier one has a key."""
    keys = {ord_: _keys(event) for ord_, event in waiting.items()}
    if len({key for some in keys.values() for key in some}) == sum(map(len, keys.values())):
        return dict(waiting)
    chosen, taken = dict[int, Arrived](), set[object]()
    for ord_, event in waiting.items():
        if taken.isdisjoint(keys[ord_]):
            chosen[ord_] = event
            taken.update(keys[ord_])
    return chosen


def _keys(event: Arrived) -> tuple[object, ...]:
    signal = event.signal
    number = signal.kid, signal.sid, signal.seq
    if signal.src_ticket is None:
        return signal.event_id, number
    return signal.event_id, number, (event.link_id, signal.source, signal.src_ticket, signal.action)


def _columns(events: Sequence[Arrived], links: Sequence[bytes]) -> dict[str, str]:
    """Return events column by column, each as PostgreSQL's text of an array: the driver is slower by far."""
    signals = [event.signal for event in events]
    return {
        "event_ids": _array([signal.event_id for signal in signals]),
        "links": db.numbers_array(event.link_id for event in events),
        "kids": _array([signal.kid for signal in signals]),
        "sids": _array([_quoted(signal.sid) for signal in signals]),
        "seqs": db.numbers_array(signal.seq for signal in signals),
        "sources": _array([signal.source for signal in signals]),
        "tickets": _array([_quoted(signal.src_ticket) for signal in signals]),
        "actions": _array([signal.action for signal in signals]),
        "raws": _octets([event.raw for event in events]),
        "digests": _octets([event.sha256 for event in events]),
        "prev_digests": _octets(links[:-1]),
        "offsets_ms": db.numbers_array(event.offset_ms for event in events),
        "rtts_us": db.numbers_array(event.rtt_us for event in events),
        "recvs_us": db.numbers_array(event.recv_us for event in events),
    }


def _array(words: Iterable[str]) -> str:
    return "{" + ",".join(words) + "}"


def _quoted(word: str | None) -> str:
    if word is None:
        return "NULL"
    if "\\" in word or '"' in word:
        word = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{word}"'


def _octets(values: Iterable[bytes]) -> str:
    # The backslash stands twice: once for the array, once for the value.
    return _array([f'"\\\\x{value.hex()}"' for value in values])


def _stored(batch: dict[int, Arrived]) -> dict[int, Logged]:
    """Return what is stored of those events that are in the log by one of their keys."""
    signals = {ord_: event.signal for ord_, event in batch.items()}
    found = db.rows(
        statements.STORED,
        {
            "ords": list(batch),
            "event_ids": [UUID(signal.event_id) for signal in signals.values()],
            "links": [event.link_id for event in batch.values()],
            "kids": [signal.kid for signal in signals.values()],
            "sids": [signal.sid for signal in signals.values()],
            "seqs": [signal.seq for signal in signals.values()],
            "sources": [signal.source for signal in signals.values()],
            "tickets": [signal.src_ticket for signal in signals.values()],
            "actions": [signal.action for signal in signals.values()],
        },
    )
    return {ord_: _told_again(batch[ord_], *rest) for ord_, *rest in found}


def _repeat_columns(noted: dict[int, int]) -> dict[str, str]:
    return {"events": db.numbers_array(noted), "times": db.numbers_array(noted.values())}


def _told_again(
    event: Arrived,
    number: int,
    sha256: bytes,
    recv_us: int,
    log_us: int,
    link_id: int,
    order_id: UUID | None,
    way: int,
) -> Logged:
    told = Logged(duplicate=True, recv_us=recv_us, log_us=log_us, order_id=order_id, event=number)
    if way == 1 and (bytes(sha256) != event.sha256 or link_id != event.link_id):
        return replace(told, conflict=RejectCode.ID_CONFLICT, detail="this event_id was logged with other bytes")
    if way == 3:
        detail = f"seq {event.signal.seq} of this installation was given to another event"
        return replace(told, conflict=RejectCode.ID_CONFLICT, detail=detail)
    return told
