"""Who writes a feed's ticks: advisory locks on the very connection that writes them."""

from __future__ import annotations

from typing import Any

from django.db import connection

from kernel import db

# The first key of all our two-key advisory locks that say who leads.
LOCK_CLASS = 7201
# A leader speaks to the database each second. One that does not for this long is stopped or cut off, and the server
# ends its session, whose locks are free at once.
SILENT_MS = 3_000
# A statement that waits for the leader itself, as COPY does, is no silence to the server.
STATEMENT_MS = 5_000
_BOUNDS = {
    "idle_session_timeout": SILENT_MS,
    "idle_in_transaction_session_timeout": SILENT_MS,
    "statement_timeout": STATEMENT_MS,
}


class Leadership:
    """Leads a feed, or named parts of it, for as long as one database session lives.

    Leading the whole feed excludes everybody else. Leaders of parts share the feed and exclude each other by part, so
    that parsers of different symbols can run side by side. Losing the session loses the locks: another session of the
    same thread does not hold them, and ``held`` says so. The server ends a session that leads and falls silent.
    """

    def __init__(self, name: str, parts: frozenset[str] = frozenset()) -> None:
        self._name = name
        self._parts = sorted(parts)
        self._session: Any = None

    @property
    def held(self) -> bool:
        """Whether this thread's connection is the session that took the locks."""
        session = connection.connection
        return session is not None and session is self._session and not session.closed

    def take(self) -> bool:
        """Try to lead; never waits. Taking again what is held is free."""
        if self.held:
            return True
        self._session = None
        taken = self._try(self._name, shared=bool(self._parts))
        for part in self._parts:
            taken = taken and self._try(f"{self._name}:{part}", shared=False)
        if taken:
            for name, bound_ms in _BOUNDS.items():
                db.row("SELECT set_config(%s, %s, false)", [name, f"{bound_ms}ms"])
            self._session = connection.connection
        else:
            db.row("SELECT pg_advisory_unlock_all()")
        return taken

    def leave(self) -> None:
        """Give up what is held, at once."""
        if self.held:
            db.row("SELECT pg_advisory_unlock_all()")
            for name in _BOUNDS:
                db.run(f"RESET {name}")
        self._session = None

    def _try(self, name: str, *, shared: bool) -> bool:
        function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
        found = db.row(f"SELECT {function}(%s, hashtext(%s))", [LOCK_CLASS, name])
        return bool(found and found[0])
