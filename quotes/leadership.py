"""Who writes a feed's ticks: advisory locks on the very connection that writes them."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import connection

from kernel import db

log = structlog.get_logger(__name__)

# The first key of all our two-key advisory locks that say who leads.
LOCK_CLASS = 7201
# A leader speaks to the database each second. One that does not for this long is stopped or cut off, and the server
# ends its session, whose locks are free at once.
SILENT_MS = 3_000
_BOUNDS = ("idle_session_timeout", "idle_in_transaction_session_timeout")

# In the middle of a COPY the server waits for its client without any bound: whoever wants to lead ends such a session.
_STUCK_END = f"""
SELECT pg_terminate_backend(session.pid)
FROM pg_locks AS lock JOIN pg_stat_activity AS session ON session.pid = lock.pid
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.classid = {LOCK_CLASS}
  AND lock.objid = ANY(ARRAY(SELECT (hashtext(name)::bigint & 4294967295)::oid FROM unnest(%(names)s::text[]) AS name))
  AND session.datname = current_database() AND session.usename = current_user AND session.pid <> pg_backend_pid()
  AND session.state = 'active' AND session.wait_event_type = 'Client'
  AND session.query_start < clock_timestamp() - {SILENT_MS} * interval '1 millisecond'"""


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
            for name in _BOUNDS:
                db.row("SELECT set_config(%s, %s, false)", [name, f"{SILENT_MS}ms"])
            self._session = connection.connection
        else:
            db.row("SELECT pg_advisory_unlock_all()")
            names = [self._name, *(f"{self._name}:{part}" for part in self._parts)]
            if db.rows(_STUCK_END, {"names": names}):
                log.warning("leader_ended", name=self._name)
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
