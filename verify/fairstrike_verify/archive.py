"""Archives of ticks, ``archive/1``: read line by line, minute by minute, and believed only as far as they prove."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from fairstrike_verify.members import Members, ShapeError, instant_text
from fairstrike_verify.rules import price_of_quote
from fairstrike_verify.sealing import MINUTE_MS, Seal, Tick, merkle_root, minute_of, root_over, tick_leaf
from fairstrike_verify.strict_json import NotCanonicalError, canonical_document

FIRST_WORD = b"fairstrike-archive/"
DAY_MS = 86_400_000
# Bounds of what is held in memory at a time; no feed comes near them.
MOST_TICKS = 1_000_000
MOST_REVISIONS = 10_000
_NUMBER = r"(0|[1-9]\d{0,19})"
_INSTANT = r"(0|-?[1-9]\d{0,17})"
_SIDE = r"(\d{1,1000}(?:\.\d{1,1000})?|)"
_TICK = re.compile(rf"{_NUMBER},{_INSTANT},{_INSTANT},{_SIDE},{_SIDE},{_NUMBER},{_NUMBER}".encode())
_HASH = r"([0-9a-f]{64})"
_SEAL = re.compile(rf"seal,{_INSTANT},{_NUMBER},{_NUMBER},{_HASH},{_HASH},{_HASH}".encode())
_TITLE = re.compile(rb"fairstrike-archive/1 ([!-~]{1,64}) (\d{4}-\d\d-\d\d)")


class ArchiveError(ValueError):
    """A line of an archive is not what the format says, or does not follow from those before it."""


@dataclass(slots=True)
class Question:
    """An instant about which a receipt asks: which tick came last by it, and which one next."""

    symbol: str
    at_ms: int
    last: Tick | None = None
    next: Tick | None = None
    covered: bool = False

    def follows(self, seq: int) -> bool | None:
        """Whether a tick, or none for 0, is the last one by the instant; None where no archive tells."""
        if not self.covered:
            return None
        if self.next is not None and (self.next.seq == seq + 1 or _same_day(self.next.at_ms, self.at_ms)):
            return self.next.seq == seq + 1
        # The last one of an earlier day says nothing about the days between.
        if self.last is not None and _same_day(self.last.at_ms, self.at_ms):
            return self.last.seq == seq
        return None


@dataclass(frozen=True, slots=True)
class Statement:
    """The last line: what the platform states about the day, and signs."""

    document: dict[str, Any]
    complete: bool
    seals: int
    ticks: int
    previous_head: bytes
    last_head: bytes
    root: bytes
    revisions: dict[int, tuple[int, str]]


@dataclass(slots=True)
class Archive:
    """What an archive came to: its seals by minute, and the ticks that receipts ask for."""

    symbol: str
    day: str
    day_ms: int
    statement: Statement
    seals: dict[int, Seal]
    wanted: dict[int, Tick]
    text_sha256: str
    text_bytes: int

    @property
    def last_minute_ms(self) -> int | None:
        """The newest minute that is sealed in it."""
        return max(self.seals, default=None)

    def covers(self, at_ms: int) -> bool:
        """Whether no tick by that instant can be missing from it: all the minutes up to it are sealed."""
        if not self.day_ms <= at_ms < self.day_ms + DAY_MS:
            return False
        last_ms = self.last_minute_ms
        return self.statement.complete or (last_ms is not None and last_ms >= minute_of(at_ms))


class ArchiveReader:
    """Reads one archive; everything that an archive can be wrong about is an :class:`ArchiveError`."""

    def __init__(self, wanted: dict[str, set[int]], questions: Sequence[Question]) -> None:
        self._wanted = wanted
        self._questions = questions
        self._seals: dict[int, Seal] = {}
        self._found: dict[int, Tick] = {}
        self._scales: dict[int, set[int]] = {}
        self._newest: Tick | None = None
        self._ticks = 0

    def read(self, lines: Iterator[bytes]) -> Archive:
        """Read an archive to its end.

        :raises ArchiveError: with the first thing that is wrong
        """
        digest, size, number = sha256(), 0, 0

        def counted() -> Iterator[bytes]:
            nonlocal size, number
            for line in lines:
                number += 1
                size += len(line)
                digest.update(line)
                if not line.endswith(b"\n"):
                    raise ArchiveError("its last line does not end with a line feed")
                yield line[:-1]

        try:
            symbol, day, statement = self._read(counted())
        except ArchiveError as error:
            raise ArchiveError(f"line {number}: {error}") from None
        archive = Archive(symbol, day, _day_ms(day), statement, self._seals, self._found, digest.hexdigest(), size)
        self._answers(archive)
        return archive

    def _read(self, lines: Iterator[bytes]) -> tuple[str, str, Statement]:
        title = _TITLE.fullmatch(next(lines, b""))
        if title is None:
            raise ArchiveError("it does not begin as an archive/1 does")
        self.symbol, day = title[1].decode(), title[2].decode()
        self._day_ms = _day_ms(day)
        self._mine = [question for question in self._questions if question.symbol == self.symbol]
        for line in lines:
            if line.startswith(b"seal,"):
                self._minute(line, lines)
                continue
            statement = self._statement(line, day)
            if next(lines, None) is not None:
                raise ArchiveError("there are lines after the statement")
            return self.symbol, day, statement
        raise ArchiveError("it ends before its statement")

    def _minute(self, line: bytes, lines: Iterator[bytes]) -> None:
        seal = self._seal(line)
        ticks = [_tick(next(lines, b"")) for _ in range(seal.count)]
        self._order_require(seal, ticks)
        if merkle_root([tick_leaf(tick) for tick in ticks]) != seal.root:
            raise ArchiveError(f"the ticks of {instant_text(seal.minute_ms)} are not those that were sealed")
        self._seals[seal.minute_ms] = seal
        self._ticks += seal.count
        self._keep(ticks)

    def _seal(self, line: bytes) -> Seal:
        found = _SEAL.fullmatch(line)
        if found is None:
            raise ArchiveError("it is no seal as the format has it")
        minute_ms, count, first_seq = (int(found[place]) for place in (1, 2, 3))
        root, previous_head, head = (bytes.fromhex(found[place].decode()) for place in (4, 5, 6))
        if not 0 < count <= MOST_TICKS or first_seq >= 2**63 or not -(2**63) <= minute_ms < 2**63:
            raise ArchiveError("a number of the seal is out of range")
        seal = Seal(self.symbol, minute_ms, count, first_seq, root, previous_head, head)
        if seal.own_head != head:
            raise ArchiveError(f"the head of {instant_text(minute_ms)} is not that of its seal")
        if minute_ms % MINUTE_MS or not self._day_ms <= minute_ms < self._day_ms + DAY_MS:
            raise ArchiveError("the minute is none of this day")
        self._chain_require(seal)
        return seal

    def _chain_require(self, seal: Seal) -> None:
        before = self._seals[next(reversed(self._seals))] if self._seals else None
        if before is None:
            return
        if seal.minute_ms <= before.minute_ms:
            raise ArchiveError("the minutes are not in order")
        if seal.previous_head != before.head or seal.first_seq != before.next_seq:
            raise ArchiveError(f"the seal of {instant_text(seal.minute_ms)} does not follow the one before it")

    def _order_require(self, seal: Seal, ticks: list[Tick]) -> None:
        before = self._newest
        for seq, tick in enumerate(ticks, seal.first_seq):
            if tick.seq != seq:
                raise ArchiveError(f"tick {seq} is missing: {tick.seq} is in its place")
            if minute_of(tick.at_ms) != seal.minute_ms:
                raise ArchiveError(f"tick {seq} is not of the minute in which it was sealed")
            if before is not None and tick.at_ms < before.at_ms:
                raise ArchiveError(f"tick {seq} goes back in time")
            before = tick
        self._newest = before

    def _keep(self, ticks: list[Tick]) -> None:
        """Keep what receipts ask for, and for each revision the scales in which all its prices are the middle."""
        wanted = self._wanted.get(self.symbol, set())
        for tick in ticks:
            if tick.seq in wanted:
                self._found[tick.seq] = tick
            scales = self._scales.setdefault(tick.revision, set(range(19)))
            if len(self._scales) > MOST_REVISIONS:
                raise ArchiveError("its ticks have more revisions than any symbol has")
            if tick.bid and scales:
                # The statement comes last and says the scale: nearly always one tick leaves a single one.
                scales -= {places for places in scales if price_of_quote(tick, places) != tick.price}
        for question in self._mine:
            if ticks[-1].at_ms <= question.at_ms:
                question.last = ticks[-1]
            elif question.next is None:
                question.last = next((tick for tick in reversed(ticks) if tick.at_ms <= question.at_ms), question.last)
                question.next = next(tick for tick in ticks if tick.at_ms > question.at_ms)

    def _answers(self, archive: Archive) -> None:
        for question in self._mine:
            question.covered = question.covered or archive.covers(question.at_ms)

    def _statement(self, line: bytes, day: str) -> Statement:
        try:
            document = canonical_document(line)
            statement = _statement_of(document)
        except (NotCanonicalError, ShapeError) as error:
            raise ArchiveError(f"the statement is not as the format has it: {error}") from None
        if document.get("version") != "archive/1" or document.get("symbol") != self.symbol or document["day"] != day:
            raise ArchiveError("the statement is one of another archive")
        self._statement_require(statement)
        return statement

    def _statement_require(self, statement: Statement) -> None:
        seals = list(self._seals.values())
        if (statement.seals, statement.ticks) != (len(seals), self._ticks):
            raise ArchiveError(
                f"the statement counts {statement.seals} seals and {statement.ticks} ticks,"
                f" the archive has {len(seals)} and {self._ticks}"
            )
        if statement.root != root_over([seal.head for seal in seals]):
            raise ArchiveError("the root of the day is not that of its heads")
        first, last = (seals[0].previous_head, seals[-1].head) if seals else (statement.previous_head,) * 2
        if (statement.previous_head, statement.last_head) != (first, last):
            raise ArchiveError("the heads of the statement are not those of its first and last seal")
        for revision, scales in sorted(self._scales.items()):
            places, price_source = statement.revisions.get(revision, (-1, ""))
            if places < 0:
                raise ArchiveError(f"the statement does not explain revision {revision}, which ticks have")
            if price_source == "mid" and places not in scales:
                raise ArchiveError(f"a price of revision {revision} is not the middle of its bid and ask")


def _statement_of(document: dict[str, Any]) -> Statement:
    source = Members(document)
    revisions = source.each(
        "revisions", lambda one: (one.whole("number"), (one.whole("price_scale"), one.text("price_source")))
    )
    source.text("day")
    return Statement(
        document=document,
        complete=source.flag("complete"),
        seals=source.whole("seals"),
        ticks=source.whole("ticks"),
        previous_head=source.hexadecimal("previous_head", 32),
        last_head=source.hexadecimal("last_head", 32),
        root=source.hexadecimal("root", 32),
        revisions=dict(revisions),
    )


def _tick(line: bytes) -> Tick:
    found = _TICK.fullmatch(line)
    if found is None:
        raise ArchiveError("it is no tick as the format has it")
    seq, at_ms, received_ms, price, revision = (int(found[place]) for place in (1, 2, 3, 6, 7))
    if seq >= 2**63 or price >= 2**63 or revision >= 2**32 or (not found[4]) is not (not found[5]):
        raise ArchiveError("a number of the tick is out of range, or it has only one of bid and ask")
    return Tick(seq, at_ms, received_ms, found[4].decode(), found[5].decode(), price, revision)


def _same_day(at_ms: int, other_ms: int) -> bool:
    return at_ms // DAY_MS == other_ms // DAY_MS


def _day_ms(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        raise ArchiveError("its day is none of the calendar") from None
