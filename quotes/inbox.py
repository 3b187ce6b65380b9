"""What a feed received and nobody has written yet, and what its packets say about the connection."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

from quotes.adapters.upstream import Packet
from quotes.domain import ADMISSION, RawTick, RefusedTick

TICKS_MAX = 50_000
OFFSETS = 100
# Fewer packets than this say nothing about a clock.
OFFSETS_LEAST = 20


@dataclass(frozen=True, slots=True)
class Cargo:
    """What was received since the last time, and the newest sign of life (none while the source's clock is off)."""

    ticks: list[RawTick]
    refused: list[RefusedTick]
    alive_ms: int | None

    def __bool__(self) -> bool:
        return bool(self.ticks or self.refused)


class Inbox:
    """Packets between two writes. Bounded: what does not fit is counted in ``dropped``."""

    def __init__(self) -> None:
        self.alive_ms: int | None = None
        self.dropped = 0
        self._ticks: list[RawTick] = []
        self._refused: list[RefusedTick] = []
        self._offsets: deque[int] = deque(maxlen=OFFSETS)

    def put(self, packet: Packet) -> None:
        """Add a packet."""
        if packet.alive:
            self.alive_ms = packet.recv_ms
        if len(self._ticks) + len(self._refused) >= TICKS_MAX:
            self.dropped += len(packet.ticks) + len(packet.refused)
            return
        self._ticks.extend(packet.ticks)
        self._refused.extend(packet.refused)
        if packet.ticks:
            self._offsets.append(packet.recv_ms - packet.ticks[0].src_ms)

    def take(self) -> Cargo:
        """Return everything and start anew."""
        cargo = Cargo(self._ticks, self._refused, self.alive_ms if self.clock_sane else None)
        self._ticks, self._refused = [], []
        return cargo

    def drop(self) -> int:
        """Throw everything away and return how many ticks that were."""
        cargo = self.take()
        self.dropped += len(cargo.ticks)
        return len(cargo.ticks)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._ticks and not self._refused

    @property
    def clock_offset_ms(self) -> int | None:
        """Median of (receive - source) over the newest packets, None while there are too few."""
        if len(self._offsets) < OFFSETS_LEAST:
            return None
        return int(statistics.median(self._offsets))

    @property
    def clock_sane(self) -> bool:
        """Whether the source's clock is near ours; else what it says proves nothing about now."""
        offset = self.clock_offset_ms
        return offset is None or -ADMISSION.clock_ahead_ms <= offset <= ADMISSION.grace_ms
