"""The loop that applies waiting facts, on a thread of the settlement worker beside the settlement loop.

It asks the database, so that no message has to arrive and losing the broker stops nothing; facts of this process wake
it early.
"""

from __future__ import annotations

from threading import Event, Thread

import structlog
from django.db import DatabaseError, InterfaceError, connection

from kernel.facts import enqueued, facts_apply
from kernel.metrics import count

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0
# So many batches are taken before the loop looks whether it should stop.
_BATCHES = 20


class FactsLoop:
    """Applies facts until none is due, then waits for new ones or the interval's end."""

    def __init__(self) -> None:
        self._stopping = Event()

    def start(self) -> None:
        """Run the loop on a thread."""
        self._thread = Thread(target=self.run, name="facts-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the batch in hand finish, then end."""
        self._stopping.set()
        enqueued.set()
        self._thread.join(timeout=10)

    def run(self) -> None:
        """Turn until stopped; a database that is away is asked again after the interval."""
        failing = False
        while not self._stopping.is_set():
            try:
                self.turn()
                failing = False
                if enqueued.wait(INTERVAL_S):
                    enqueued.clear()
            except (DatabaseError, InterfaceError) as error:
                count("facts_turns_failed")
                if not failing:
                    log.warning("facts_turn_failed", error=str(error))
                failing = True
                # The next turn opens a new connection.
                connection.close()
                self._stopping.wait(INTERVAL_S / 2)
        connection.close()

    def turn(self) -> int:
        """Apply everything that is due now and return how many batches that was."""
        total = 0
        while not self._stopping.is_set() and (taken := facts_apply(_BATCHES)):
            total += taken
        return total
