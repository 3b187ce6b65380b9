"""I-22: seals against the ticks of the log, against each other, and against the heads that were told outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from quotes.heads import published_differences
from quotes.minutes import minutes_read
from quotes.sealing import MINUTE_MS, NO_HEAD, LogTick, SealRow, head_of, leaves_of, merkle_root
from quotes.selectors import log_begins_ms

RECENT_MS = 3_600_000
_PAGE = 5_000

# The symbols whose chains are checked, with the first seal to look at, the newest one there is, and where the chain of
# a log that is older than seals may begin.
_CHAINS_RECENT = f"""
SELECT symbol.id, symbol.code, min(seal.first_seq), max(seal.first_seq), min(origin.first_seq)
FROM quotes_seal AS seal JOIN quotes_symbol AS symbol ON symbol.id = seal.symbol_id
LEFT JOIN quotes_seal_origin AS origin ON origin.symbol_id = symbol.id
WHERE seal.sealed_at_ms > {DB_NOW_MS_SQL} - {RECENT_MS}
GROUP BY symbol.id ORDER BY symbol.id"""

_CHAINS_ALL = """
SELECT symbol.id, symbol.code, 0, newest.first_seq, origin.first_seq
FROM quotes_symbol AS symbol
CROSS JOIN LATERAL (
    SELECT seal.first_seq FROM quotes_seal AS seal WHERE seal.symbol_id = symbol.id ORDER BY seal.first_seq DESC LIMIT 1
) AS newest
LEFT JOIN quotes_seal_origin AS origin ON origin.symbol_id = symbol.id
ORDER BY symbol.id"""

_SEALS = """
SELECT minute_ms, count, first_seq, root, previous_head, head FROM quotes_seal
WHERE symbol_id = %(symbol_id)s AND first_seq >= %(from_seq)s AND first_seq <= %(to_seq)s
ORDER BY first_seq LIMIT %(limit)s"""

_BEFORE = """
SELECT minute_ms, count, first_seq, root, previous_head, head FROM quotes_seal
WHERE symbol_id = %(symbol_id)s AND first_seq < %(from_seq)s ORDER BY first_seq DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class _Chain:
    """The part of a symbol's chain that is checked, with the seal before it."""

    symbol_id: int
    code: str
    from_seq: int
    to_seq: int
    origin_seq: int | None


def seals_violations(*, full: bool) -> int:
    """Count what is wrong with the seals: I-22.

    These count one each: a seal whose count, numbers or root are not those of its minute's ticks; a seal that is not
    its own head's or does not follow the one before it; a tick in a sealed minute that no seal covers; a line of the
    files of heads that says something else than the table.

    :param full: check every seal, those whose ticks have left the log by the chain only; else those of the last hour
    """
    # What was told outside was in the table before it: the files are read first.
    violations = published_differences(full=full)
    for row in db.rows(_CHAINS_ALL if full else _CHAINS_RECENT):
        violations += _chain_violations(_Chain(*row), full=full)
    return violations


def _chain_violations(part: _Chain, *, full: bool) -> int:
    seals = _seals(part)
    first = next(seals, None)
    if first is None:
        return 0
    last = db.row(_SEALS, {"symbol_id": part.symbol_id, "from_seq": part.to_seq, "to_seq": part.to_seq, "limit": 1})
    assert last is not None
    from_ms = log_begins_ms() if full else max(log_begins_ms(), first.minute_ms)
    minutes = minutes_read(symbol_id=part.symbol_id, from_ms=from_ms, to_ms=last[0] + MINUTE_MS)
    violations, without_ticks = 0, list[int]()
    before = _seal_before(part)
    read = next(minutes, None)
    for seal in chain((first,), seals):
        violations += not _follows(before, seal, part)
        before = seal
        while read is not None and read[0] < seal.minute_ms:
            violations += len(read[1])
            read = next(minutes, None)
        if read is not None and read[0] == seal.minute_ms:
            violations += not _seals_these(seal, read[1])
            read = next(minutes, None)
        else:
            without_ticks.append(seal.minute_ms)
    # A day may have left the log while it was read.
    begins_ms = log_begins_ms()
    return violations + sum(minute_ms >= begins_ms for minute_ms in without_ticks)


def _seals(part: _Chain) -> Iterator[SealRow]:
    from_seq = part.from_seq
    while True:
        bounds = {"symbol_id": part.symbol_id, "from_seq": from_seq, "to_seq": part.to_seq, "limit": _PAGE}
        page = [SealRow(part.code, *row) for row in db.rows(_SEALS, bounds)]
        yield from page
        if len(page) < _PAGE:
            return
        from_seq = page[-1].first_seq + 1


def _seal_before(part: _Chain) -> SealRow | None:
    found = db.row(_BEFORE, {"symbol_id": part.symbol_id, "from_seq": part.from_seq})
    return None if found is None else SealRow(part.code, *found)


def _follows(before: SealRow | None, seal: SealRow, part: _Chain) -> bool:
    """Whether a seal's head is the one of its bytes and the seal goes on where the one before it ended."""
    if head_of(seal) != seal.head:
        return False
    if before is not None:
        linked = (seal.previous_head, seal.first_seq) == (before.head, before.next_seq)
        return linked and seal.minute_ms > before.minute_ms
    begins = seal.first_seq == 1 or (part.origin_seq is not None and seal.first_seq >= part.origin_seq)
    return begins and seal.previous_head == NO_HEAD


def _seals_these(seal: SealRow, ticks: Sequence[LogTick]) -> bool:
    numbers = [tick[0] for tick in ticks]
    return numbers == list(range(seal.first_seq, seal.next_seq)) and merkle_root(leaves_of(ticks)) == seal.root
