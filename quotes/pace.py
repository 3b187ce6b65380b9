"""How long a feed gathers before it writes. Pure."""

from __future__ import annotations

# A database that is slow gets batches that are hardly smaller: this part of the window is the most that is given away.
_GIVEN_MOST = 0.2
_OF_THE_NEWEST = 0.125


class Pace:
    """Counts the usual duration of a write into the window, so that a tick is told within it rather than after it."""

    def __init__(self, *, window_s: float) -> None:
        self._window_s = window_s
        self._usual_s = 0.0

    def wrote(self, took_s: float) -> None:
        """Learn from a write; one that stood still teaches no more than a slow one."""
        self._usual_s += _OF_THE_NEWEST * (min(took_s, _GIVEN_MOST * self._window_s) - self._usual_s)

    def rest_s(self, since_s: float) -> float:
        """Return how long to go on gathering when the last write began so long ago."""
        return max(0.0, self._window_s - self._usual_s - since_s)
