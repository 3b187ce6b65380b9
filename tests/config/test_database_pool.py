"""The pool of the web process comes back with its database (F-08)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg_pool import ConnectionPool, PoolTimeout

from bench.faults.proxy import Pair, Proxy
from bench.faults.sources import Sources
from config.settings import base
from tests.support import eventually

Pool = ConnectionPool[psycopg.Connection[tuple[object, ...]]]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A way to the tests' server that can be closed."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as session:
        socket = f"{session.info.host}/.s.PGSQL.{session.info.port}"

    async def database() -> Pair:
        return await asyncio.open_unix_connection(socket)

    sources = Sources()
    proxy = Proxy(database)
    sources.enter(proxy.serving())
    yield proxy
    sources.close()


def test_it_is_back_soon_after_an_outage(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-08: a pool that doubles its pauses would stay away for about as long again."""
    monkeypatch.setenv("DATABASE_POOL_SIZE", "2")
    bounds = base._database("postgresql://nobody@/nothing")["OPTIONS"]["pool"]
    with ConnectionPool(f"host=127.0.0.1 port={proxy.port} user=postgres dbname=postgres", open=True, **bounds) as pool:
        assert _answers(pool)
        proxy.spoiling.refusing = True
        proxy.cut()
        ends_s = time.monotonic() + 4.5

        def still_away() -> bool:
            assert not _answers(pool)
            return time.monotonic() > ends_s

        # Requests go on all the time.
        eventually(still_away, within_s=10)
        proxy.spoiling.refusing = False

        eventually(lambda: _answers(pool), within_s=1.7)


def _answers(pool: Pool) -> bool:
    with contextlib.suppress(PoolTimeout, psycopg.OperationalError):
        with pool.connection(timeout=0.2) as session:
            session.execute("SELECT 1")
        return True
    return False
