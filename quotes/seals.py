"""Seals of the log: made once a minute is final, chained by symbol, and checked against the ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.failpoints import reach
from kernel.metrics import count
from quotes.admission import watermarks_raise_to_expiry
from quotes.minutes import minutes_read
from quotes.seal_checks import seals_violations
from quotes.sealing import NO_HEAD, LogTick, SealRow, seal_of

__all__ = ["LogBrokenError", "seals_make", "seals_violations"]

log = structlog.get_logger(__name__)

_refused: dict[int, bytes] = {}

# A symbol that has been silent for so long after its newest minute has that minute closed by the database's clock.
SILENT_AFTER_MS = 60_000
# What one transaction seals at most, give or take a minute: some 25 ms of a processor.
BATCH_TICKS = 10_000

# One sealer at a time; a second one finds nothing to do. The lock lasts until the seals are committed, so their ids
# grow in the order in which they become visible, which is what publishing goes by.
_EXCLUDE = "SELECT pg_try_advisory_xact_lock(hashtextextended('quotes_seals', 0))"

# What each symbol's chain ends with: the end of its newest minute, the number of the next tick, and the head.
_CHAIN_ENDS = """
LEFT JOIN LATERAL (
    SELECT seal.minute_ms + 60000 AS until_ms, seal.first_seq + seal.count AS next_seq, seal.head
    FROM quotes_seal AS seal WHERE seal.symbol_id = symbol.id ORDER BY seal.first_seq DESC LIMIT 1
) AS sealed ON true"""

# Symbols with ticks that no seal covers and at least one final minute behind their chain. The final minutes are those
# that end at or before the watermark: every tick up to a committed watermark is committed too, as both are written
# under the head's lock, and the ticks are read by a later statement.
_DUE = f"""
SELECT symbol.id, symbol.code, head.final_ms, coalesce(sealed.until_ms, 0), sealed.next_seq,
       coalesce(sealed.head, %(no_head)s)
FROM quotes_symbol AS symbol
JOIN (SELECT symbol_id, seq, watermark_ms + 1 - (watermark_ms + 1) %% 60000 AS final_ms FROM quotes_symbol_head)
    AS head ON head.symbol_id = symbol.id
{_CHAIN_ENDS}
WHERE head.seq >= coalesce(sealed.next_seq, 1) AND head.final_ms > coalesce(sealed.until_ms, 0)
ORDER BY coalesce(sealed.until_ms, 0), symbol.id"""

# The minute of a log's newest tick stays open until a later tick or a sign of life raises the watermark.
_SILENT = """
SELECT symbol_id, tick_at_ms - tick_at_ms %% 60000 + 59999 FROM quotes_symbol_head
WHERE watermark_ms < tick_at_ms - tick_at_ms %% 60000 + 59999
  AND tick_at_ms - tick_at_ms %% 60000 + 60000 + %(silent_ms)s < %(now_ms)s"""

_WRITE = f"""
INSERT INTO quotes_seal (symbol_id, minute_ms, count, first_seq, root, previous_head, head, sealed_at_ms)
SELECT new.*, {DB_NOW_MS_SQL}
FROM unnest(%(ids)s::int[], %(minutes)s::bigint[], %(counts)s::int[], %(first)s::bigint[], %(roots)s::bytea[],
            %(previous)s::bytea[], %(heads)s::bytea[]) AS new"""


class LogBrokenError(Exception):
    """The numbers of a log do not go on where the chain of its seals ends."""


@dataclass(slots=True)
class _Chain:
    """Where a symbol's chain ends, and up to when its log is final."""

    symbol_id: int
    code: str
    final_ms: int
    until_ms: int
    next_seq: int | None
    head: bytes


def seals_make(*, now_ms: int) -> int:
    """Seal minutes that are final, as far as one transaction goes; return how many seals were made, 0 when none is due.

    :param now_ms: the database's clock
    """
    # Only closing the minute of a silent symbol waits for a head's lock: what needs none comes first.
    return _batch_seal() or (_silent_minutes_close(now_ms) and _batch_seal())


def _batch_seal() -> int:
    with transaction.atomic(durable=True):
        alone = db.row(_EXCLUDE)
        if not (alone and alone[0]):
            return 0
        made: list[tuple[int, SealRow]] = []
        left = BATCH_TICKS
        for row in db.rows(_DUE, {"no_head": NO_HEAD}):
            if left <= 0:
                break
            chain = _Chain(*row)
            sealed = _chain_go_on(chain, left)
            made += [(chain.symbol_id, seal) for seal in sealed]
            left -= sum(seal.count for seal in sealed)
        if made:
            _write(made)
            reach("seals.written")
    if made:
        reach("seals.committed")
    return len(made)


def _silent_minutes_close(now_ms: int) -> int:
    """Raise the watermarks of silent symbols to the end of their newest minute, in a committed step of its own."""
    silent = db.rows(_SILENT, {"silent_ms": SILENT_AFTER_MS, "now_ms": now_ms})
    return watermarks_raise_to_expiry(targets={row[0]: row[1] for row in silent}) if silent else 0


def _chain_go_on(chain: _Chain, most_ticks: int) -> list[SealRow]:
    """Return the next seals of a symbol; a log that does not go on is told and left, and stops no other."""
    seals: list[SealRow] = []
    head, next_seq, ticks_taken = chain.head, chain.next_seq, 0
    try:
        for minute_ms, ticks in minutes_read(symbol_id=chain.symbol_id, from_ms=chain.until_ms, to_ms=chain.final_ms):
            _numbers_require(chain.code, ticks, next_seq)
            seal = seal_of(symbol=chain.code, minute_ms=minute_ms, ticks=ticks, previous_head=head)
            seals.append(seal)
            head, next_seq, ticks_taken = seal.head, seal.next_seq, ticks_taken + seal.count
            if ticks_taken >= most_ticks:
                break
    except LogBrokenError as error:
        count("seals_refused")
        # Told once for each state of the chain; the lag in the metrics goes on telling it.
        if _refused.get(chain.symbol_id) != head:
            _refused[chain.symbol_id] = head
            log.error("seal_refused", symbol=chain.code, error=str(error))
    return seals


def _numbers_require(code: str, ticks: Sequence[LogTick], next_seq: int | None) -> None:
    first = ticks[0][0]
    if next_seq is not None and first != next_seq:
        raise LogBrokenError(f"the log of {code} goes on at {first}, its seals at {next_seq}")
    if any(tick[0] != number for number, tick in enumerate(ticks, first)):
        raise LogBrokenError(f"the log of {code} has a gap behind {first}")


def _write(made: Sequence[tuple[int, SealRow]]) -> None:
    db.run(
        _WRITE,
        {
            "ids": [symbol_id for symbol_id, _ in made],
            "minutes": [seal.minute_ms for _, seal in made],
            "counts": [seal.count for _, seal in made],
            "first": [seal.first_seq for _, seal in made],
            "roots": [seal.root for _, seal in made],
            "previous": [seal.previous_head for _, seal in made],
            "heads": [seal.head for _, seal in made],
        },
    )
