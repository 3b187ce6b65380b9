"""A feed's own word on its markets: closed, or open again; stored so that outcomes follow from the log alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import structlog
from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.failpoints import reach
from quotes.adapters.upstream import Declaration
from quotes.admission import LeadershipLostError, SymbolLog

log = structlog.get_logger(__name__)

REASON_MAX = 200

_HEADS_LOCK = """
SELECT symbol_id, seq, watermark_ms, closed_by_feed IS NOT NULL
FROM quotes_symbol_head WHERE symbol_id = ANY(%(ids)s) ORDER BY symbol_id FOR NO KEY UPDATE"""

# Read after the heads are locked: whatever moves a watermark or revises a symbol takes the head's lock.
_STANDING = f"""
SELECT symbol.id, symbol.revision, {DB_NOW_MS_SQL},
       coalesce((SELECT max(at_ms) FROM quotes_feed_declaration AS said WHERE said.symbol_id = symbol.id), 0)
FROM quotes_symbol AS symbol WHERE symbol.id = ANY(%(ids)s)"""

_STORE = """
INSERT INTO quotes_feed_declaration (symbol_id, at_ms, source_ms, received_at_ms, closed, reason)
VALUES (%(symbol_id)s, %(at_ms)s, %(source_ms)s, %(received_at_ms)s, %(closed)s, %(reason)s)"""

_HEAD_WRITE = "UPDATE quotes_symbol_head SET closed_by_feed = %(reason)s WHERE symbol_id = %(symbol_id)s"


def declared_at_ms(word: Declaration, *, watermark_ms: int, newest_ms: int, now_ms: int) -> int:
    """Return when a word takes effect: at the source's time, but never in a past that is decided, nor ahead of us.

    :param watermark_ms: up to here expiries may be settled already
    :param newest_ms: when the word before it took effect
    :param now_ms: the database's clock
    """
    said_ms = word.recv_ms if word.source_ms is None else min(word.source_ms, word.recv_ms)
    return max(min(said_ms, now_ms), watermark_ms + 1, newest_ms)


def declarations_store(*, declared: Mapping[int, Sequence[Declaration]], logs: Mapping[int, SymbolLog]) -> int:
    """Store what changes the state of a market, in one transaction under the heads' locks; return how many did.

    A repeated word changes nothing. A symbol that has been revised meanwhile is left alone.

    :param declared: words by symbol id, in the order of their arrival
    :raises LeadershipLostError: when a head's seq is not the one this parser wrote last; nothing is written
    """
    ids = {"ids": sorted(declared)}
    stored = 0
    with transaction.atomic(durable=True):
        heads = {row[0]: row[1:] for row in db.rows(_HEADS_LOCK, ids)}
        reach("declare.heads_locked")
        for symbol_id, revision, now_ms, newest_ms in db.rows(_STANDING, ids):
            seq, watermark_ms, closed = heads[symbol_id]
            mine = logs[symbol_id]
            if revision != mine.terms.revision:
                continue
            if mine.seq is not None and mine.seq != seq:
                raise LeadershipLostError(f"{mine.terms.code} is at {seq}, not at {mine.seq}")
            least_ms = newest_ms
            for word in _changes(declared[symbol_id], closed=closed):
                least_ms = declared_at_ms(word, watermark_ms=watermark_ms, newest_ms=least_ms, now_ms=now_ms)
                _store(symbol_id, word, least_ms)
                log.info("market_declared", symbol=mine.terms.code, closed=word.closed, at_ms=least_ms)
                stored += 1
        if stored:
            reach("declare.stored")
    if stored:
        reach("declare.committed")
    return stored


def _changes(words: Sequence[Declaration], *, closed: bool) -> Iterator[Declaration]:
    for word in words:
        if word.closed != closed:
            closed = word.closed
            yield word


def _store(symbol_id: int, word: Declaration, at_ms: int) -> None:
    reason = word.reason[:REASON_MAX]
    said = {
        "symbol_id": symbol_id,
        "at_ms": at_ms,
        "source_ms": word.source_ms,
        "received_at_ms": word.recv_ms,
        "closed": word.closed,
        "reason": reason,
    }
    db.run(_STORE, said)
    db.run(_HEAD_WRITE, {"symbol_id": symbol_id, "reason": reason if word.closed else None})
