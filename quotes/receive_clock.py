"""The clock that stamps what is received: monotonic, anchored to the database's clock."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP_MS = 250


class ReceiveClock:
    """Tells the database's time from this machine's monotonic clock.

    It is observed each second. A database clock that is more than 250 ms away from where it should be has stepped:
    the clock takes the new time but is not trusted until another observation confirms it. Between two steps it never
    runs backwards.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.trusted = False
        self._monotonic_s = monotonic_s
        self._offset_ms: float | None = None
        self._floor_ms = 0

    def now_ms(self) -> int:
        """Return the instant in Unix milliseconds.

        :raises RuntimeError: before the first observation
        """
        if self._offset_ms is None:
            raise RuntimeError("the receive clock has no anchor yet")
        self._floor_ms = max(self._floor_ms, int(self._monotonic_s() * 1000 + self._offset_ms))
        return self._floor_ms

    def observe(self, read_ms: Callable[[], int]) -> bool:
        """Read the database's clock and correct ours; return whether it could be trusted before and after.

        The reading happened at some moment of the call, so ours is right when it lies within the call's duration, and
        is moved by no more than it takes to lie there.
        """
        before_ms = self._monotonic_s() * 1000
        database_ms = read_ms()
        after_ms = self._monotonic_s() * 1000
        if self._offset_ms is None:
            self._anchor(database_ms - (before_ms + after_ms) / 2)
            self.trusted = True
            return True
        # The reading is floored: the true instant lies within the millisecond after it.
        ahead_ms = before_ms + self._offset_ms - (database_ms + 1)
        behind_ms = database_ms - (after_ms + self._offset_ms)
        if max(ahead_ms, behind_ms) > STEP_MS:
            self._anchor(database_ms - (before_ms + after_ms) / 2)
            self.trusted = False
            return False
        if ahead_ms > 0:
            self._offset_ms -= ahead_ms
        elif behind_ms > 0:
            self._offset_ms += behind_ms
        self.trusted = True
        return True

    def _anchor(self, offset_ms: float) -> None:
        self._offset_ms = offset_ms
        self._floor_ms = 0
