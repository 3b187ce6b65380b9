"""What all tests share: empty tables after each, fresh rate limits, no network beyond this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from pytest_socket import socket_allow_hosts

from kernel.http.rates import rates_reset

# A busy machine is no reason to fail: time limits belong to tests, not to single examples.
hypothesis_settings.register_profile("fairstrike", deadline=None, print_blob=True)
hypothesis_settings.load_profile("fairstrike")

# Filled by migrations and by Django's own start; no test writes to them.
_KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission")

_TABLES = """
SELECT format('%%I', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> ALL(%s)"""
_TRUNCATE_TRIGGERS = """
SELECT format('%I', relname), format('%I', tgname) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgtype & 32 > 0 AND NOT tgisinternal AND tgenabled <> 'D'"""


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    """Forget rate limits, and let sockets reach this machine only."""
    rates_reset()
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    rates_reset()


def tables_empty() -> None:
    """Empty all tables but keep what migrations filled: the accounts of the house.

    Django's own flush would lose those, and meets the triggers that forbid TRUNCATE. They are off inside this
    transaction only, so that every test finds them on.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES, [list(_KEPT_TABLES)])
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables))
        filled = [name for (name,) in cursor.fetchall()]
        cursor.execute(_TRUNCATE_TRIGGERS)
        triggers = cursor.fetchall()
        cursor.execute(
            "CREATE TEMPORARY TABLE house ON COMMIT DROP AS SELECT * FROM ledger_account WHERE owner_id IS NULL"
        )
        for table, trigger in triggers:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        cursor.execute(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY CASCADE")
        for table, trigger in triggers:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
        cursor.execute("INSERT INTO ledger_account SELECT * FROM house")


def _fixture_teardown(_: TransactionTestCase) -> None:
    tables_empty()


# Tests that commit are cleaned up after by this instead of by Django's flush.
TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[method-assign]
