"""What an adapter is to the parser: a stream of packets, and the symbols that are wanted of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol

from quotes.domain import RawTick, Refusal, RefusedTick

Clock = Callable[[], int]

# A price has few digits; what is longer is garbage and must not reach arithmetic or the database.
PRICE_TEXT_MAX = 40
PRICE_EXPONENT_MIN = -30
PRICE_EXPONENT_MAX = 400
INSTANT_MAX_MS = 2**53


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the platform wants of one upstream symbol: quotes, trades or both, and the price it knows last."""

    quotes: bool = True
    trades: bool = False
    last_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A feed's own word that a market is closed, or open again.

    :param source: the upstream symbol; None means every symbol that the feed carries
    :param source_ms: the source's time, where it gave one
    """

    source: str | None
    closed: bool
    recv_ms: int
    source_ms: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet from upstream: a sign of life at its receive time, with or without ticks.

    :param timed: whether the ticks carry the source's own time, so that they say something about its clock
    """

    recv_ms: int
    ticks: tuple[RawTick, ...] = ()
    refused: tuple[RefusedTick, ...] = ()
    alive: bool = True
    declared: tuple[Declaration, ...] = ()
    timed: bool = True


class Adapter(Protocol):
    """An upstream source. Its packets never end by an upstream fault; a finite source ends by itself."""

    @property
    def connected(self) -> bool:
        """Whether the source can be heard."""
        ...

    @property
    def detail(self) -> str:
        """What an operator should know of the connection, in a line."""
        ...

    def packets(self) -> AsyncGenerator[Packet, None]:
        """Yield packets as they come, reconnecting for ever."""
        ...

    async def resubscribe(self, wanted: Mapping[str, Wanted]) -> None:
        """Change what is wanted, by upstream symbol, without dropping what stays."""
        ...


class PacketNumbers:
    """Numbers packets, larger than those of any earlier process as long as time moves on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """Return the next packet's number."""
        self._last = max(self._last + 1, self._clock() * 1000)
        return self._last


class PacketError(ValueError):
    """A packet cannot be read; ``source`` is the symbol where that much was readable."""

    def __init__(self, source: str = "") -> None:
        super().__init__(source)
        self.source = source


class PriceTextError(ValueError):
    """The text is no decimal number that a price could be."""


def price_decimal(text: str) -> Decimal:
    """Return a price as it was sent; NaN and infinities are numbers here, which admission refuses by name.

    :raises PriceTextError: when it is no number, or has more digits than any price
    """
    if len(text) > PRICE_TEXT_MAX or not text.isascii() or "_" in text:
        raise PriceTextError("not a price")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise PriceTextError("not a price") from error
    if value.is_finite() and value and not PRICE_EXPONENT_MIN <= value.adjusted() <= PRICE_EXPONENT_MAX:
        raise PriceTextError("no price is as small or as large")
    # A signaling NaN would raise wherever it is compared.
    return Decimal("NaN") if value.is_snan() else value


def price_written(written: bytes | memoryview) -> Decimal:
    """Return a price of a JSON document with the digits that it was written with, as a number or as a text.

    :raises PriceTextError: when it is neither
    """
    text = bytes(written).decode("ascii", "replace")
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not text or text[0] not in "-0123456789":
        raise PriceTextError("not a price")
    return price_decimal(text)


def is_name(text: str) -> bool:
    """Whether a text can be an upstream symbol."""
    return 0 < len(text) <= 64 and text.isprintable()


def malformed(*, source: str, packet: int, recv_ms: int, sample: str) -> RefusedTick:
    """Return the refusal of something that could not be read; the sample is kept beside the count."""
    tick = RawTick(printable(source, 64), packet, recv_ms, recv_ms, source_id=printable(sample, 120))
    return RefusedTick(tick, Refusal.MALFORMED)


def printable(text: str, limit: int) -> str:
    """Return text from outside in a form that a database takes and a person can read."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:limit])
