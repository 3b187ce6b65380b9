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


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    """Forget rate limits, and let sockets reach this machine only."""
    rates_reset()
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    rates_reset()


def _fixture_teardown(_: TransactionTestCase) -> None:
    tables_empty()


# Tests that commit are cleaned up after by this instead of by Django's flush.
TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[method-assign]
