"""A thread that listens to the database for decided events and ended keys, and hands them to the event loop.

Notifications make it quick; that nothing is missed is the work of asking now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

import psycopg
import structlog
from django.db import connection

from ea.keys import CHANNEL, keys_ended
from ea.log import DATABASE_AWAY
from ea.news import FRAMES_MAX, frames_after_each, links_with_news, newest_numbers
from ea.notices import TOLD_CHANNEL, links_of
from kernel.metrics import count
from settlement.listening import listening_connection

log = structlog.get_logger(__name__)

# How often the ends of keys are asked for, and news that nobody told of: a notice is lost when its sender dies.
INTERVAL_S, UNTOLD_S = 0.5, 2.0

Far = Callable[[Collection[int] | None], dict[int, int]]


@dataclass(frozen=True, slots=True)
class Told:
    """What an installation is told: its frames with numbers above ``after``; none up to ``until`` is missing."""

    after: int
    frames: list[tuple[int, str]]
    until: int


class News:
    """Watches for the connections of one gateway.

    :param told: called on the event loop with an installation and what it is told
    :param ended: called on the event loop with keys that are not in force any more
    :param far: returns how far the connections of some installations are, or of all; called on this one's thread
    :param kids: returns the keys in use; called on this one's thread
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        told: Callable[[int, Told], None],
        ended: Callable[[set[str]], None],
        far: Far,
        kids: Callable[[], list[str]],
    ) -> None:
        self._loop, self._told, self._ended, self._far, self._kids = loop, told, ended, far, kids
        self._stopping = Event()
        self._listener: psycopg.Connection[Any] | None = None
        self._lock = Lock()
        self._asked: set[int] = set()
        self._keys_asked_s = self._news_asked_s = -UNTOLD_S
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
        heard = list(self._listener.notifies(timeout=INTERVAL_S, stop_after=1))
        now_s = time.monotonic()
        keys_due, news_due = now_s - self._keys_asked_s >= INTERVAL_S, now_s - self._news_asked_s >= UNTOLD_S
        if keys_due:
            self._keys_asked_s = now_s
        if (keys_due or any(notice.channel == CHANNEL for notice in heard)) and (ended := keys_ended(self._kids())):
            self._loop.call_soon_threadsafe(self._ended, ended)
        with self._lock:
            links, self._asked = self._asked, set()
        for notice in heard:
            if notice.channel == TOLD_CHANNEL:
                links |= links_of(notice.payload)
        far = self._far(links)
        if news_due:
            self._news_asked_s, every = now_s, self._far(None)
            far |= {link_id: every[link_id] for link_id in links_with_news(every)}
        self._tell(far)

    def _tell(self, far: dict[int, int]) -> None:
        """Hand over what there is above numbers; numbers that nobody is told of any more are passed over, too."""
        # Read first: what is told later has a higher number.
        newest = newest_numbers(far)
        while far:
            found, behind = frames_after_each(far), dict[int, int]()
            for link_id, after in far.items():
                frames = found.get(link_id, [])
                last = frames[-1][0] if frames else after
                if len(frames) == FRAMES_MAX:
                    behind[link_id] = until = last
                else:
                    until = max(last, newest.get(link_id, 0))
                if until > after:
                    self._loop.call_soon_threadsafe(self._told, link_id, Told(after, frames, until))
            far = behind

    def _reset(self) -> None:
        connection.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
