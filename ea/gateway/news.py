"""A thread that listens to the database for decided events and ended keys, and hands them to the event loop.

Notifications make it quick; that nothing is missed is the work of asking each half second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

import psycopg
import structlog
from django.db import connection

from ea.keys import CHANNEL, keys_ended
from ea.log import DATABASE_AWAY
from ea.news import FRAMES_MAX, frames_after, newest_numbers
from ea.statements import TOLD_CHANNEL
from kernel.metrics import count
from settlement.listening import listening_connection

log = structlog.get_logger(__name__)

INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """What an installation is told: its frames with numbers above ``after``; none up to ``until`` is missing."""

    after: int
    frames: list[tuple[int, str]]
    until: int


Watched = Callable[[], tuple[dict[int, int], list[str]]]


class News:
    """Watches for the connections of one gateway.

    :param told: called on the event loop with an installation and what it is told
    :param ended: called on the event loop with keys that are not in force any more
    :param watched: returns how far each connected installation is, and the keys in use
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        told: Callable[[int, Told], None],
        ended: Callable[[set[str]], None],
        watched: Watched,
    ) -> None:
        self._loop, self._told, self._ended, self._watched = loop, told, ended, watched
        self._stopping = Event()
        self._listener: psycopg.Connection[Any] | None = None
        self._lock = Lock()
        self._asked: set[int] = set()
        self._thread = Thread(target=self._run, name="ea-news", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def look(self, link_id: int) -> None:
        """Look at an installation at the next turn whatever was notified."""
        with self._lock:
            self._asked.add(link_id)

    def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            try:
                self._turn()
                failing = False
            except DATABASE_AWAY as error:
                count("ea_news_failed")
                if not failing:
                    log.warning("ea_news_failed", error=str(error))
                failing = True
                self._reset()
                self._stopping.wait(INTERVAL_S)
        self._reset()

    def _turn(self) -> None:
        if self._listener is None:
            self._listener = listening_connection(TOLD_CHANNEL, CHANNEL)
        heard = [notice.channel for notice in self._listener.notifies(timeout=INTERVAL_S, stop_after=1)]
        far, kids = self._watched()
        if (not heard or CHANNEL in heard) and (ended := keys_ended(kids)):
            self._loop.call_soon_threadsafe(self._ended, ended)
        with self._lock:
            asked, self._asked = self._asked, set()
        newest = newest_numbers(far)
        for link_id, no in newest.items():
            if no > far[link_id] or link_id in asked:
                self._tell(link_id, far[link_id], no)

    def _tell(self, link_id: int, after: int, newest: int) -> None:
        """Hand over what there is above a number; numbers that nobody is told of any more are passed over, too."""
        while True:
            frames = frames_after(link_id=link_id, after=after)
            last = frames[-1][0] if frames else after
            whole = len(frames) < FRAMES_MAX
            told = Told(after, frames, max(last, newest) if whole else last)
            self._loop.call_soon_threadsafe(self._told, link_id, told)
            if whole:
                return
            after = last

    def _reset(self) -> None:
        connection.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
