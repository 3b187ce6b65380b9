"""The database backend."""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but that an idle connection is judged by its socket before the server is asked.

    Django asks ``SELECT 1`` at the first statement of each request: a round trip of its own, a sixth of what placing an
    order costs. A server that ends a connection says so or hangs up, and either makes the socket readable; on one
    that has nothing to read, the next statement finds out as much as that question would.
    """

    def is_usable(self) -> bool:
        """Whether the connection can be used, as far as one can know beforehand."""
        raw: Any = self.connection
        if raw is None or raw.closed:
            return False
        poll = select.poll()
        poll.register(raw.fileno(), select.POLLIN)
        return not poll.poll(0) or super().is_usable()
