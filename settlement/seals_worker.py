"""The loops that seal the log and tell the heads, on threads of the settlement worker beside the settlement loop.

Each has a thread and a connection of its own: nothing that holds one up, such as a disk or a receiver that does not
answer, can hold up another or settlement.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from kernel.jobs import database_now_ms
from kernel.metrics import count
from quotes.backoff import Backoff
from quotes.heads import BATCH_HEADS, FILE_TARGET, Deliver, UndeliveredError, heads_append, heads_publish
from quotes.seals import seals_make

log = structlog.get_logger(__name__)

SEAL_EVERY_S = 2.0
# Between two batches: at a full minute, and after days of absence, the processor is settlement's first.
_BETWEEN_S = 0.05
PUBLISH_EVERY_S = 1.0
_AWAY_S = 0.5
_STOP_S = 3.0
_BACKOFF_S = (1.0, 60.0)


class TurningLoop:
    """Calls a turn again and again, each time after as many seconds as the turn before it said."""

    def __init__(self, name: str, turn: Callable[[], float]) -> None:
        self._name = name
        self._turn = turn
        self._stopping = Event()

    def start(self) -> None:
        """Run the loop on a thread."""
        self._thread = Thread(target=self.run, name=f"{self._name}-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the turn in hand finish, unless it waits for somebody else: the next worker does what it did not."""
        self._stopping.set()
        self._thread.join(timeout=_STOP_S)

    def run(self) -> None:
        """Turn until stopped; a database that is away is asked again with a new connection."""
        failing = False
        while not self._stopping.is_set():
            try:
                wait_s = self._turn()
                failing = False
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                count("loop_turns_failed", loop=self._name)
                if not failing:
                    log.warning("loop_turn_failed", loop=self._name, error=str(error))
                failing, wait_s = True, _AWAY_S
                connection.close()
            self._stopping.wait(wait_s)
        connection.close()


def seal_turn() -> float:
    """Seal one batch; return a short pause while there may be more."""
    return _BETWEEN_S if seals_make(now_ms=database_now_ms()) else SEAL_EVERY_S


class PublishTurn:
    """Brings heads to one place, and tries again with growing delays while they do not arrive."""

    def __init__(self, target: str, deliver: Deliver) -> None:
        self._target = target
        self._deliver = deliver
        self._backoff = Backoff(least_s=_BACKOFF_S[0], most_s=_BACKOFF_S[1])
        self._failing = False

    def __call__(self) -> float:
        """Bring one batch; return how long to wait."""
        try:
            arrived = heads_publish(target=self._target, deliver=self._deliver)
        except UndeliveredError as error:
            if not self._failing:
                log.warning("heads_undelivered", target=self._target, error=str(error))
            self._failing = True
            return self._backoff.next_s()
        if arrived:
            self._failing = False
            self._backoff.reset()
        return 0.0 if arrived == BATCH_HEADS else PUBLISH_EVERY_S


def seal_loops() -> tuple[TurningLoop, ...]:
    """Return the loops of one worker: sealing, the file of heads, and the receiver of heads if one is set."""
    loops = [
        TurningLoop("seals", seal_turn),
        TurningLoop("heads-file", PublishTurn(FILE_TARGET, heads_append)),
    ]
    if settings.HEADS_URL:
        # Imported here: without a receiver the worker needs no HTTP client, which takes a while to load.
        from quotes.heads_receiver import HeadsReceiver

        receiver = HeadsReceiver(settings.HEADS_URL)
        loops.append(TurningLoop("heads-url", PublishTurn(receiver.target, receiver.deliver)))
    return tuple(loops)
