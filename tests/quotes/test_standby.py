"""Two parsers of one feed: the other one goes on within 5 s whatever happens to the first (F-03, F-05, F-27)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from kernel import db
from quotes.feed_writer import DATABASE_ERRORS
from quotes.leadership import LOCK_CLASS, SILENT_MS, Leadership
from quotes.statements import TICKS_COPY
from tests.quotes.running import Running, parsing, ticks_flow
from tests.quotes.test_parser import log_is_whole, simulated
from tests.support import eventually

START_S = 40.0
TAKEOVER_S = 5.0


def _stopped(parser: Running) -> None:
    parser.process.send_signal(signal.SIGSTOP)


def _killed(parser: Running) -> None:
    parser.kill()


def _cut_off(_: Running) -> None:
    """End the session that holds the feed's lock, as the server's administrator or a broken network does."""
    ended = db.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
        " AND objid::bigint = (hashtext('feed:simulator')::bigint & 4294967295) AND granted"
        # The view shows the locks of all databases of the server, among them another test worker's.
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [LOCK_CLASS],
    )
    assert ended == [(True,)]


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [_killed, _stopped, _cut_off])
def test_the_feed_goes_on_within_five_seconds(fault: Callable[[Running], None], tmp_path: Path) -> None:
    """Issue 3: killed, stopped, or cut off from the database; no tick twice, no number missing.

    A parser that comes back finds that it does not lead any more, and writes nothing.
    """
    symbol_id = simulated()
    with parsing(tmp_path, "--feed", "simulator") as first:
        ticks_flow(symbol_id, within_s=START_S)
        with parsing(tmp_path, "--feed", "simulator") as second:
            eventually(lambda: "feed_stands_by" in second.logged(), within_s=START_S)
            ticks_flow(symbol_id, within_s=5)

            fault(first)
            fault_s = time.monotonic()
            ticks_flow(symbol_id, within_s=TAKEOVER_S)
            print(f"the feed{fault.__name__}: next tick after {time.monotonic() - fault_s:.2f} s")

            if fault is _stopped:
                first.process.send_signal(signal.SIGCONT)
                eventually(lambda: "feed_stands_by" in first.logged(), within_s=10)
            ticks_flow(symbol_id, within_s=5)
            assert second.end() == 0
    log_is_whole(symbol_id)


def _idle(over: threading.Event) -> None:
    over.wait(20)


def _in_a_transaction(over: threading.Event) -> None:
    with transaction.atomic():
        db.row("SELECT 1")
        over.wait(20)


def _in_a_copy(over: threading.Event) -> None:
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(TICKS_COPY):
        over.wait(20)


@contextmanager
def _leading_silently(falls_silent: Callable[[threading.Event], None]) -> Iterator[None]:
    """Lead in a session of its own that says nothing any more, as a stopped process does."""
    leads, over = threading.Event(), threading.Event()
    ended: list[Exception] = []

    def lead() -> None:
        assert Leadership("feed:quiet").take()
        leads.set()
        try:
            falls_silent(over)
            db.row("SELECT 1")
        except DATABASE_ERRORS as error:
            ended.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=lead)
    thread.start()
    try:
        assert leads.wait(10)
        yield
    finally:
        over.set()
        thread.join(10)
    assert len(ended) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("falls_silent", [_idle, _in_a_transaction, _in_a_copy])
def test_the_lock_of_a_silent_leader_is_free_soon(falls_silent: Callable[[threading.Event], None]) -> None:
    """Issue 3: a stopped process keeps its session; the server ends it, wherever the process stood."""
    here = Leadership("feed:quiet")
    with _leading_silently(falls_silent):
        assert not here.take()
        eventually(here.take, within_s=SILENT_MS / 1000 + 1)
    here.leave()


@pytest.mark.django_db(transaction=True)
def test_a_session_that_leads_no_more_is_not_bounded() -> None:
    """The bounds belong to leading: a session that gave it up may be idle."""
    here = Leadership("feed:quiet")
    before = db.row("SHOW idle_session_timeout")
    assert here.take()
    assert db.row("SHOW idle_session_timeout") == ("3s",)
    here.leave()

    assert db.row("SHOW idle_session_timeout") == before
