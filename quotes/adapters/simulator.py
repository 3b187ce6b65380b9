"""A market that never sleeps: random walks around realistic levels, the same for the same seed and symbol."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from quotes.adapters.upstream import Clock, Packet, PacketNumbers, Wanted
from quotes.domain import RawTick

PACE_S = (0.19, 0.25)


@dataclass(frozen=True, slots=True)
class Level:
    """Where a symbol's walk lives: mid and spread in units of 10**-scale, and the size of a step in units."""

    scale: int
    base: int
    step: float
    spread: int


LEVELS = {
    "EURUSD": Level(5, 108_500, 3.2, 8),
    "GBPUSD": Level(5, 127_200, 4.2, 10),
    "USDJPY": Level(3, 151_300, 4.4, 10),
    "AUDUSD": Level(5, 66_100, 2.8, 8),
    "XAUUSD": Level(2, 235_000, 14.0, 30),
    "BTCUSDT": Level(2, 6_540_000, 420.0, 200),
    "ETHUSDT": Level(2, 324_000, 26.0, 20),
}


class Walk:
    """One symbol's price: steps of changing size, pulled back towards its level when it strays."""

    # The pull halves a distance from the level within about two hours.
    _PULL = 0.000_02
    _MOOD = (0.35, 3.0)

    def __init__(self, *, seed: int, symbol: str, last_price: Decimal | None = None) -> None:
        self._random = random.Random(f"{seed}:{symbol}")
        self._level = LEVELS.get(symbol) or Level(5, self._random.randint(60_000, 900_000), 12.0, 12)
        self._mood = 1.0
        self._drift = 0.0
        self._mid = self._start(last_price)

    def _start(self, last_price: Decimal | None) -> float:
        if last_price is None:
            return float(self._level.base)
        return float(last_price.scaleb(self._level.scale))

    def step(self) -> tuple[Decimal, Decimal]:
        """Move on, and return the new bid and ask."""
        level, before = self._level, round(self._mid)
        # Quiet and nervous spells, and short trends, make the chart look like a market.
        self._mood = min(max(self._mood * self._random.lognormvariate(0, 0.05), self._MOOD[0]), self._MOOD[1])
        self._drift = 0.97 * self._drift + self._random.gauss(0, 0.06)
        move = level.step * self._mood * (self._random.gauss(0, 1) + self._drift)
        self._mid += move + self._PULL * (level.base - self._mid)
        if round(self._mid) == before:
            self._mid = before + self._random.choice((-1, 1))
        self._mid = max(self._mid, float(level.spread + 1))
        bid = round(self._mid) - level.spread // 2
        return Decimal(bid).scaleb(-level.scale), Decimal(bid + level.spread).scaleb(-level.scale)


class Simulator:
    """The feed ``simulator``: all wanted symbols tick together, four to five times a second."""

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self.connected = False
        self.detail = ""
        self._seed = seed
        self._clock = clock
        self._numbers = PacketNumbers(clock)
        self._walks: dict[str, Walk] = {}

    async def resubscribe(self, wanted: Mapping[str, Wanted]) -> None:
        """Walk with the wanted symbols: new ones start at the last known price, the others go on."""
        self._walks = {
            source: self._walks.get(source) or Walk(seed=self._seed, symbol=source, last_price=want.last_price)
            for source, want in wanted.items()
        }

    async def packets(self) -> AsyncGenerator[Packet, None]:
        """Yield a packet with one tick of each symbol at each step."""
        pace = random.Random(self._seed)
        self.connected = True
        while True:
            if self._walks:
                yield self._packet()
            await asyncio.sleep(pace.uniform(*PACE_S))

    def _packet(self) -> Packet:
        now_ms, number = self._clock(), self._numbers.next()
        ticks = []
        for source, walk in self._walks.items():
            bid, ask = walk.step()
            # Halving an even sum of equal exponents is exact, so the trade lies on the mid.
            ticks.append(RawTick(source, number, now_ms, now_ms, bid, ask, last=(bid + ask) / 2))
        return Packet(now_ms, tuple(ticks))
