"""What all tests share: empty tables after each, fresh rate limits, no network beyond this machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from pytest_django.plugin import DjangoDbBlocker
from pytest_socket import socket_allow_hosts

from kernel.http.rates import rates_reset
from tests.books import tables_empty

# A busy machine is no reason to fail: time limits belong to tests, not to single examples.
hypothesis_settings.register_profile("fairstrike", deadline=None, print_blob=True)
hypothesis_settings.load_profile("fairstrike")


# Each of them takes minutes on one worker: last, they would keep all others waiting.
_FIRST = ("tests/journeys/", "tests/faults/", "tests/ea/mql/test_real_gateway.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(_FIRST))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let workers copy one database: migrations take longer than any test."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    template = os.environ["TEST_TEMPLATE"]
    with Path(os.environ["DATA_DIR"]).with_name("template.lock").open("a+") as lock, django_db_blocker.unblock():
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if not lock.read():
            _database_make(template)
            lock.write("made")
    connection.settings_dict["TEST"]["TEMPLATE"] = template


def _database_make(name: str) -> None:
    """Make a database with all tables."""
    was = connection.settings_dict["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = was


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    """Forget rate limits, and let sockets reach this machine only."""
    rates_reset()
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    rates_reset()


def _fixture_teardown(_: TransactionTestCase) -> None:
    """Clean up after a test that commits, instead of Django's flush."""
    tables_empty()


# No hook lets a project say how its tables are emptied.
setattr(TransactionTestCase, _fixture_teardown.__name__, _fixture_teardown)
