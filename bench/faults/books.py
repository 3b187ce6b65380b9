"""The books while everything fails: one reader checks every snapshot, another the invariants each second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping

import psycopg
from django.db import Error as DjangoDatabaseError
from django.db import connection

from kernel import db
from ledger import invariants as ledger_invariants
from settlement.checks import CHECKS, OUTCOMES, SEALS, Form, violations_count

DATABASE_ERRORS = (DjangoDatabaseError, psycopg.Error)
_MOVING = {name: sql for name, sql in ledger_invariants.CHECKS.items() if name.startswith(("I-02", "I-03", "I-05"))}

# I-19 says that somebody settles. While workers are killed on purpose that is what is measured: the time to recover.
# Outcomes and seals are recomputed from all ticks: at the end, and after the rows that are about them.
_NOT_ASKED = frozenset({OUTCOMES, SEALS} | {name for name in CHECKS if name.startswith("I-19")})

_LOST = """
SELECT count(*) FROM unnest(%(owns)s::text[], %(ids)s::uuid[]) AS told(own, id)
WHERE NOT EXISTS (SELECT FROM trading_order o WHERE o.id = told.id AND o.client_order_id = told.own)"""

_DOUBLED = """
SELECT (SELECT count(*) FROM (SELECT FROM ledger_transfer WHERE family LIKE 'order.%%'
                              GROUP BY reference, family HAVING count(*) > 1) AS moved_twice)
     + (SELECT count(*) FROM (SELECT FROM trading_order GROUP BY wallet_id, client_order_id HAVING count(*) > 1)
                              AS placed_twice)
     + (SELECT count(*) FROM (SELECT FROM realtime_event WHERE type = 'order.settled'
                              GROUP BY payload->>'id' HAVING count(*) > 1) AS told_twice)"""

# What was due at an instant: its expiry, or the end of the wait for its entry, lies behind the watermark.
_DUE = """
SELECT count(*) FROM trading_order_open AS opened JOIN quotes_symbol_head AS head USING (symbol_id)
WHERE CASE WHEN opened.entry_after_seq IS NULL THEN opened.expires_at_ms
           ELSE coalesce(opened.entry_until_ms, opened.expires_at_ms) END <= least(head.watermark_ms, %(at_ms)s)"""

_STRAY = "SELECT count(*) FROM trading_order WHERE client_order_id LIKE 'faults-%%' AND NOT id = ANY(%(ids)s::uuid[])"


class Reader:
    """Looks again and again on a thread of its own; a database that is away is asked again.

    :param look: returns what does not hold, with its count
    """

    def __init__(self, look: Callable[[], Mapping[str, int]], *, every_s: float) -> None:
        self.reads = 0
        self.longest_s = 0.0
        self.violations: list[str] = []
        self._look = look
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Read until stopped."""
        self._thread.start()

    def stop(self) -> None:
        """End after the read in hand."""
        self._stopping.set()
        self._thread.join(60)

    def _run(self) -> None:
        took_s = 0.0
        # A reader must not eat the machine that it watches.
        while not self._stopping.wait(max(self._every_s, 2 * took_s)):
            begun_s = time.monotonic()
            try:
                found = self._look()
            except DATABASE_ERRORS:
                connection.close()
                continue
            took_s = time.monotonic() - begun_s
            self.longest_s = max(self.longest_s, took_s)
            self.reads += 1
            self.violations += [f"{name}: {count}" for name, count in found.items()]
        connection.close()


def moving_violated() -> dict[str, int]:
    """Return what does not hold of balances and entries in one REPEATABLE READ snapshot, with counts."""
    return _violated(db.violation_counts(_MOVING))


def violated() -> dict[str, int]:
    """Return the invariants that do not hold in one REPEATABLE READ snapshot, with their counts."""
    return _violated(violations_count(Form.QUICK, without=_NOT_ASKED))


def _violated(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def lost(told: Mapping[str, str]) -> int:
    """Return how many acknowledged orders are not there as they were told."""
    return _count(_LOST, {"owns": list(told), "ids": list(told.values())})


def stray(told: Collection[str]) -> int:
    """Return how many orders of the load nobody was told of."""
    return _count(_STRAY, {"ids": list(told)})


def doubled() -> int:
    """Return how many orders were placed, moved money or were told to be settled twice."""
    return _count(_DOUBLED, {})


def due(at_ms: int) -> int:
    """Return how many orders that were due at an instant are still open."""
    return _count(_DUE, {"at_ms": at_ms})


def facts_applied(at_ms: int) -> bool:
    """Whether every fact of before an instant is applied."""
    return _count("SELECT count(*) FROM kernel_fact_batch WHERE at_ms <= %(at_ms)s", {"at_ms": at_ms}) == 0


def open_orders() -> int:
    """Return how many orders are open."""
    return _count("SELECT count(*) FROM trading_order_open", {})


def signals_moved(at_ms: int, *, logged: bool) -> bool:
    """Whether a signal was logged after an instant, or one came a step further."""
    table, column = ("ea_event", "log_us") if logged else ("ea_order_event", "at_us")
    found = db.row(f"SELECT EXISTS (SELECT FROM {table} WHERE {column} > %(at_ms)s::bigint * 1000)", {"at_ms": at_ms})
    return bool(found and found[0])


def ticked_after(at_ms: int) -> bool:
    """Whether a tick was admitted that was received after an instant, on a simulated symbol."""
    sql = """SELECT count(*) FROM quotes_symbol_head AS head JOIN quotes_symbol AS symbol ON symbol.id = head.symbol_id
             WHERE symbol.feed = 'simulator' AND head.tick_recv_ms > %(at_ms)s"""
    return _count(sql, {"at_ms": at_ms}) > 0


def deadlocks() -> int:
    """Return how many deadlocks the server has met since it was started after its last crash."""
    return _count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", {})


def patient(work: Callable[[], int], *, within_s: float) -> int:
    """Ask the database until it answers.

    :raises DjangoDatabaseError: it does not in time
    """
    until_s = time.monotonic() + within_s
    while True:
        try:
            return work()
        except DATABASE_ERRORS:
            connection.close()
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


def _count(sql: str, params: Mapping[str, object]) -> int:
    found = db.row(sql, params)
    assert found is not None
    return int(found[0])
