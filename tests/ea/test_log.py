"""The log of events: durable before it is told, each event once by all of its keys, chained, and never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from ea import log as log_module
from ea.codes import RejectCode
from ea.log import EventLog
from ea.models import EaOrder, Event
from ea.protocol import signal_decoded
from ea.statements import LOG
from kernel import db
from settlement.listening import listening_connection
from tests.ea.bridge import Installation, installation, with_key
from tests.ea.events import arrived, id_of

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one() -> Installation:
    return installation()


def chain_holds() -> bool:
    """Whether each event of each chain covers what stands in front of it, from the chain's own name on."""
    links: dict[Any, tuple[int, bytes]] = {}
    for event in Event.objects.order_by("chain", "chain_no"):
        no, link = links.get(event.chain, (0, hashlib.sha256(event.chain.bytes).digest()))
        if event.chain_no != no + 1 or bytes(event.prev_sha256) != link:
            return False
        links[event.chain] = event.chain_no, hashlib.sha256(link + bytes(event.sha256)).digest()
    return True


def test_a_batch_is_logged_in_its_order_and_each_event_is_due(one: Installation) -> None:
    """ea 6.1: raw bytes, digest, chain; every event has its order from the first moment on."""
    batch = [arrived(one, seq, src_ticket=f"t\\{seq}") for seq in range(1, 31)]
    results = EventLog().append(batch)
    assert [result.duplicate for result in results] == [False] * 30
    assert all(result.log_us >= result.recv_us for result in results)
    stored = list(Event.objects.order_by("id"))
    assert [event.event_id for event in stored] == [id_of(event) for event in batch]
    assert [bytes(event.raw) for event in stored] == [event.raw for event in batch]
    assert [event.src_ticket for event in stored] == [f"t\\{seq}" for seq in range(1, 31)]
    assert set(EaOrder.objects.values_list("state", "step")) == {("received", 0)}
    assert EaOrder.objects.count() == 30
    assert chain_holds()


def test_what_is_sent_again_is_told_what_was_stored(one: Installation) -> None:
    """ea 6.1: a duplicate gets the stored acknowledgement and makes nothing."""
    log = EventLog()
    first = [arrived(one, seq) for seq in range(1, 4)]
    told = log.append(first)
    later = [replace(event, recv_us=event.recv_us + 9_000_000) for event in first]
    again = log.append([*later, arrived(one, 4)])
    assert [result.duplicate for result in again] == [True, True, True, False]
    assert [(result.recv_us, result.log_us) for result in again[:3]] == [
        (result.recv_us, result.log_us) for result in told
    ]
    assert EaOrder.objects.count() == Event.objects.count() == 4
    assert chain_holds()


def test_the_same_id_with_other_bytes_is_a_conflict(one: Installation) -> None:
    log = EventLog()
    event = arrived(one, 1)
    log.append([event])
    (result,) = log.append([arrived(one, 1, event_id=event.signal.event_id, strategy="other")])
    assert result.conflict is RejectCode.ID_CONFLICT
    assert bytes(Event.objects.get().raw) == event.raw


def test_a_ticket_is_one_event_whatever_its_id_and_key(one: Installation) -> None:
    """ea 5, idempotency key 2: it survives a lost spool and a rotation of keys."""
    log = EventLog()
    told = log.append([arrived(one, 1, src_ticket="900")])
    other = with_key(one.trader, one.link)
    (again,) = log.append([arrived(other, 1, sid="s2", src_ticket="900")])
    (closing,) = log.append([arrived(other, 2, sid="s2", src_ticket="900", action="close_all")])
    assert (again.duplicate, again.conflict, again.log_us) == (True, None, told[0].log_us)
    assert not closing.duplicate
    stranger = installation()
    (theirs,) = log.append([arrived(stranger, 1, src_ticket="900")])
    assert not theirs.duplicate


