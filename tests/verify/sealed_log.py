"""Archives and heads written by hand from the formats, for the published examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kernel.canonical import canonical
from kernel.clock import rfc3339
from quotes.sealing import MINUTE_MS, NO_HEAD, LogTick, SealRow, day_root, minute_of, seal_of

DAY_MS = 86_400_000
Sign = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass
class SealedLog:
    """The log of a symbol as seals and archives have it."""

    symbol: str
    minutes: list[tuple[SealRow, list[LogTick]]]
    scale: int = 5
    price_source: str = "mid"
    feed: str = "script"
    revisions: Sequence[int] = field(default=(1,))

    @classmethod
    def of(cls, symbol: str, ticks: Sequence[LogTick], **terms: Any) -> SealedLog:
        """Seal ticks minute by minute; the last minute too."""
        held: dict[int, list[LogTick]] = {}
        for tick in ticks:
            held.setdefault(minute_of(tick[1]), []).append(tick)
        head, minutes = NO_HEAD, []
        for minute_ms, found in sorted(held.items()):
            seal = seal_of(symbol=symbol, minute_ms=minute_ms, ticks=found, previous_head=head)
            minutes.append((seal, found))
            head = seal.head
        return cls(symbol, minutes, **terms)

    def heads(self) -> bytes:
        """Return the log of heads, as it leaves the database."""
        return b"".join(
            f"{rfc3339(seal.minute_ms)} {self.symbol} {seal.count} {seal.head.hex()}\n".encode()
            for seal, _ in self.minutes
        )

    def days(self) -> list[str]:
        """Return the days that have ticks."""
        return sorted({rfc3339(seal.minute_ms)[:10] for seal, _ in self.minutes})

    def archive(self, day: str, *, sign: Sign, complete: bool = True, signed_at_ms: int | None = None) -> bytes:
        """Return the archive of a day."""
        from_ms = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
        mine = [(seal, ticks) for seal, ticks in self.minutes if from_ms <= seal.minute_ms < from_ms + DAY_MS]
        earlier = [seal.head for seal, _ in self.minutes if seal.minute_ms < from_ms]
        before = earlier[-1] if earlier else NO_HEAD
        lines = [f"fairstrike-archive/1 {self.symbol} {day}"]
        for seal, ticks in mine:
            numbers = f"{seal.minute_ms},{seal.count},{seal.first_seq}"
            lines.append(f"seal,{numbers},{seal.root.hex()},{seal.previous_head.hex()},{seal.head.hex()}")
            lines += [",".join("" if part is None else str(part) for part in _line(tick)) for tick in ticks]
        statement = {
            "complete": complete,
            "day": day,
            "last_head": (mine[-1][0].head if mine else before).hex(),
            "previous_head": before.hex(),
            "revisions": [self._revision(number) for number in self.revisions],
            "root": day_root([seal.head for seal, _ in mine]).hex(),
            "seals": len(mine),
            "signed_at": rfc3339(from_ms + DAY_MS + MINUTE_MS if signed_at_ms is None else signed_at_ms),
            "symbol": self.symbol,
            "ticks": sum(seal.count for seal, _ in mine),
            "version": "archive/1",
        }
        return "".join(f"{line}\n" for line in lines).encode() + canonical(sign(statement)) + b"\n"

    def _revision(self, number: int) -> dict[str, Any]:
        return {
            "feed": self.feed,
            "number": number,
            "price_scale": self.scale,
            "price_source": self.price_source,
            "since": None,
            "symbol": self.symbol,
        }


def _line(tick: LogTick) -> tuple[Any, ...]:
    seq, at_ms, received_at_ms, bid, ask, price, revision = tick
    return seq, at_ms, received_at_ms, bid, ask, price, revision
