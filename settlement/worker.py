"""The settlement loop: it asks the database what is due, so that no message has to arrive.

A step of the Celery worker runs it on a thread of its own, which goes on while the broker is down. Notifications and
tasks only wake it early.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from threading import Event, Thread
from typing import Any, Protocol

import psycopg
import structlog
from celery import bootsteps
from django.db import DatabaseError, InterfaceError, connection

from kernel.metrics import count
from settlement.batches import HeldClock
from settlement.draining import Drain
from settlement.facts_worker import FactsLoop
from settlement.listening import listening_connection
from settlement.revisions import revisions_activate
from settlement.seals_worker import seal_loops
from settlement.services import watermarks_raise_overdue

log = structlog.get_logger(__name__)

# Both are sent in transactions, so that whoever is woken sees what the message is about.
CHANNELS = ("watermark", "settlement_due")
INTERVAL_S = 1.0
STALLED_S = 5.0
_EXIT_STALLED = 70
# How long another thread may compute before settlement's takes over: sealing and archives share its process.
SWITCH_S = 0.001


class SettlementLoop:
    """Settles until nothing is due, then waits for a notification or the interval's end."""

    def __init__(self) -> None:
        self._stopping = Event()
        self._drain = Drain(seen=self._seen)
        self._listener: psycopg.Connection[Any] | None = None
        self.turned_at_s = time.monotonic()

    def start(self) -> None:
        """Run the loop and its watchdog on threads."""
        self._thread = Thread(target=self.run, name="settlement-loop", daemon=True)
        self._thread.start()
        Thread(target=self._watch, name="settlement-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Let the batch in hand finish, then end."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def run(self) -> None:
        """Turn until stopped; a database that is away is asked again after the interval."""
        failing = False
        # What is loaded by now stays for ever: a full pass of the collector would stop a batch to look at it.
        gc.freeze()
        while not self._stopping.is_set():
            try:
                self.turn()
                self._wait()
                failing = False
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                count("settlement_turns_failed")
                if not failing:
                    log.warning("settlement_turn_failed", error=str(error))
                failing = True
                self._reset()
                self._stopping.wait(INTERVAL_S / 2)
                self.turned_at_s = time.monotonic()
        self._reset()

    def turn(self) -> int:
        """Let orders enter and settle everything that is due now; return how many orders were settled."""
        self.turned_at_s = time.monotonic()
        watermarks_raise_overdue()
        entered = self._drain.entered(self._stopping)
        settled = self._drain.settled(self._stopping)
        revisions_activate()
        if entered or settled:
            log.debug("orders_moved_on", entered=entered, settled=settled)
        return settled

    def _seen(self, _: HeldClock) -> None:
        self.turned_at_s = time.monotonic()

    def _wait(self) -> None:
        """Return at a notification or after the interval."""
        if self._listener is None:
            self._listener = listening_connection(*CHANNELS)
        for _ in self._listener.notifies(timeout=INTERVAL_S, stop_after=1):
            pass

    def _reset(self) -> None:
        """Drop both connections: the next turn opens new ones."""
        connection.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _watch(self) -> None:
        """End the process when the loop has not turned for too long; the supervisor starts a new one."""
        while not self._stopping.wait(0.5):
            silent_s = time.monotonic() - self.turned_at_s
            if silent_s > STALLED_S:
                log.error("settlement_loop_stalled", silent_s=round(silent_s, 1))
                os._exit(_EXIT_STALLED)


class _Loop(Protocol):
    """What the step runs."""

    def start(self) -> None:
        """Run the loop on a thread."""

    def stop(self) -> None:
        """Let what is in hand finish, then end."""


class SettlementStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the loops before the worker connects to its broker, which it may never reach."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.loops: tuple[_Loop, ...] = (SettlementLoop(), FactsLoop(), *seal_loops())

    def start(self, parent: Any) -> None:
        """Start the loops."""
        sys.setswitchinterval(SWITCH_S)
        for loop in self.loops:
            loop.start()

    def stop(self, parent: Any) -> None:
        """Stop the loops after the batches in hand."""
        for loop in self.loops:
            loop.stop()

    def terminate(self, parent: Any) -> None:
        """Stop the loops after the batches in hand."""
        for loop in self.loops:
            loop.stop()
