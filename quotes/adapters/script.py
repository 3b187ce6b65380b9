"""A feed that plays a file: each line a packet at its offset, for tests of the rules on real runtimes.

Lines: ``offset_ms,symbol,price``, or ``offset_ms,symbol,bid,ask[,src_offset_ms]``, or ``offset_ms,#heartbeat``; other
lines with ``#`` are comments.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from kernel.clock import rfc3339
from quotes.adapters.upstream import (
    Clock,
    Packet,
    PacketNumbers,
    PriceTextError,
    Wanted,
    is_name,
    malformed,
    price_decimal,
)
from quotes.domain import RawTick

HEARTBEAT = "#heartbeat"
# Offsets beyond this are no instants any more.
OFFSET_DIGITS = 15
_FIELDS = {3, 4, 5}


class LineError(ValueError):
    """A line of a script cannot be read."""


class Line:
    """One readable line: when it is played, and what it says."""

    __slots__ = ("offset_ms", "prices", "src_offset_ms", "symbol")

    def __init__(self, text: str) -> None:
        """Read a line.

        :raises LineError: when it is no packet
        """
        fields = [field.strip() for field in text.split(",")]
        self.offset_ms = _offset(fields[0])
        self.src_offset_ms = self.offset_ms
        self.symbol = ""
        self.prices: tuple[Decimal, ...] = ()
        if fields[1:] == [HEARTBEAT]:
            return
        if len(fields) not in _FIELDS or not is_name(fields[1]):
            raise LineError("expected offset_ms,symbol,price or offset_ms,symbol,bid,ask[,src_offset_ms]")
        self.symbol = fields[1]
        try:
            self.prices = tuple(price_decimal(field) for field in fields[2:4])
        except PriceTextError as error:
            raise LineError("a price is no number") from error
        if len(fields) > 4:
            self.src_offset_ms = _offset(fields[4])


def _offset(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= OFFSET_DIGITS):
        raise LineError("an offset is no whole number of milliseconds")
    return int(text)


def _comment(text: str) -> bool:
    fields = [field.strip() for field in text.split(",", 1)]
    if not text.strip() or fields[0].startswith("#"):
        return True
    return len(fields) > 1 and fields[1].startswith("#") and fields[1] != HEARTBEAT


def script_sources(path: Path) -> frozenset[str]:
    """Return the upstream symbols that a script names.

    :raises OSError: when the file cannot be read
    """
    found = set()
    for _, line in _lines(path):
        if isinstance(line, Line) and line.symbol:
            found.add(line.symbol)
    return frozenset(found)


def _lines(path: Path) -> Iterator[tuple[int, Line | str]]:
    """Yield line numbers with what could be read, or with the text of what could not."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            if _comment(text):
                continue
            try:
                yield number, Line(text)
            except LineError:
                yield number, text


class Script:
    """The feed ``script``. It goes on where it stood when it is iterated again, and ends with its file.

    :param start_at_ms: the instant that offsets count from; None means when the first packet is asked for
    :param announce: told ``script start <RFC 3339>`` once
    """

    def __init__(
        self,
        *,
        path: Path,
        clock: Clock,
        announce: Callable[[str], None],
        start_at_ms: int | None = None,
        receive_time: bool = False,
    ) -> None:
        self.connected = False
        self.detail = path.name
        self._clock = clock
        self._announce = announce
        self._start_ms = start_at_ms
        self._announced = False
        self._receive_time = receive_time
        self._numbers = PacketNumbers(clock)
        self._lines = _lines(path)
        self._due: tuple[int, Line | str] | None = None

    async def resubscribe(self, wanted: Mapping[str, Wanted]) -> None:
        """Do nothing: a script plays all it has, and the parser picks what it serves."""

    async def packets(self) -> AsyncGenerator[Packet, None]:
        """Yield each line's packet at its offset."""
        start_ms = self._start()
        self.connected = True
        self._due = self._due or next(self._lines, None)
        while self._due is not None:
            number, line = self._due
            if isinstance(line, Line):
                await self._until(start_ms + line.offset_ms)
                packet = self._packet(line, start_ms)
            else:
                packet = self._unreadable(number, line)
            self._due = next(self._lines, None)
            yield packet
        self.connected = False
        self.detail = f"{self.detail} has ended"

    def _start(self) -> int:
        if self._start_ms is None:
            self._start_ms = self._clock()
        if not self._announced:
            self._announce(f"script start {rfc3339(self._start_ms)}")
            self._announced = True
        return self._start_ms

    async def _until(self, due_ms: int) -> None:
        while (left_ms := due_ms - self._clock()) > 0:
            await asyncio.sleep(left_ms / 1000)

    def _packet(self, line: Line, start_ms: int) -> Packet:
        recv_ms = self._clock()
        if not line.symbol:
            return Packet(recv_ms)
        src_ms = recv_ms if self._receive_time else start_ms + line.src_offset_ms
        number = self._numbers.next()
        if len(line.prices) == 1:
            tick = RawTick(line.symbol, number, src_ms, recv_ms, last=line.prices[0], serves_all=True)
        else:
            bid, ask = line.prices
            tick = RawTick(line.symbol, number, src_ms, recv_ms, bid, ask, last=bid if bid == ask else None)
        return Packet(recv_ms, (tick,))

    def _unreadable(self, number: int, text: str) -> Packet:
        recv_ms = self._clock()
        sample = f"line {number}: {text.strip()}"
        refused = malformed(source="", packet=self._numbers.next(), recv_ms=recv_ms, sample=sample)
        return Packet(recv_ms, refused=(refused,), alive=False)
