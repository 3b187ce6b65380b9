"""Who is connected to this gateway, written down every few seconds for owners to see."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ea.presence import presences_write
from kernel.clock import wall_ms

if TYPE_CHECKING:
    from ea.gateway.session import Session

EVERY_S = 10.0


class Presences:
    """What is to be written down; lives on the event loop's thread."""

    def __init__(self) -> None:
        self._noted: dict[str, dict[str, Any]] = {}
        self._all_at_s = time.monotonic()

    def note(self, session: Session, *, online: bool) -> None:
        """Take note that a connection is there, or is not any more."""
        key = session.key
        assert key is not None
        self._noted[key.kid] = {
            "kid": key.kid,
            "link_id": key.link_id,
            "transport": session.wire.name,
            "seen_at_ms": wall_ms() - int((time.monotonic() - session.heard_s) * 1_000) if online else wall_ms(),
            "online": online,
        }

    def are_due(self, now_s: float) -> bool:
        """Whether it is time to write down all connections."""
        if now_s - self._all_at_s < EVERY_S:
            return False
        self._all_at_s = now_s
        return True

    def taken(self) -> Callable[[], None] | None:
        """Return what writes the notes down, which are forgotten here; None where there are none."""
        if not self._noted:
            return None
        rows, self._noted = list(self._noted.values()), {}
        return lambda: presences_write(rows)
