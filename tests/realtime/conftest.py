"""What tests of the event log and its sockets share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tests.realtime.live import Gateway, OwnRedis, gateway_running


@pytest.fixture
def committed(transactional_db: None) -> Iterator[None]:
    """Let a test commit, for other processes and threads to see; its threads leave no connection behind."""
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
