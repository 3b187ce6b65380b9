"""Statements on the database connection that Django already holds, without the ORM's cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db import close_old_connections, connection, transaction
from django.db.transaction import TransactionManagementError

Params = Mapping[str, Any] | Sequence[Any]
T = TypeVar("T")


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
