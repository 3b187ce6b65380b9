"""Heads that somebody kept outside the platform: what was sealed when they came cannot be sealed anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fairstrike_verify.members import ShapeError, instant_ms, instant_text
from fairstrike_verify.report import Checks
from fairstrike_verify.sealing import Seal

_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,64}) ([1-9]\d{0,9}) ([0-9a-f]{64})\n")


class HeadsError(ValueError):
    """A log of heads is not as the format has it, or contradicts itself."""


@dataclass(slots=True)
class Heads:
    """Counts and heads by symbol and minute."""

    known: dict[tuple[str, int], tuple[int, bytes]] = field(default_factory=dict)

    def compare(self, seals: Iterable[Seal], checks: Checks) -> None:
        """Compare seals with the heads that were kept; minutes outside the log's span of a symbol are told."""
        faults, agreed, outside = [], 0, 0
        spans = self._spans()
        for seal in seals:
            found = self.known.get((seal.symbol, seal.minute_ms))
            if found == (seal.count, seal.head):
                agreed += 1
            elif found is not None:
                faults.append(
                    f"the head of {instant_text(seal.minute_ms)} is another one than was kept: it was sealed anew"
                )
            elif seal.symbol in spans and spans[seal.symbol][0] < seal.minute_ms < spans[seal.symbol][1]:
                faults.append(
                    f"{instant_text(seal.minute_ms)} is not among the heads that were kept, its neighbours are"
                )
            else:
                outside += 1
        if faults or agreed:
            checks.all_of(f"{agreed} heads are those that were kept", faults)
        if outside:
            checks.note(f"{outside} minutes lie outside of the heads that were kept, and are not compared with them")

    def _spans(self) -> dict[str, tuple[int, int]]:
        """Return the first and the last minute of each symbol."""
        spans: dict[str, tuple[int, int]] = {}
        for symbol, minute_ms in self.known:
            first, last = spans.get(symbol, (minute_ms, minute_ms))
            spans[symbol] = (min(first, minute_ms), max(last, minute_ms))
        return spans


def heads_of(lines: Iterator[bytes]) -> Heads:
    """Return the heads of a log; equal repeats are dropped.

    :raises HeadsError: with the first line that is wrong
    """
    heads = Heads()
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        try:
            if found is None:
                raise ShapeError("it is no head as the format has it")
            place = (found[2].decode(), instant_ms(found[1].decode()))
        except ShapeError as error:
            raise HeadsError(f"line {number}: {error}") from None
        head = (int(found[3]), bytes.fromhex(found[4].decode()))
        if heads.known.setdefault(place, head) != head:
            raise HeadsError(f"line {number}: {place[0]} has another head for {instant_text(place[1])} further up")
    return heads
