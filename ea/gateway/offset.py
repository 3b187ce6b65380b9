"""How far a client's clock is from ours, from its heartbeats, as NTP reckons it."""

from __future__ import annotations

from collections import deque

_SAMPLES = 8


class Offset:
    """The best of the last heartbeats: the one with the shortest way there and back."""

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
        # Without a measure the sample counts less than any with one.
        self._samples.append((way_us or 10**9, offset_ms))
        best, self.ms = min(self._samples)
        self.rtt_us = 0 if best == 10**9 else best
