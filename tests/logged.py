"""A record of the statements that code sends to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def statements_logged() -> Iterator[list[str]]:
    """Yield a list that fills with the statements of this thread's connection until the block ends.

    ``BEGIN``, ``COMMIT`` and savepoints do not pass here; Django's own query log has them.
    """
    log: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        log.append(" ".join(str(sql).split()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield log
