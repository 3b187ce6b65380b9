"""The executor's loops: each works in lanes of installations, which one process holds at a time."""

from __future__ import annotations

import os
import time
from threading import Event, Thread
from typing import Any

import psycopg
import structlog
from django.db import connection

from ea.executor import BATCH, BATCH_MAX, BUSY_WAIT_MS, LeftAlone, orders_execute
from ea.log import DATABASE_AWAY
from ea.notices import DUE_CHANNEL, links_of
from kernel import db
from kernel.metrics import count
from settlement.listening import listening_connection

log = structlog.get_logger(__name__)

LANES = 4
INTERVAL_S = 0.5
# Until the next look after a batch that was not full, unless somebody tells of more: as often as gateways do.
LOOK_S = 0.02
# A full batch that took a lane no more work than this a signal lets the next one be larger: most became no order.
BRIEF_S = 0.0004
# Longer than any statement of placement may take.
STALLED_S = 60.0
_EXIT_STALLED = 70
# The first key of the advisory locks that say who works in a lane.
LOCK_CLASS = 7301
# Much longer than a lane waits between two looks.
SILENT_MS = 5_000


class Lane:
    """Executes what is due in one lane while it holds the lane's lock, which lives as long as its session."""

    def __init__(self, lane: int, lanes: int = LANES) -> None:
        self._lane, self._lanes = lane, lanes
        self._stopping, self._woken = Event(), Event()
        self._session: Any = None
        self._limit = BATCH
        self._left_alone = LeftAlone()
        self._thread = Thread(target=self.run, name=f"ea-lane-{lane}", daemon=True)
        self.turned_at_s = time.monotonic()

    def start(self) -> None:
        """Run on a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the order in hand come to its answer, then end."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(timeout=10)

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def run(self) -> None:
        """Turn until stopped; a database that is away is asked again after the interval."""
        failing = False
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                busy = self.turn()
                failing = False
            except DATABASE_AWAY as error:
                busy = 0
                count("ea_executor_turns_failed")
                if not failing:
                    log.warning("ea_executor_turn_failed", error=str(error))
                failing = True
                connection.close()
                self._stopping.wait(INTERVAL_S / 2)
            self.turned_at_s = time.monotonic()
            if busy < BATCH:
                # Gateways tell of what comes next; looking again at once would find one signal at a time.
                self._woken.wait(LOOK_S if busy else INTERVAL_S)
        connection.close()

    def turn(self) -> int:
        """Execute a batch if this is our lane; return how many orders came to an answer.

        While there is more than a batch holds, and most of it becomes no order, the next one is twice as large.
        """
        if not self._held():
            return 0
        began_s, limit = time.thread_time(), self._limit
        answered = orders_execute(lane=self._lane, lanes=self._lanes, limit=limit, left_alone=self._left_alone)
        brief = time.thread_time() - began_s < limit * BRIEF_S
        self._limit = min(BATCH_MAX, 2 * limit) if answered >= limit and brief else BATCH
        return answered

    def _held(self) -> bool:
        session = connection.connection
        if session is not None and session is self._session and not session.closed:
            return True
        found = db.row("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, self._lane])
        if not found or not found[0]:
            return False
        # A process that is stopped or cut off says nothing: the server ends its session, and the lane is free.
        db.row("SELECT set_config('idle_session_timeout', %s, false)", [f"{SILENT_MS}ms"])
        db.row("SELECT set_config('lock_timeout', %s, false)", [f"{BUSY_WAIT_MS}ms"])
        self._session = connection.connection
        return True


class Executor:
    """All lanes, the listener that wakes them, and a watch over their life."""

    def __init__(self, lanes: int = LANES) -> None:
        self.lanes = [Lane(number, lanes) for number in range(lanes)]
        self._stopping = Event()
        self._listener: psycopg.Connection[Any] | None = None
        self._thread = Thread(target=self._listen, name="ea-executor-ear", daemon=True)

    def start(self) -> None:
        """Run the lanes and the listener on threads."""
        for lane in self.lanes:
            lane.start()
        self._thread.start()

    def stop(self) -> None:
        """Let the orders in hand come to their answers, then end."""
        self._stopping.set()
        for lane in self.lanes:
            lane.stop()
        self._thread.join(timeout=10)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._listener is None:
                    self._listener = listening_connection(DUE_CHANNEL)
                for notice in self._listener.notifies(timeout=INTERVAL_S, stop_after=1):
                    for lane in {link_id % len(self.lanes) for link_id in links_of(notice.payload)}:
                        self.lanes[lane].wake()
            except DATABASE_AWAY:
                # The lanes ask by themselves meanwhile, and say that the database is away.
                count("ea_executor_listener_failed")
                self._close()
                self._stopping.wait(INTERVAL_S)
            self._watch()
        self._close()

    def _watch(self) -> None:
        """End the process when a lane has not turned for too long; the supervisor starts a new one."""
        silent_s = time.monotonic() - min(lane.turned_at_s for lane in self.lanes)
        if silent_s > STALLED_S and not self._stopping.is_set():
            log.error("ea_executor_stalled", silent_s=round(silent_s, 1))
            os._exit(_EXIT_STALLED)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
