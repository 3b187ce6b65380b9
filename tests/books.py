"""The books between tests and in them: their invariants, their fingerprint, and how they are emptied."""

from __future__ import annotations

import shutil

from django.db import connection, transaction

from ea import kept
from kernel.db import row, violation_counts
from ledger import invariants as ledger_invariants
from quotes.heads import heads_folder
from settlement.checks import Form, violations_count


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

# The accounts of the house stay, which migrations made. Tables without a row are left alone.
_EMPTY = f"""
DO $$
DECLARE place record; filled boolean;
BEGIN
    FOR place IN SELECT format('%I', relname) AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
          AND relname <> ALL('{{{",".join(_KEPT_TABLES)}}}') LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || place.name || ')' INTO filled;
        IF filled THEN
            EXECUTE 'DELETE FROM ' || place.name
                || CASE place.name WHEN 'ledger_account' THEN ' WHERE owner_id IS NOT NULL' ELSE '' END;
        END IF;
    END LOOP;
    PERFORM setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL
      AND sequencename <> ALL('{{{",".join(f"{name}_id_seq" for name in _KEPT_TABLES)}}}');
END $$"""
# Days of long ago that a test made; the next one's archive would find them.
_OLD_DAYS = """
SELECT format('%I', relname) FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
WHERE inhparent IN ('quotes_tick'::regclass, 'quotes_watermark_raise'::regclass)
  AND right(relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - 1, 'YYYYMMDD')"""
# Deleted rows stay in their files until somebody sweeps them out: searched again and again, they cost more than that.
_LITTERED = """
SELECT format('%I', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 128 * 1024"""


def tables_empty() -> None:
    """Empty all tables but keep what migrations filled: the accounts of the house.

    Django's own flush would lose those, and meets the triggers that forbid it. No trigger runs inside this transaction,
    which the tests' own server allows, and no file is made anew: TRUNCATE takes ten times as long for so few rows.
    Outside a transaction. The heads that were told outside go with their seals.
    """
    shutil.rmtree(heads_folder(), ignore_errors=True)
    # Installations begin at 1 again: what was kept of others of that number must not be taken for theirs.
    kept.forget()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_OLD_DAYS)
        if old := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"DROP TABLE {', '.join(old)}")
        cursor.execute(_EMPTY)
    with connection.cursor() as cursor:
        cursor.execute(_LITTERED)
        if littered := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"VACUUM {', '.join(littered)}")