def test_a_number_given_twice_is_a_conflict(one: Installation) -> None:
    log = EventLog()
    log.append([arrived(one, 1)])
    (result,) = log.append([arrived(one, 1)])
    assert result.conflict is RejectCode.ID_CONFLICT
    assert "seq 1" in result.detail


def test_twins_in_one_batch_are_logged_once(one: Installation) -> None:
    event = arrived(one, 1, src_ticket="1")
    batch = [event, event, arrived(one, 2, src_ticket="1"), arrived(one, 3)]
    results = EventLog().append(batch)
    assert [result.duplicate for result in results] == [False, True, True, False]
    assert Event.objects.count() == 2
    assert chain_holds()


def test_an_event_of_a_stranger_is_no_duplicate_of_his(one: Installation) -> None:
    """S-24: who guesses an event's id learns nothing of it."""
    log = EventLog()
    event = arrived(one, 1)
    log.append([event])
    stranger = installation()
    (result,) = log.append([replace(event, link_id=stranger.link.pk)])
    assert result.conflict is RejectCode.ID_CONFLICT


def test_gateways_side_by_side_log_each_event_once(one: Installation) -> None:
    """I-34: the same spool sent to four gateways at once; each event is there once and each chain is whole."""
    batch = [arrived(one, seq, src_ticket=str(seq)) for seq in range(1, 61)]

    def sent(number: int) -> int:
        log, new = EventLog(), 0
        try:
            for at in range(0, 60, 7 + number):
                new += sum(not result.duplicate for result in log.append(batch[at : at + 7 + number]))
        finally:
            connection.close()
        return new

    with ThreadPoolExecutor(4) as threads:
        new = sum(threads.map(sent, range(4)))
    assert new == 60
    assert Event.objects.count() == EaOrder.objects.count() == 60
    assert chain_holds()


def test_an_unknown_commit_begins_a_new_chain(one: Installation) -> None:
    """Nothing is acknowledged, and what did reach the log is a duplicate when it comes again."""
    log, event = EventLog(), arrived(one, 1)

    def lost(name: str) -> None:
        if name == "ea.log_committed":
            raise DatabaseError("the connection is gone")

    with mock.patch.object(log_module, "reach", lost), pytest.raises(DatabaseError):
        log.append([event])
    (again,) = log.append([event])
    (fresh,) = log.append([arrived(one, 2)])
    assert (again.duplicate, fresh.duplicate) == (True, False)
    assert Event.objects.values("chain").distinct().count() == 2
    assert chain_holds()


def test_nothing_stays_of_a_batch_that_fails(one: Installation) -> None:
    """ea 6.1: a batch is in the log whole or not at all, here when events are written and their orders cannot be."""
    log, batch = EventLog(), [arrived(one, seq) for seq in range(1, 4)]
    db.run("SET lock_timeout = 50")
    try:
        with listening_connection() as other, other.transaction():
            other.execute("LOCK TABLE ea_order IN EXCLUSIVE MODE")
            with pytest.raises(DatabaseError):
                log.append(batch)
    finally:
        db.run("RESET lock_timeout")
    assert Event.objects.count() == EaOrder.objects.count() == 0
    assert [result.duplicate for result in log.append(batch)] == [False] * 3
    assert chain_holds()


def test_one_that_the_tables_refuse_does_not_hold_up_the_others(one: Installation) -> None:
    good = arrived(one, 1)
    wrong = replace(arrived(one, 2), sha256=b"\0" * 32)
    results = EventLog().append([good, wrong, arrived(one, 3)])
    assert [result.conflict for result in results] == [None, RejectCode.SCHEMA, None]
    assert Event.objects.count() == 2
    assert chain_holds()


