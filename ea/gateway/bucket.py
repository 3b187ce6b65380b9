"""A token bucket on the monotonic clock."""

from __future__ import annotations

import math


class Bucket:
    """Lets through so many in a second, and a burst at once."""

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens")

    def __init__(self, *, per_s: float, burst: int, now_s: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._tokens, self._at_s = float(burst), now_s

    def take(self, now_s: float) -> int:
        """Take one; return 0, or the milliseconds until there will be one."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return math.ceil((1 - self._tokens) / self._per_s * 1_000)
