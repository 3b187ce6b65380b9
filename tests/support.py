"""Waiting with a bound, and addresses of the servers in other roles: shared by all tests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within_s: float, every_s: float = 0.05) -> T:
    """Call ``check`` until what it returns is true, and return that.

    An ``AssertionError`` from ``check`` counts as not yet; the last one is raised when time is up.

    :raises AssertionError: it did not become true within ``within_s`` seconds
    """
    deadline = time.monotonic() + within_s
    while True:
        late, problem = time.monotonic() > deadline, None
        try:
            if result := check():
                return result
        except AssertionError as error:
            problem = error
        if late:
            raise problem or AssertionError(f"not true within {within_s} s: {check}")
        time.sleep(every_s)


async def eventually_async(check: Callable[[], Awaitable[T]], *, within_s: float, every_s: float = 0.05) -> T:
    """Await ``check`` until what it returns is true, as :func:`eventually` does."""
    deadline = time.monotonic() + within_s
    while True:
        late, problem = time.monotonic() > deadline, None
        try:
            if result := await check():
                return result
        except AssertionError as error:
            problem = error
        if late:
            raise problem or AssertionError(f"not true within {within_s} s: {check}")
        await asyncio.sleep(every_s)


def with_user(database_url: str, user: str) -> str:
    """Return the address of the same database for another role, for example ``fairstrike``."""
    parts = urlsplit(database_url)
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at or '@'}{host}"))
