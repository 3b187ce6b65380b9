"""A database whose rows stay: other processes see what a test commits, and append-only tables are not emptied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections
from django.test import TransactionTestCase


@pytest.fixture
def rows_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tables as a test leaves them: the ledger refuses TRUNCATE, and other processes hold rows."""
    monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: None)


@pytest.fixture
def committed(rows_stay: None, transactional_db: None) -> Iterator[None]:
    """Let a test commit; it makes users of its own and looks at nobody else's rows."""
    yield
    connections.close_all()
