"""Statements that follow each other without a round trip each."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from kernel import db

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
