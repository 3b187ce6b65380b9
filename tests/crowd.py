"""Many callers at once: threads with database connections of their own, started together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, Thread
from typing import Any, TypeVar

import psycopg
from django.db import connection

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Run ``act(0)`` to ``act(count - 1)`` side by side, begun together, and return what each returned.

    What one of them raises is raised here.
    """
    ready = Barrier(count)

    def run(number: int) -> T:
        try:
            # A connection that is made first does not let the early ones win.
            connection.ensure_connection()
            ready.wait(timeout=30)
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Repeat ``act`` on a thread until the block ends; yield what it raised, which must stay empty."""
    ended, raised = Event(), list[BaseException]()

    def run() -> None:
        try:
            while not ended.is_set():
                act()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield raised
    finally:
        ended.set()
        thread.join(timeout=30)


def other_connection(*, user: str | None = None) -> psycopg.Connection[Any]:
    """Return a connection to the test database beside Django's own, optionally as another role."""
    params = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold", "pool", "server_side_binding"):
        params.pop(name, None)
    if user is not None:
        params["user"] = user
    return psycopg.connect(**params)
