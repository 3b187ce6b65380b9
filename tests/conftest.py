"""What all tests share: empty tables after each, fresh rate limits, no network beyond this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
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
