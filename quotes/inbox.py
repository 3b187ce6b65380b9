"""What a feed received and nobody has written yet, and what its packets say about the connection."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from quotes.adapters.upstream import Declaration, Packet
from quotes.domain import ADMISSION, RawTick, RefusedTick

TICKS_MAX = 50_000
OFFSETS = 100
# Fewer packets than this say nothing about a clock.
OFFSETS_LEAST = 20
DECLARED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Cargo:
    """What was received since the last time, the newest sign of life, and whether the source's clock is near ours."""

    ticks: list[RawTick]
    refused: list[RefusedTick]
    alive_ms: int | None
    declared: tuple[Declaration, ...] = ()
    clock_sane: bool = True

    def __bool__(self) -> bool:
        return bool(self.ticks or self.refused or self.declared)


class Inbox:
    """Packets between two writes. Bounded: what does not fit is counted in ``dropped``."""

    def __init__(self) -> None:
        self.alive_ms: int | None = None
        self.dropped = 0
        self._ticks: list[RawTick] = []
        self._refused: list[RefusedTick] = []
        self._declared: deque[Declaration] = deque(maxlen=DECLARED_MAX)
        self._offsets: deque[int] = deque(maxlen=OFFSETS)

    def put(self, packet: Packet) -> None:
        """Add a packet."""
        if packet.alive:
            self.alive_ms = packet.recv_ms
        self._declared.extend(packet.declared)
        if len(self._ticks) + len(self._refused) >= TICKS_MAX:
            self.dropped += len(packet.ticks) + len(packet.refused)
            return
        self._ticks.extend(packet.ticks)
        self._refused.extend(packet.refused)
        if packet.ticks and packet.timed:
            # Of several ticks the newest is nearest to when the source sent them.
            self._offsets.append(packet.recv_ms - max(tick.src_ms for tick in packet.ticks))

    def take(self) -> Cargo:
        """Return everything and start anew."""
        cargo = Cargo(self._ticks, self._refused, self.alive_ms, tuple(self._declared), self.clock_sane)
        self._ticks, self._refused = [], []
        self._declared.clear()
        return cargo

    def keep(self, declared: Sequence[Declaration]) -> None:
        """Take back words that could not be written: the feed says them only once."""
        self._declared.extendleft(reversed(declared))

    def drop(self) -> int:
        """Throw all ticks away and return how many that were."""
        cargo = self.take()
        self.keep(cargo.declared)
        self.dropped += len(cargo.ticks)
        return len(cargo.ticks)

    def forget(self) -> None:
        """Throw away what was heard and learned on a connection that is given up."""
        self.drop()
        self._declared.clear()
        self._offsets.clear()
        self.alive_ms = None

    @property
    def clock_offset_ms(self) -> int | None:
        """Median of (receive - source) over the newest packets, None while there are too few."""
        if len(self._offsets) < OFFSETS_LEAST:
            return None
        return int(statistics.median(self._offsets))

    @property
    def clock_sane(self) -> bool:
        """Whether the source's clock is near ours; else its markets are stale, however much it says."""
        offset = self.clock_offset_ms
        return offset is None or -ADMISSION.clock_ahead_ms <= offset <= ADMISSION.grace_ms
