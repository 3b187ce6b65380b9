"""What the database refuses by itself, taken away for a moment so that a broken build gets to write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connection

from kernel import db


@contextmanager
def walls_down(*walls: str) -> Iterator[None]:
    """Take constraints, unique indexes and triggers away, and put them back as far as what was written allows.

    :param walls: ``table.name``; a constraint of one row or one key comes back unvalidated, as rows may offend it now;
        a unique one or an exclusion stays away
    """
    with ExitStack() as stack:
        for wall in walls:
            stack.enter_context(_down(*wall.split(".")))
        yield


@contextmanager
def _down(table: str, name: str) -> Iterator[None]:
    if db.row("SELECT FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s", [table, name]) is not None:
        _run(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        yield
        _run(f"ALTER TABLE {table} ENABLE TRIGGER {name}")
        return
    constraint = db.row(
        "SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
        [table, name],
    )
    if constraint is None:
        _run(f"DROP INDEX {name}")
        yield
        return
    kind, definition = constraint
    _run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    if kind in ("c", "f"):
        _run(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition.removesuffix(' NOT VALID')} NOT VALID")


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
