"""The books between tests and in them: their invariants, their fingerprint, and how they are emptied."""

from __future__ import annotations

import shutil

from django.db import connection, transaction

from ea import kept
from kernel.db import row, violation_counts
from ledger import invariants as ledger_invariants
from quotes.heads import heads_folder
from settlement.checks import CHECKS, Form, violations_count

QUICK_CHECKS = {name for name, check in CHECKS.items() if Form.QUICK in check.forms}


def violations() -> dict[str, int]:
    """Return the invariants that do not hold, with their counts; empty when the books are sound."""
    return _violated(violations_count(Form.FULL))


def quick_violations() -> dict[str, int]:
    """Return the invariants that do not hold since the last checkpoint."""
    return _violated(violations_count(Form.QUICK))


def lately_violations(*, since_ms: int) -> dict[str, int]:
    """Return the invariants that do not hold since an instant, as the check of each minute sees them."""
    return _violated(violations_count(Form.LATELY, since_ms=since_ms))


def ledger_violations(*, quick: bool = False) -> dict[str, int]:
    """Return the invariants of the ledger alone that do not hold."""
    return _violated(violation_counts(ledger_invariants.CHECKS if quick else ledger_invariants.FULL_CHECKS))


def _violated(found: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in found.items() if count}


class SnapshotReader:
    """Check every snapshot that can be had, as a bank's auditor would: one bad read is a violation."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> None:
        """Read balances and entries once."""
        moving = {name: sql for name, sql in ledger_invariants.CHECKS.items() if name[:4] in ("I-02", "I-03", "I-05")}
        found = violation_counts(moving)
        assert not any(found.values()), found
        self.reads += 1


_COUNTED = (
    "ledger_account",
    "ledger_transfer",
    "ledger_adjustment",
    "ledger_adjustment_request",
    "ledger_checkpoint",
    "trading_order",
    "trading_order_open",
    "realtime_event",
    "realtime_event_counter",
    "kernel_idempotencykey",
)


def fingerprint() -> dict[str, str]:
    """Return a digest of every table that money and orders live in: equal when nothing has changed."""
    found = {}
    for table in _COUNTED:
        digest = row(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} AS t")
        assert digest is not None
        found[table] = digest[0]
    return found


# Filled by migrations and by Django's own start; no test writes to them.
_KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission")

_TABLES = """
SELECT format('%%I', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> ALL(%s)"""
# Days of long ago that a test made; the next one's archive would find them.
_OLD_DAYS = """
SELECT format('%I', relname) FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
WHERE inhparent IN ('quotes_tick'::regclass, 'quotes_watermark_raise'::regclass)
  AND right(relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - 1, 'YYYYMMDD')"""
_TRUNCATE_TRIGGERS = """
SELECT format('%I', relname), format('%I', tgname) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgtype & 32 > 0 AND NOT tgisinternal AND tgenabled <> 'D'"""


def tables_empty() -> None:
    """Empty all tables but keep what migrations filled: the accounts of the house.

    Django's own flush would lose those, and meets the triggers that forbid TRUNCATE. They are off inside this
    transaction only, so that every test finds them on. The heads that were told outside go with their seals.
    """
    shutil.rmtree(heads_folder(), ignore_errors=True)
    # Installations begin at 1 again: what was kept of others of that number must not be taken for theirs.
    kept.forget()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES, [list(_KEPT_TABLES)])
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables))
        filled = [name for (name,) in cursor.fetchall()]
        cursor.execute(_OLD_DAYS)
        if old := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"DROP TABLE {', '.join(old)}")
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
