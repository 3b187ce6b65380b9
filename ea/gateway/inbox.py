"""From connections to the log: what arrives while one commit is made becomes the next, then each is answered."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog
from django.db import connection

from ea.log import DATABASE_AWAY, Arrived, EventLog, Logged
from kernel import db
from kernel.metrics import count

log = structlog.get_logger(__name__)

# So long from the beginning of one commit to that of the next: who comes alone does not wait.
COALESCE_S = 0.006
# While commits follow each other, executors have enough to do and are told less often.
NOTICE_EVERY_S = 0.02
BATCH_MAX = 1_000
# Two seconds of ten thousand signals; some forty megabytes.
WAITING_MAX = 20_000
# How long repeats wait for a batch that takes them along.
REPEATS_S = 0.25


class Sender(Protocol):
    """Whoever waits for an event to be logged."""

    def logged(self, arrived: Arrived, result: Logged) -> None:
        """It is in the log, or it cannot be."""

    def not_logged(self, arrived: Arrived) -> None:
        """It is not, and may be sent again."""


class Inbox:
    """Collects events on the event loop and has them written on one thread, batch after batch."""

    def __init__(self) -> None:
        self.closing = False
        self._log = EventLog(notice_every_s=NOTICE_EVERY_S)
        self._thread = ThreadPoolExecutor(1, "ea-log")
        self._waiting: list[tuple[Arrived, Sender]] = []
        self._writing: asyncio.Future[list[Logged]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._repeats_timer: asyncio.TimerHandle | None = None
        self._failing = False
        self._began_s = 0.0

    @property
    def has_room(self) -> bool:
        """Whether another event may wait."""
        return len(self._waiting) < WAITING_MAX and not self.closing

    def put(self, arrived: Arrived, sender: Sender) -> None:
        """Let an event be written soon."""
        self._waiting.append((arrived, sender))
        if self._timer is None and self._writing is None:
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, self._began_s + COALESCE_S - loop.time()), self._write)

    async def drained(self) -> None:
        """Return when everything that was put in is answered."""
        while self._writing is not None or self._waiting:
            if self._writing is None:
                self._write()
            assert self._writing is not None
            await asyncio.wait([self._writing])
            # The answers are given by a callback of the same future.
            await asyncio.sleep(0)

    def end(self) -> None:
        """Note what came again, drop the connection of the thread, and end it."""
        if self._repeats_timer is not None:
            self._repeats_timer.cancel()
        if self._log.has_repeats:
            self._thread.submit(self._repeats_write)
        self._thread.submit(connection.close)
        self._thread.shutdown()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._began_s = asyncio.get_running_loop().time()
        batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
        arrived = [event for event, _ in batch]
        self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._append, arrived)
        self._writing.add_done_callback(lambda done: self._written(batch, done))

    def _append(self, arrived: list[Arrived]) -> list[Logged]:
        if not self._failing:
            return self._log.append(arrived)
        # A dead connection is dropped first; while all is well nobody asks.
        return db.with_fresh_connection(lambda: self._log.append(arrived))

    def _written(self, batch: list[tuple[Arrived, Sender]], done: asyncio.Future[list[Logged]]) -> None:
        self._writing = None
        if (failure := done.exception()) is None:
            if self._failing:
                log.info("ea_log_restored")
            self._failing = False
            for (event, sender), result in zip(batch, done.result(), strict=True):
                sender.logged(event, result)
        else:
            self._failed(batch, failure)
        if self._waiting:
            self._schedule()
        elif not self._failing:
            self._thread.submit(self._log.tell)
            if self._log.has_repeats and self._repeats_timer is None:
                self._repeats_timer = asyncio.get_running_loop().call_later(REPEATS_S, self._repeats_due)

    def _repeats_due(self) -> None:
        self._repeats_timer = None
        self._thread.submit(self._repeats_write)

    def _repeats_write(self) -> None:
        try:
            db.with_fresh_connection(self._log.repeats_write)
        except DATABASE_AWAY as error:
            # They wait for the next batch.
            count("ea_repeats_delayed")
            log.warning("ea_repeats_delayed", error=str(error))

    def _failed(self, batch: list[tuple[Arrived, Sender]], failure: BaseException) -> None:
        """Answer everything that waits, so that no later event of a connection is logged before an earlier one."""
        count("ea_log_failures")
        if not isinstance(failure, DATABASE_AWAY):
            log.error("ea_log_failed", exc_info=failure)
        elif not self._failing:
            log.warning("ea_log_lost", error=str(failure))
        self._failing = True
        batch, self._waiting = batch + self._waiting, []
        for event, sender in batch:
            sender.not_logged(event)
