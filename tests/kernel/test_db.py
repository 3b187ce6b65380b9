"""Statements that follow each other without a round trip each, and those that are prepared once."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from django.db.transaction import TransactionManagementError
from psycopg.errors import UniqueViolation

from kernel import db
from settlement.listening import listening_connection

pytestmark = pytest.mark.django_db(transaction=True)


def test_statements_of_a_pipeline_run_in_order_and_see_each_other() -> None:
    """ADR 0036: a statement sees what the one before it wrote, though nobody waited for that one."""
    with transaction.atomic(), db.pipelined():
        db.send("CREATE TEMPORARY TABLE pipe (n bigint PRIMARY KEY) ON COMMIT DROP")
        written = db.send("INSERT INTO pipe SELECT generate_series(1, 5)")
        raised = db.send("UPDATE pipe SET n = n + 10 WHERE n > 2 RETURNING n")
        assert sorted(raised.rows()) == [(13,), (14,), (15,)]
        last = db.send("DELETE FROM pipe")
    assert (written.count(), last.count()) == (5, 5)


def test_an_error_in_a_pipeline_is_djangos_and_undoes_the_transaction() -> None:
    """ADR 0036: what was sent after the fault has no effect, and the connection goes on."""
    with pytest.raises(IntegrityError), transaction.atomic(), db.pipelined():  # noqa: PT012
        db.send("CREATE TEMPORARY TABLE pipe (n bigint PRIMARY KEY) ON COMMIT DROP")
        db.send("INSERT INTO pipe VALUES (1), (1)")
        db.send("CREATE TEMPORARY TABLE after_the_fault (n bigint)")
    assert db.row("SELECT to_regclass('pipe'), to_regclass('after_the_fault')") == (None, None)


def test_an_error_is_told_at_the_next_answer() -> None:
    """ADR 0036: nobody decides on rows that follow a statement which failed."""
    with pytest.raises(IntegrityError), transaction.atomic(), db.pipelined():  # noqa: PT012
        db.send("CREATE TEMPORARY TABLE pipe (n bigint PRIMARY KEY) ON COMMIT DROP")
        db.send("INSERT INTO pipe VALUES (1), (1)")
        db.send("SELECT 1").rows()
        pytest.fail("the fault was not told")


def test_a_pipeline_needs_a_transaction() -> None:
    """ADR 0036: outside one, a part of what was sent would stay."""
    with pytest.raises(TransactionManagementError), db.pipelined():
        pass
    assert connection.get_autocommit()


def test_a_statement_that_is_sent_outside_a_pipeline_is_answered_at_once() -> None:
    """ADR 0036: services that send can be used by callers that have no pipeline."""
    assert db.send("SELECT 1").rows() == [(1,)]
    assert db.send("SELECT generate_series(1, 3)").count() == 3


def test_a_prepared_statement_is_committed_when_its_row_is_returned() -> None:
    """ADR 0045: texts go in and come out, whatever stands in them, and the row is there for everybody."""
    statement = db.Prepared("SELECT %(word)s::text, %(numbers)s::int[], %(word)s::text || '%%'")
    assert statement.committed({"word": "a'b\\\"{}", "numbers": "{1,2}"}) == ("a'b\\\"{}", "{1,2}", "a'b\\\"{}%")
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        statement.committed({"word": "", "numbers": "{}"})


def test_a_prepared_statement_raises_djangos_errors_and_goes_on() -> None:
    """ADR 0045: its caller tells what a table refuses from a database that is away, and may try again."""
    db.run("CREATE TABLE prepared (n bigint PRIMARY KEY)")
    try:
        add = db.Prepared("INSERT INTO prepared SELECT unnest(%(numbers)s::bigint[]) RETURNING n")
        assert add.committed({"numbers": "{1,2}"}) == ("1",)
        with pytest.raises(IntegrityError) as refused:
            add.committed({"numbers": "{3,2}"})
        assert isinstance(refused.value.__cause__, UniqueViolation)
        assert db.rows("SELECT n FROM prepared ORDER BY n") == [(1,), (2,)]
        assert add.committed({"numbers": "{3}"}) == ("3",)
        db.run("ALTER TABLE prepared ALTER n TYPE numeric")
        assert add.committed({"numbers": "{4}"}) == ("4",)
        db.run("DEALLOCATE ALL")
        assert add.committed({"numbers": "{5}"}) == ("5",)
        assert db.rows("SELECT count(*) FROM prepared") == [(5,)]
    finally:
        db.run("DROP TABLE prepared")


def test_a_prepared_statement_finds_a_lost_connection_and_takes_a_new_one() -> None:
    """ADR 0045: a server that was away is tried again like with any other statement."""
    statement = db.Prepared("SELECT pg_backend_pid()")
    (first,) = statement.committed({})
    with listening_connection() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [int(first)])
    with pytest.raises((DatabaseError, InterfaceError)):
        statement.committed({})
    (second,) = db.with_fresh_connection(lambda: statement.committed({}))
    assert second != first
