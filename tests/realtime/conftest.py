"""A database whose rows stay: other processes see what a test commits, and append-only tables are not emptied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import TransactionTestCase
from pytest_django.plugin import DjangoDbBlocker

from tests.realtime.live import Gateway, OwnRedis, gateway_running


@pytest.fixture
def rows_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tables as a test leaves them: the ledger refuses TRUNCATE, and other processes hold rows."""
    monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: None)


@pytest.fixture
def committed(rows_stay: None, transactional_db: None) -> Iterator[None]:
    """Let a test commit; it makes users of its own and looks at nobody else's rows."""
    yield
    connections.close_all()


@pytest.fixture(scope="module")
def gateway(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Gateway]:
    """One gateway process for the tests of a module."""
    with django_db_blocker.unblock(), gateway_running() as running:
        connections.close_all()
        yield running


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A running Redis of the test's own."""
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.stop()
