"""Statements on the database connection that Django already holds, without the ORM's cost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import close_old_connections, connection, transaction
from django.db.transaction import TransactionManagementError
from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus

Params = Mapping[str, Any] | Sequence[Any]
T = TypeVar("T")
# A prepared statement is gone, as all are after a roll-back of the driver, or its tables have changed: it did nothing.
_STALE = (b"26000", b"0A000")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def rows(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """Run a statement and return all its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def row(sql: str, params: Params = ()) -> tuple[Any, ...] | None:
    """Run a statement and return its first row, or None."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def run(sql: str, params: Params = ()) -> int:
    """Run a statement and return how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


class Sent:
    """A statement that has been sent; what it answers is waited for when it is asked for."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self) -> list[tuple[Any, ...]]:
        """Wait for all rows of the statement."""
        return list(self._cursor.fetchall())

    def count(self) -> int:
        """Return how many rows the statement touched; within :func:`pipelined` it is known after its end only."""
        return int(self._cursor.rowcount)


def send(sql: str, params: Params = ()) -> Sent:
    """Run a statement; within :func:`pipelined` go on without its answer."""
    cursor = connection.cursor()
    cursor.execute(sql, params)
    return Sent(cursor)


@contextmanager
def pipelined() -> Iterator[None]:
    """Let the statements that are sent within follow each other without a round trip for each.

    The server works on what was sent while Python prepares what follows; it runs the statements one after the other, as
    it would without, and after an error none of the rest. That error comes at the next answer that is waited for, at
    the latest at the end.

    :raises TransactionManagementError: outside a transaction, where a part of it would stay
    """
    require_transaction()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class Prepared:
    """A statement for a path where the driver's cursor and a transaction around it cost more than its rows.

    Parameters go as texts and are cast in the statement, so that none is guessed at; its answer is one row of texts.
    """

    _numbers = itertools.count(1)

    def __init__(self, sql: str) -> None:
        self._named_sql = sql
        self._params = list(dict.fromkeys(_PLACEHOLDER.findall(sql)))
        numbered = {name: f"${number}" for number, name in enumerate(self._params, 1)}
        self._sql = _PLACEHOLDER.sub(lambda found: numbered[found[1]], sql).replace("%%", "%").encode()
        self._prepared: WeakKeyDictionary[Connection[Any], bytes] = WeakKeyDictionary()

    def committed(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Run it as a transaction of its own, and return its row once that is committed.

        :raises RuntimeError: within a transaction, which would be committed later
        """
        if connection.in_atomic_block:
            # Django lets its test cases do this, whose own transaction has begun in the driver, and nobody else.
            with transaction.atomic(durable=True):
                return tuple(str(value) for value in rows(self._named_sql, params)[0])
        run: Callable[..., tuple[str, ...]] = self._run
        # Whoever watches the statements of a connection sees these as well.
        for watching in reversed(connection.execute_wrappers):
            run = partial(watching, run)
        return run(self._named_sql, params, False, {"connection": connection})

    def _run(self, _: str, params: Mapping[str, str], *__: object) -> tuple[str, ...]:
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        driver: Connection[Any] = connection.connection
        values = [params[name].encode() for name in self._params]
        with connection.wrap_database_errors:
            name = self._prepared.get(driver) or self._prepare(driver)
            result = driver.pgconn.exec_prepared(name, values)
            if result.error_field(DiagnosticField.SQLSTATE) in _STALE:
                result = driver.pgconn.exec_prepared(self._prepare(driver), values)
            if result.status != ExecStatus.TUPLES_OK:
                raise error_from_result(result)
            row = [result.get_value(0, column) for column in range(result.nfields)]
        return tuple((value or b"").decode() for value in row)

    def _prepare(self, driver: Connection[Any]) -> bytes:
        name = f"kernel_{next(self._numbers)}".encode()
        result = driver.pgconn.prepare(name, self._sql)
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
        self._prepared[driver] = name
        return name


# An array as one text, cast to its type in the statement. The driver looks at each element several times over instead,
# which for a batch of settlement costs more than all its rules.


def numbers_array(numbers: Iterable[int | None]) -> str:
    """Return PostgreSQL's text of an array of whole numbers."""
    return "{" + ",".join(["NULL" if number is None else str(number) for number in numbers]) + "}"


def ids_array(ids: Iterable[UUID]) -> str:
    """Return PostgreSQL's text of an array of ids."""
    return "{" + ",".join([f"{one.int:032x}" for one in ids]) + "}"


def words_array(words: Iterable[str | None]) -> str:
    """Return PostgreSQL's text of an array of words of our own, such as kinds and books.

    :raises ValueError: one of them would have to be escaped
    """
    quoted = ["NULL" if word is None else f'"{word}"' for word in words]
    text = ",".join(quoted)
    if "\\" in text or text.count('"') != 2 * (len(quoted) - quoted.count("NULL")):
        raise ValueError("words of an array hold no quotes and no backslashes")
    return "{" + text + "}"


def violation_counts(checks: Mapping[str, str], params: Params = (), *, within_ms: int | None = None) -> dict[str, int]:
    """Run invariant queries, each of which counts its violations, in one snapshot.

    :param checks: SQL by the invariant's name
    :param params: what the queries are asked with
    :param within_ms: how long each may take
    """
    counts = {}
    outermost = not transaction.get_connection().in_atomic_block
    with transaction.atomic():
        # A caller's transaction has its own snapshot rules, and only the first statement may set them.
        if outermost:
            run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if within_ms is not None:
            run(f"SET LOCAL statement_timeout = {within_ms:d}")
        for name, sql in checks.items():
            found = row(sql, params)
            assert found is not None
            counts[name] = int(found[0])
    return counts


def require_transaction() -> None:
    """Refuse to work outside a transaction: a lock taken there would be gone at once.

    :raises TransactionManagementError: outside ``transaction.atomic``
    """
    if not transaction.get_connection().in_atomic_block:
        raise TransactionManagementError("locks and money need a transaction")


def with_fresh_connection(work: Callable[[], T]) -> T:
    """Do a piece of work on a long-lived thread, which no request's end tidies: a dead connection is dropped first."""
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
