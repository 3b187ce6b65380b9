"""The log read minute by minute: what seals, proofs and archives are made of. Memory holds one minute and one page."""

from __future__ import annotations

from collections.abc import Iterator

from kernel import db
from quotes.sealing import LogTick, minute_of

PAGE_TICKS = 2_500


def _page_sql(ticks: str) -> str:
    """Return the statement that reads on from a tick; the first bound lets days before it go unread."""
    return f"""
SELECT tick.seq, tick.at_ms, tick.received_at_ms, tick.bid::text, tick.ask::text, tick.price, tick.revision
FROM {ticks} AS tick
WHERE tick.symbol_id = %(symbol_id)s AND tick.at_ms >= %(at_ms)s AND tick.at_ms < %(to_ms)s
  AND (tick.at_ms, tick.seq) > (%(at_ms)s, %(seq)s)
ORDER BY tick.at_ms, tick.seq LIMIT %(limit)s"""


def minutes_read(
    *, symbol_id: int, from_ms: int, to_ms: int, ticks: str = "quotes_tick"
) -> Iterator[tuple[int, list[LogTick]]]:
    """Yield each UTC minute that has ticks in [from, to), with its ticks in the order of the log.

    :param ticks: the table to read, or a query in brackets
    """
    sql = _page_sql(ticks)
    minute_ms, held = 0, list[LogTick]()
    at_ms, seq = from_ms, 0
    while True:
        page = db.rows(sql, {"symbol_id": symbol_id, "at_ms": at_ms, "seq": seq, "to_ms": to_ms, "limit": PAGE_TICKS})
        for row in page:
            if held and row[1] >= minute_ms + 60_000:
                yield minute_ms, held
                held = []
            if not held:
                minute_ms = minute_of(row[1])
            held.append(row)
        if len(page) < PAGE_TICKS:
            break
        seq, at_ms = page[-1][0], page[-1][1]
    if held:
        yield minute_ms, held
