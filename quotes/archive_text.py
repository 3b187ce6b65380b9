"""The text archive of a symbol's day, ``archive/1`` of the formats: seals, each before its ticks, and a statement."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import IO, Any

from kernel import db
from kernel.clock import rfc3339
from kernel.signing import canonical, signed
from quotes.minutes import minutes_read
from quotes.models import SymbolRevision
from quotes.sealing import MINUTE_MS, LogTick, SealRow, day_root, leaves_of, merkle_root

VERSION = "archive/1"
DAY_MS = 86_400_000
# A file that is written once is worth more of a processor than one that is made for a reader who waits.
_COMPRESSION = {True: 6, False: 1}

_SEALS = """
SELECT minute_ms, count, first_seq, root, previous_head, head FROM quotes_seal
WHERE symbol_id = %(symbol_id)s AND minute_ms >= %(from_ms)s AND minute_ms < %(to_ms)s ORDER BY minute_ms"""

_HEAD_BEFORE = """
SELECT head FROM quotes_seal WHERE symbol_id = %(symbol_id)s AND minute_ms < %(from_ms)s
ORDER BY minute_ms DESC LIMIT 1"""


class SealedTicksMissingError(Exception):
    """The log does not have the ticks that were sealed: nothing is published that contradicts a seal."""


@dataclass(frozen=True, slots=True)
class DayChain:
    """The seals of a symbol's UTC day so far, and the head before them."""

    symbol_id: int
    code: str
    day: date
    previous_head: bytes
    seals: tuple[SealRow, ...]

    @property
    def last_head(self) -> bytes:
        """The day's last head; that of the day before while it has none."""
        return self.seals[-1].head if self.seals else self.previous_head

    @property
    def ticks(self) -> int:
        """How many ticks are sealed."""
        return sum(seal.count for seal in self.seals)

    @property
    def root(self) -> bytes:
        """The root over the day's heads."""
        return day_root(seal.head for seal in self.seals)


@dataclass(frozen=True, slots=True)
class WrittenText:
    """What a text came to: its length and hash."""

    length: int
    sha256: str


def day_start_ms(day: date) -> int:
    """Return the instant at which a UTC day begins."""
    return int(datetime.combine(day, time.min, UTC).timestamp()) * 1000


def day_chain(*, symbol_id: int, code: str, day: date) -> DayChain | None:
    """Return what is sealed of a symbol's day; None when its chain had not begun by the day's end."""
    from_ms = day_start_ms(day)
    bounds = {"symbol_id": symbol_id, "from_ms": from_ms, "to_ms": from_ms + DAY_MS}
    seals = tuple(SealRow(code, *row) for row in db.rows(_SEALS, bounds))
    if seals:
        return DayChain(symbol_id, code, day, seals[0].previous_head, seals)
    before = db.row(_HEAD_BEFORE, bounds)
    return None if before is None else DayChain(symbol_id, code, day, before[0], ())


def archive_write(chain: DayChain, file: IO[bytes], *, complete: bool, now_ms: int) -> WrittenText:
    """Write a day's text, compressed; memory holds one minute.

    :raises SealedTicksMissingError: when the log contradicts a seal
    """
    digest, length = sha256(), 0
    # Neither a name nor a time goes into the file: the same text is the same file.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_COMPRESSION[complete], mtime=0) as packed:
        for block in archive_blocks(chain, complete=complete, now_ms=now_ms):
            digest.update(block)
            length += len(block)
            packed.write(block)
    return WrittenText(length, digest.hexdigest())


def archive_blocks(chain: DayChain, *, complete: bool, now_ms: int) -> Iterator[bytes]:
    """Yield a day's text: its first line, each seal with its ticks, the statement.

    :raises SealedTicksMissingError: when the log contradicts a seal
    """
    yield f"fairstrike-{VERSION} {chain.code} {chain.day}\n".encode()
    revisions: set[int] = set()
    if chain.seals:
        from_ms, to_ms = day_start_ms(chain.day), chain.seals[-1].minute_ms + MINUTE_MS
        minutes = minutes_read(symbol_id=chain.symbol_id, from_ms=from_ms, to_ms=to_ms)
        for seal in chain.seals:
            minute_ms, ticks = next(minutes, (None, []))
            if minute_ms != seal.minute_ms or len(ticks) != seal.count or merkle_root(leaves_of(ticks)) != seal.root:
                raise SealedTicksMissingError(f"{chain.code} at {rfc3339(seal.minute_ms)}")
            revisions.update(tick[6] for tick in ticks)
            yield (_seal_line(seal) + "".join([_tick_line(tick) for tick in ticks])).encode()
    document = _statement(chain, sorted(revisions), complete=complete, now_ms=now_ms)
    yield canonical(signed(document)) + b"\n"


def _seal_line(seal: SealRow) -> str:
    hashes = f"{seal.root.hex()},{seal.previous_head.hex()},{seal.head.hex()}"
    return f"seal,{seal.minute_ms},{seal.count},{seal.first_seq},{hashes}\n"


def _tick_line(tick: LogTick) -> str:
    seq, at_ms, received_at_ms, bid, ask, price, revision = tick
    return f"{seq},{at_ms},{received_at_ms},{bid or ''},{ask or ''},{price},{revision}\n"


def _statement(chain: DayChain, revisions: Sequence[int], *, complete: bool, now_ms: int) -> dict[str, Any]:
    return {
        "complete": complete,
        "day": chain.day.isoformat(),
        "last_head": chain.last_head.hex(),
        "previous_head": chain.previous_head.hex(),
        "revisions": _revisions(chain.symbol_id, revisions),
        "root": chain.root.hex(),
        "seals": len(chain.seals),
        "signed_at": rfc3339(now_ms),
        "symbol": chain.code,
        "ticks": chain.ticks,
        "version": VERSION,
    }


def _revisions(symbol_id: int, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the revisions that the day's ticks name; the first one has been in force since the log began."""
    found = SymbolRevision.objects.filter(symbol_id=symbol_id, number__in=numbers).order_by("number")
    return [
        {
            "feed": revision.feed,
            "number": revision.number,
            "price_scale": revision.price_scale,
            "price_source": revision.price_source,
            "since": None if revision.number == 1 or revision.since_ms is None else rfc3339(revision.since_ms),
            "symbol": revision.source,
        }
        for revision in found
    ]
