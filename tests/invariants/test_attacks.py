"""The attack list on all that is append-only, as the application's role and as the owner of the tables (I-07, S-41)."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from kernel import db
from settlement.checks import Form, violations_count
from settlement.invariants import CLOSED
from tests.crowd import other_connection
from tests.invariants.scenario import Scenario, undone

_FIRST_COLUMN = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum LIMIT 1"""
_UNIQUE = """
SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum = ANY((
    SELECT indkey FROM pg_index WHERE indrelid = %(table)s::regclass AND indisunique AND indpred IS NULL
    ORDER BY indexrelid LIMIT 1)::int2[])"""
_PARTITIONS = """
SELECT inhparent::regclass::text, min(inhrelid::regclass::text) FROM pg_inherits
WHERE inhparent = ANY(%s::regclass[]) GROUP BY inhparent"""

# Ways around the tables, whatever they hold.
AROUND = {
    "play replica": "SET session_replication_role = replica",
    "become the owner": "SET ROLE fairstrike_owner",
    "become a superuser": "SET SESSION AUTHORIZATION postgres",
    "read the passwords of other roles": "SELECT rolpassword FROM pg_authid",
    "change another role": "ALTER ROLE fairstrike_owner PASSWORD 'x'",
    "rise": "ALTER ROLE fairstrike SUPERUSER",
    "make a role": "CREATE ROLE friend SUPERUSER LOGIN",
    "grant itself the owner": "GRANT fairstrike_owner TO fairstrike",
    "replace a guard": "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "replace another": "CREATE OR REPLACE FUNCTION quotes_append_only() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "drop a guard": "DROP FUNCTION quotes_append_only() CASCADE",
    "read the server's files": "SELECT pg_read_file('postgresql.conf')",
    "change what new tables allow": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE fairstrike_owner GRANT ALL ON TABLES TO fairstrike"
    ),
}


def _column(table: str) -> str:
    found = db.row(_FIRST_COLUMN, [table])
    assert found is not None
    return str(found[0])


def _changing(table: str) -> dict[str, str]:
    """Return the ways to change a row of a table."""
    column = _column(table)
    changing = {
        "update": f"UPDATE {table} SET {column} = {column}",
        "update nothing": f"UPDATE {table} SET {column} = {column} WHERE false",
        "merge": f"MERGE INTO {table} t USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET {column} = t.{column}",
    }
    unique = db.row(_UNIQUE, {"table": table})
    if unique is not None and unique[0]:
        change = f"DO UPDATE SET {column} = {table}.{column}"
        changing["upsert"] = f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({unique[0]}) {change}"
    return changing


def _removing(table: str) -> dict[str, str]:
    """Return the ways to remove a row of a table."""
    return {
        "delete": f"DELETE FROM {table}",
        "delete nothing": f"DELETE FROM {table} WHERE false",
        "merge away": f"MERGE INTO {table} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    }


def _undermining(table: str) -> dict[str, str]:
    """Return the ways to take a table's guards away, or the table."""
    return {
        "truncate": f"TRUNCATE {table}",
        "truncate by cascade": f"TRUNCATE {table} CASCADE",
        "copy from a program": f"COPY {table} FROM PROGRAM 'true'",
        "copy from a file": f"COPY {table} FROM '/etc/hostname'",
        "disable its triggers": f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        "a trigger of one's own": f"CREATE TRIGGER mine BEFORE UPDATE ON {table} EXECUTE FUNCTION append_only()",
        "a rule": f"CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "take it over": f"ALTER TABLE {table} OWNER TO fairstrike",
        "change a column": f"ALTER TABLE {table} DROP COLUMN {_column(table)} CASCADE",
        "rename it": f"ALTER TABLE {table} RENAME TO gone",
        "drop it": f"DROP TABLE {table} CASCADE",
    }


def _attacks() -> list[tuple[str, str, str]]:
    """Return table, name and statement of all attacks; a partition is attacked like the whole."""
    tables = dict(CLOSED)
    tables |= {part: CLOSED[whole] for whole, part in db.rows(_PARTITIONS, [list(CLOSED)])}
    listed = [("", name, sql) for name, sql in AROUND.items()]
    for table, rights in tables.items():
        chosen = _undermining(table)
        chosen |= _changing(table) if "U" in rights else {}
        chosen |= _removing(table) if "D" in rights else {}
        listed += [(table, name, sql) for name, sql in chosen.items()]
    return listed


@pytest.mark.django_db(transaction=True)
def test_the_application_may_not_even_try() -> None:
    """I-07, S-41: no right to change, remove or undermine anything that is append-only, in parts or as a whole."""
    attacks = _attacks()
    assert len({table for table, _, _ in attacks}) > len(CLOSED)
    allowed = []
    with other_connection(user="fairstrike") as application:
        for table, name, sql in attacks:
            try:
                application.execute(sql.encode())
            except psycopg.errors.InsufficientPrivilege:
                application.rollback()
            else:
                allowed.append((table, name))
                application.rollback()
    assert allowed == []
    assert not any(count for name, count in violations_count(Form.FULL).items() if name.startswith("I-07"))


def test_the_list_of_attacks_sees_a_right_too_many(scenario: Scenario) -> None:
    """Control: with one right given, the check of the application's role is red."""
    for right in ("UPDATE ON quotes_incident", "DELETE ON trading_order", "TRUNCATE ON realtime_event"):
        with undone():
            db.run(f"GRANT {right} TO fairstrike")
            red = {name for name, count in violations_count(Form.FULL).items() if count}
        assert red == {"I-07 the application's role cannot change what is append-only"}


def test_not_even_the_owner_changes_what_is_there(scenario: Scenario) -> None:
    """I-07: triggers refuse the owner of the tables as well, for every table that has rows."""
    with undone():
        scenario.fork().go_on()
        allowed, filled = [], set()
        for table, rights in CLOSED.items():
            if db.row(f"SELECT EXISTS (SELECT FROM {table})") == (True,):
                filled.add(table)
            column = _column(table)
            tried = {"TRUNCATE": f"TRUNCATE {table} CASCADE"}
            if table in filled:
                tried |= {"UPDATE": f"UPDATE {table} SET {column} = {column}"} if "U" in rights else {}
                tried |= {"DELETE": f"DELETE FROM {table}"} if "D" in rights else {}
            allowed += [(table, name) for name, sql in tried.items() if not _refused(sql)]
    assert allowed == []
    assert filled >= {"ledger_transfer", "ledger_adjustment", "trading_order", "quotes_tick", "realtime_event"}


def _refused(sql: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
            transaction.set_rollback(True)
    except DatabaseError:
        return True
    return False
