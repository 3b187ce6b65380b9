"""An exchange: prices that walk, and all that can go wrong between its clock and ours."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from bench.simulator.world import EPOCH_MS, World
from quotes.adapters.upstream import Declaration, Packet
from quotes.domain import RawTick

GARBAGE = tuple(Decimal(text) for text in ("NaN", "Infinity", "0", "-3", "1e300"))
# What the next tick of a symbol is like, and how often among a hundred.
KINDS = {
    "plain": 58,
    "same instant": 8,
    "twice": 6,
    "late": 4,
    "reordered": 6,
    "missing": 5,
    "future": 2,
    "outlier": 4,
    "garbage": 2,
    "level": 2,
    "burst": 3,
}
TROUBLES = ("freeze", "silence", "closed", "closed", "only signs of life")
TROUBLE_MS = (1_500, 2_600, 4_000, 7_000)


# Takes what makes a packet once the instant of its receipt is known.
Receiver = Callable[[Callable[[int], Packet]], None]


@dataclass(slots=True)
class Quote:
    """What a symbol costs upstream, in steps of its scale."""

    source: str
    price: int
    scale: int
    trades: bool
    at_ms: int = 0


@dataclass(slots=True)
class Upstream:
    """One exchange with its own clock. Whoever is connected receives everything; what is sent to nobody is lost.

    :param timed: whether its ticks carry a time of their own
    :param offset_ms: how far its clock is from the perfect one
    :param every_ms: the middle of the time between two ticks of a symbol
    :param until_ms: when it stops for good
    """

    world: World
    name: str
    quotes: list[Quote]
    timed: bool
    offset_ms: int
    every_ms: int
    until_ms: int
    _connections: dict[str, tuple[int, Receiver]] = field(default_factory=dict)
    _connection: int = 0
    _frozen: bool = False
    _silent_until_ms: int = 0
    _priceless_until_ms: int = 0
    _held: list[Callable[[], None]] = field(default_factory=list)
    _packets: int = 0
    _ids: int = 0
    _draws: random.Random = field(default_factory=random.Random)

    def start(self) -> None:
        """Begin to send."""
        self._draws = self.world.draws(f"upstream {self.name}")
        for quote in self.quotes:
            self.world.later(self._draws.randint(0, self.every_ms), partial(self._next, quote))
        self.world.later(1_000, self._beat)
        self.world.later(self._draws.randint(4_000, 15_000), self._trouble)

    def connect(self, name: str, receiver: Receiver) -> None:
        """Send to somebody from now on."""
        self._connection += 1
        self._connections[name] = (self._connection, receiver)

    def disconnect(self, name: str) -> None:
        """Send to somebody no more; what is on the way is lost."""
        self._connections.pop(name, None)

    def hears(self, name: str) -> bool:
        """Whether somebody is connected."""
        return name in self._connections

    def appoint(self, source: str, at_ms: int) -> None:
        """Let a tick fall on an instant that somebody's order depends on, or a millisecond beside it."""
        quote = next((quote for quote in self.quotes if quote.source == source), None)
        wait_ms = at_ms - self._clock_ms()
        if quote is not None and self.timed and wait_ms >= 0:
            self.world.later(wait_ms, partial(self._on_time, quote, at_ms + self._draws.choice((-1, 0, 0, 1))))

    def _on_time(self, quote: Quote, at_ms: int) -> None:
        if at_ms >= quote.at_ms:
            quote.at_ms = at_ms
            quote.price += self._draws.choice((-2, -1, 1, 2))
            self._tick(quote, "plain")

    def _clock_ms(self) -> int:
        return EPOCH_MS + self.world.now_ms + self.offset_ms

    def _beat(self) -> None:
        """Prove to be alive without a price, as a pong does."""
        if self.world.now_ms <= self.until_ms:
            self._send(Packet, self._draws.randint(1, 60))
            self.world.later(1_000, self._beat)

    def _trouble(self) -> None:
        """Stall, go silent, close the markets, or show signs of life without a price for a while."""
        draws, world = self._draws, self.world
        if world.now_ms > self.until_ms:
            return
        kind, lasts_ms = draws.choice(TROUBLES), draws.choice(TROUBLE_MS)
        world.seen[f"upstream: {kind}"] += 1
        world.say(self.name, "{} for {} ms", kind, lasts_ms)
        if kind == "freeze":
            self._frozen = True
            world.later(lasts_ms, self._thaw)
        elif kind == "closed":
            source = draws.choice((None, draws.choice(self.quotes).source))
            self._declare(source, True)
            world.later(lasts_ms, partial(self._declare, source, False))
        elif kind == "silence":
            self._silent_until_ms = world.now_ms + lasts_ms
        else:
            self._priceless_until_ms = world.now_ms + lasts_ms
        world.later(lasts_ms + draws.randint(3_000, 9_000), self._trouble)

    def _thaw(self) -> None:
        """Let everything that was held up come at once."""
        self._frozen = False
        held, self._held = self._held, []
        for deliver in held:
            deliver()

    def _declare(self, source: str | None, closed: bool) -> None:
        draws = self._draws
        source_ms = self._clock_ms() - draws.choice((0, 5, 400, 3_000)) if draws.random() < 0.7 else None

        def packet(recv_ms: int) -> Packet:
            return Packet(recv_ms, declared=(Declaration(source, closed, recv_ms, source_ms, "maintenance"),))

        self._send(packet, draws.randint(1, 80))

    def _next(self, quote: Quote) -> None:
        draws, world = self._draws, self.world
        if world.now_ms > self.until_ms:
            return
        world.later(1 + int(draws.expovariate(1 / self.every_ms)), partial(self._next, quote))
        if world.now_ms < self._priceless_until_ms:
            return
        kind = draws.choices(list(KINDS), list(KINDS.values()))[0]
        quote.price += draws.choice((-3, -2, -1, -1, 0, 0, 1, 1, 2, 3))
        if kind == "level":
            quote.price = quote.price * draws.choice((92, 108)) // 100
        if kind != "same instant":
            quote.at_ms = max(quote.at_ms, self._clock_ms())
        for _ in range(draws.randint(3, 6) if kind == "burst" else 1):
            self._tick(quote, kind)
            quote.price += draws.choice((-1, 0, 1))

    def _tick(self, quote: Quote, kind: str) -> None:
        draws, at_ms, price = self._draws, quote.at_ms, quote.price
        if kind == "outlier":
            price = price * draws.choice((94, 95, 105, 106, 150)) // 100
        if kind == "future":
            at_ms += draws.choice((400, 700, 3_600_000))
        latency_ms = draws.randint(2, 40)
        if kind == "late":
            latency_ms = draws.randint(1_850, 2_800)
        if kind == "reordered":
            latency_ms = draws.randint(60, 400)
        if kind == "missing":
            return
        packet = self._packet(quote, at_ms, self._decimals(quote, price, kind))
        self._send(packet, latency_ms)
        if kind == "twice":
            self._send(packet, latency_ms + draws.choice((0, 1, 30, 900)))

    def _decimals(self, quote: Quote, price: int, kind: str) -> tuple[Decimal, ...]:
        if kind == "garbage":
            return (self._draws.choice(GARBAGE),) * (1 if quote.trades else 2)
        if quote.trades:
            return (Decimal(price).scaleb(-quote.scale),)
        # An odd spread puts the middle between two steps.
        ask = price + self._draws.choice((0, 1, 2, 3))
        return Decimal(price).scaleb(-quote.scale), Decimal(ask).scaleb(-quote.scale)

    def _packet(self, quote: Quote, at_ms: int, prices: tuple[Decimal, ...]) -> Callable[[int], Packet]:
        """Return what makes the packet of a tick once it is known when it is received.

        The same packet sent twice has the same content and another number.
        """
        self._ids += 1
        source_id = f"{self.name}-{self._ids}"
        bid, ask, last = (None, None, prices[0]) if quote.trades else (*prices, None)

        def packet(recv_ms: int) -> Packet:
            self._packets += 1
            src_ms = at_ms if self.timed else recv_ms
            tick = RawTick(quote.source, self._packets, src_ms, recv_ms, bid, ask, last, source_id)
            return Packet(recv_ms, (tick,), timed=self.timed)

        return packet

    def _send(self, packet: Callable[[int], Packet], latency_ms: int) -> None:
        if self.world.now_ms < self._silent_until_ms:
            return
        for place, (name, (number, receiver)) in enumerate(self._connections.items()):
            deliver = partial(self._deliver, packet, name, number, receiver)
            self.world.later(latency_ms + 7 * place, deliver)

    def _deliver(self, packet: Callable[[int], Packet], name: str, number: int, receiver: Receiver) -> None:
        if self._connections.get(name, (0, None))[0] != number:
            return
        if self._frozen:
            self._held.append(partial(self._deliver, packet, name, number, receiver))
        else:
            receiver(packet)