_STEP = "INSERT INTO ea_order_event (order_id, step, link_id, no, from_state, state, actor, at_us)"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ea_event SET recv_us = 1",
        "DELETE FROM ea_event",
        "TRUNCATE ea_event CASCADE",
        "DELETE FROM ea_order",
        "UPDATE ea_order SET state = 'open'",
        "UPDATE ea_order SET state = 'submitted', step = 3",
        "UPDATE ea_order SET link_id = 0",
        f"{_STEP} SELECT event_id, 1, link_id, 1, 'received', 'open', 'x', 1 FROM ea_order",
        f"{_STEP} SELECT event_id, 2, link_id, 1, 'received', 'denied', 'x', 1 FROM ea_order",
        f"{_STEP} SELECT event_id, 1, link_id, 1, 'submitted', 'expired', 'x', 1 FROM ea_order",
        "DELETE FROM ea_counter",
        "UPDATE ea_counter SET no = -1",
        "DELETE FROM ea_key",
        "UPDATE ea_key SET kid = 'other'",
    ],
)
def test_the_tables_refuse_by_themselves(one: Installation, sql: str) -> None:
    """ea 6.1, 6.2: append-only logs, listed transitions only."""
    EventLog().append([arrived(one, 1)])
    before = db.rows("SELECT * FROM ea_order"), db.rows("SELECT * FROM ea_event")
    with pytest.raises(IntegrityError), transaction.atomic():
        db.run(sql)
    assert before == (db.rows("SELECT * FROM ea_order"), db.rows("SELECT * FROM ea_event"))


def test_a_backslash_and_any_word_survive_the_copy(one: Installation) -> None:
    """Whatever the schema lets through is stored as it came."""
    sid = 'a\\b"\u2028\\N'
    plain = arrived(one, 1, sid=sid)
    EventLog().append([plain])
    event = Event.objects.get()
    assert (event.sid, bytes(event.raw)) == (sid, plain.raw)
    assert signal_decoded(bytes(event.raw)) == plain.signal


def test_a_commit_of_the_log_waits_for_the_disk_whatever_the_default_is(one: Installation) -> None:
    """I-34: what is acknowledged is on the disk, and the setting of the session is left as it was."""
    seen = list[str]()
    setting = "current_setting('synchronous_commit')"

    class Watched(db.Prepared):
        def committed(self, params: Mapping[str, str]) -> tuple[str, ...]:
            """Take note of the setting that the statement has run under."""
            log_us, found = super().committed(params)
            seen.append(found)
            return (log_us,)

    db.run("SET synchronous_commit = off")
    try:
        watched = Watched(LOG.replace("SELECT now_us FROM", f"SELECT now_us, {setting} FROM"))
        with mock.patch.object(log_module, "_LOG", watched):
            EventLog().append([arrived(one, 1)])
        assert seen == ["on"]
        assert db.row(f"SELECT {setting}") == ("off",)
    finally:
        db.run("RESET synchronous_commit")


def test_while_events_come_again_no_statement_fails(one: Installation) -> None:
    """ADR 0045: clients that come back do not fill the server's log with an error for each batch."""
    log, first, failed = EventLog(), arrived(one, 1), list[str]()

    def watching(execute: Any, sql: str, *rest: Any) -> Any:
        try:
            return execute(sql, *rest)
        except IntegrityError:
            failed.append(sql)
            raise

    log.append([first])
    with connection.execute_wrapper(watching):
        for seq in (2, 3, 4):
            assert [result.duplicate for result in log.append([first, arrived(one, seq)])] == [True, False]
    assert len(failed) == 1
    assert chain_holds()


def test_no_order_begins_without_its_event(one: Installation) -> None:
    """ea 6.1: what becomes of an event is on record for events of the log only, and begins as received."""
    EventLog().append([arrived(one, 1)])
    begins = "INSERT INTO ea_order (event_id, link_id, state, step, strategy)"
    for rest in ("VALUES (0, 1, 'received', 0, '')", "SELECT max(id) + 1, 1, 'received', 0, '' FROM ea_event"):
        with pytest.raises(IntegrityError, match="no event"):
            db.run(f"{begins} {rest}")
    with pytest.raises(IntegrityError, match="starts as received"):
        db.run(f"{begins} SELECT id, 1, 'open', 3, '' FROM ea_event")
