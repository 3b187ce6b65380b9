"""How long to wait before trying again: exponential, with full jitter."""

from __future__ import annotations

import random


class Backoff:
    """Delays drawn evenly from nothing to a ceiling, which doubles from ``least_s`` up to ``most_s``."""

    def __init__(self, *, least_s: float, most_s: float) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._tries = 0

    def reset(self) -> None:
        """Start again with the lowest ceiling."""
        self._tries = 0

    def next_s(self, *, grow: bool = True) -> float:
        """Return the next delay; later ones may be longer unless this failure does not count."""
        ceiling_s = min(self._most_s, self._least_s * 2 ** min(self._tries, 20))
        if grow:
            self._tries += 1
        return random.uniform(0, ceiling_s)
