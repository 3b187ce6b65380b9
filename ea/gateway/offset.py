"""How far a client's clock is from ours, from its heartbeats, as NTP reckons it."""

from __future__ import annotations

from collections import deque

_SAMPLES = 8
# Clocks that count seconds differ from themselves by less.
_SET_MS = 2_000


class Offset:
    """The best of the last heartbeats, since the client's clock was set: that with the shortest way there and back."""

    def __init__(self) -> None:
        self._samples = deque[tuple[int, int]](maxlen=_SAMPLES)
        self.ms = 0
        self.rtt_us = 0

    def heard(self, *, recv_us: int, client_ms: int, rtt_us: int | None) -> None:
        """Take a heartbeat in.

        :param client_ms: what the client's clock said when it was sent
        :param rtt_us: the client's own measure of the way there and back; None when it has none yet
        """
        way_us = rtt_us or 0
        offset_ms = (recv_us - way_us // 2) // 1_000 - client_ms
        if self._was_set(offset_ms):
            self._samples.clear()
        # Without a measure the sample counts less than any with one.
        self._samples.append((way_us or 10**9, offset_ms))
        best, self.ms = min(self._samples)
        self.rtt_us = 0 if best == 10**9 else best

    def _was_set(self, offset_ms: int) -> bool:
        """Whether the client's clock was set since the samples were taken.

        Set ahead, it is seen at once: nothing arrives before it was sent. A heartbeat that was held up looks like one
        of a clock that was set back, so that takes a second one that agrees with it.
        """
        if not self._samples:
            return False
        _, last_ms = self._samples[-1]
        behind = min(offset_ms, last_ms) > self.ms + _SET_MS and abs(offset_ms - last_ms) <= _SET_MS
        return behind or offset_ms < self.ms - _SET_MS
