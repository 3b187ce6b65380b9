"""The loop that applies waiting facts, on a thread of the settlement worker beside the settlement loop.

It asks the database, so that no message has to arrive and losing the broker stops nothing; notifications wake it early.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, connection

from kernel.facts import CHANNEL, facts_apply
from kernel.metrics import count
from settlement.listening import listening_connection

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0
# So many batches are taken before the loop looks whether it should stop.
_BATCHES = 20


class FactsLoop:
    """Applies facts until none is due, then waits for a notification or the interval's end."""

    def __init__(self) -> None:
        self._stopping = Event()
        self._listener: psycopg.Connection[Any] | None = None

    def start(self) -> None:
        """Run the loop on a thread."""
        self._thread = Thread(target=self.run, name="facts-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the batch in hand finish, then end."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def run(self) -> None:
        """Turn until stopped; a database that is away is asked again after the interval."""
        failing = False
        while not self._stopping.is_set():
            try:
                self.turn()
                self._wait()
                failing = False
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                count("facts_turns_failed")
                if not failing:
                    log.warning("facts_turn_failed", error=str(error))
                failing = True
                self._reset()
                self._stopping.wait(INTERVAL_S / 2)
        self._reset()

    def turn(self) -> int:
        """Apply everything that is due now and return how many batches that was."""
        total = 0
        while not self._stopping.is_set() and (taken := facts_apply(_BATCHES)):
            total += taken
        return total

    def _wait(self) -> None:
        """Return at a notification or after the interval."""
        if self._listener is None:
            # What came before it listened is found by asking once more.
            self._listener = listening_connection(CHANNEL)
            return
        for _ in self._listener.notifies(timeout=INTERVAL_S, stop_after=1):
            pass

    def _reset(self) -> None:
        """Drop both connections: the next turn opens new ones."""
        connection.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
