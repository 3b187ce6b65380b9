"""Reads of the market: symbols with their state, ticks, candles, payouts. One or two statements each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.http.pages import Cursor
from quotes import errors
from quotes.domain import CANDLES_JOINED_S, MarketFacts, MarketState, market_state
from quotes.models import PayoutChange, Symbol, TickArchive
from quotes.statements import CLOCK, MARKET_COLUMNS, MARKET_JOINS

_CODE = re.compile(r"[A-Z0-9._-]{1,32}\Z", re.ASCII)

_MARKETS = f"""
WITH {CLOCK}
SELECT clock.now_ms, symbol.id, symbol.code, symbol.price_scale, {MARKET_COLUMNS}
FROM clock CROSS JOIN quotes_symbol AS symbol {MARKET_JOINS}
ORDER BY symbol.position, symbol.code"""

_SYMBOLS = f"""
WITH {CLOCK}
SELECT clock.now_ms, symbol.id, symbol.code, symbol.price_scale, {MARKET_COLUMNS},
       symbol.name, symbol.asset_class, symbol.feed, symbol.price_source, symbol.payout_percent,
       symbol.min_stake_minor, symbol.max_stake_minor, symbol.min_duration_s, symbol.max_duration_s,
       symbol.entry_rule, symbol.settlement_rule, symbol.custom, symbol.custom_declared, symbol.purchase_deadline_s,
       symbol.exposure_cap_minor
FROM clock CROSS JOIN quotes_symbol AS symbol {MARKET_JOINS}
WHERE %(code)s::text IS NULL OR symbol.code = %(code)s::text
ORDER BY symbol.position, symbol.code"""

_LOG = f"""
SELECT symbol.id, symbol.price_scale, head.tick_at_ms, head.watermark_ms, {DB_NOW_MS_SQL},
       ARRAY(SELECT number FROM quotes_symbol_revision AS r WHERE r.symbol_id = symbol.id ORDER BY number),
       ARRAY(SELECT price_scale FROM quotes_symbol_revision AS r WHERE r.symbol_id = symbol.id ORDER BY number)
FROM quotes_symbol AS symbol JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
WHERE symbol.code = %(code)s"""

# Ascending by time and arrival is ascending by seq: the log is monotonic in both. PostgreSQL keeps the digits of a
# numeric as they were written, so bid and ask read as the feed sent them.
_TICKS = """
SELECT seq, at_ms, received_at_ms, bid::text, ask::text, price, revision FROM quotes_tick
WHERE symbol_id = %(symbol_id)s AND at_ms >= %(from_ms)s AND at_ms < %(to_ms)s
ORDER BY at_ms, seq LIMIT %(limit)s"""

_CANDLES = """
SELECT start_ms, open, high, low, close, ticks, revision FROM quotes_candle
WHERE symbol_id = %(symbol_id)s AND interval_s = %(interval_s)s AND start_ms >= %(from_ms)s AND start_ms < %(to_ms)s
ORDER BY start_ms, revision"""

_CANDLES_JOINED = """
SELECT start_ms - mod(start_ms, %(length_ms)s::bigint) AS start_ms, (array_agg(open ORDER BY start_ms))[1], max(high),
       min(low), (array_agg(close ORDER BY start_ms DESC))[1], sum(ticks)::integer, revision
FROM quotes_candle
WHERE symbol_id = %(symbol_id)s AND interval_s = %(interval_s)s AND start_ms >= %(from_ms)s AND start_ms < %(to_ms)s
GROUP BY 1, revision ORDER BY 1, revision"""


@dataclass(frozen=True, slots=True)
class MarketRow:
    """A symbol's newest tick and the state of its market now; the price is scaled by ``price_scale``."""

    symbol_id: int
    code: str
    price_scale: int
    state: MarketState
    seq: int
    tick_at_ms: int | None
    tick_price: int | None


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """A symbol's public terms; money in minor units."""

    market: MarketRow
    name: str
    asset_class: str
    feed: str
    price_source: str
    payout_percent: int
    min_stake_minor: int
    max_stake_minor: int
    min_duration_s: int
    max_duration_s: int
    max_tick_age_ms: int
    entry_rule: str
    settlement_rule: str
    feed_custom: bool
    purchase_deadline_s: int
    exposure_cap_minor: int | None
    session_ends_ms: int | None


@dataclass(frozen=True, slots=True)
class SymbolLogRow:
    """Where a symbol's log stands, read before its rows: what lies behind the watermark will not change."""

    symbol_id: int
    price_scale: int
    tick_at_ms: int | None
    watermark_ms: int
    now_ms: int
    scales: dict[int, int]

    @property
    def end_ms(self) -> int:
        """Return an instant behind the newest tick and now; a tick may be a little ahead of our clock."""
        return max(self.now_ms, self.tick_at_ms or 0) + 1

    def is_closed(self, end_ms: int) -> bool:
        """Whether no tick before an instant can come any more."""
        return self.watermark_ms >= end_ms - 1 or (self.tick_at_ms is not None and self.tick_at_ms >= end_ms)


def markets() -> list[MarketRow]:
    """Return every symbol's newest tick and state, by one statement and the database's clock."""
    return [_market(row) for row in db.rows(_MARKETS)]


def symbols() -> list[SymbolRow]:
    """Return all symbols in the order of lists."""
    return [_symbol(row) for row in db.rows(_SYMBOLS, {"code": None})]


def symbol_by_code(code: str) -> SymbolRow:
    """Return a symbol.

    :raises Problem: ``symbol.unknown``
    """
    found = db.row(_SYMBOLS, {"code": _known_shape(code)})
    if found is None:
        raise errors.symbol_unknown()
    return _symbol(found)


def symbol_log(code: str) -> SymbolLogRow:
    """Return where a symbol's log stands.

    :raises Problem: ``symbol.unknown``
    """
    found = db.row(_LOG, {"code": _known_shape(code)})
    if found is None:
        raise errors.symbol_unknown()
    symbol_id, scale, tick_at_ms, watermark_ms, now_ms, revisions, scales = found
    return SymbolLogRow(
        symbol_id, scale, tick_at_ms, watermark_ms, now_ms, scales=dict(zip(revisions, scales, strict=True))
    )


def ticks_between(*, symbol_id: int, from_ms: int, to_ms: int, limit: int) -> list[tuple[Any, ...]]:
    """Return ticks ascending by seq: seq, at_ms, received_at_ms, bid, ask, price, revision; ``to_ms`` is exclusive."""
    return db.rows(_TICKS, {"symbol_id": symbol_id, "from_ms": from_ms, "to_ms": to_ms, "limit": limit})


def candles_between(*, symbol_id: int, interval_s: int, from_ms: int, to_ms: int) -> list[tuple[Any, ...]]:
    """Return candles by start: start_ms, open, high, low, close, ticks, revision; ``to_ms`` is exclusive.

    An interval in which a revision took effect has a row for each of them; the integers are of its price scale.
    """
    made_of_s = CANDLES_JOINED_S.get(interval_s)
    if made_of_s is None:
        return db.rows(_CANDLES, {"symbol_id": symbol_id, "interval_s": interval_s, "from_ms": from_ms, "to_ms": to_ms})
    length_ms = interval_s * 1000
    # Only whole intervals: those that begin at or after ``from`` and before ``to``.
    first_ms, end_ms = (-(-at_ms // length_ms) * length_ms for at_ms in (from_ms, to_ms))
    bounds = {"interval_s": made_of_s, "from_ms": first_ms, "to_ms": end_ms}
    return db.rows(_CANDLES_JOINED, {"symbol_id": symbol_id, "length_ms": length_ms} | bounds)


def payout_changes(*, code: str, cursor: Cursor | None, limit: int) -> Sequence[PayoutChange]:
    """Return changes of a symbol's payout, newest first.

    :raises Problem: ``symbol.unknown``
    """
    symbol = Symbol.objects.filter(code=_known_shape(code)).only("id").first()
    if symbol is None:
        raise errors.symbol_unknown()
    found = PayoutChange.objects.filter(symbol=symbol)
    if cursor is not None:
        number = int(cursor.id) if cursor.id.isdigit() else 0
        found = found.filter(at_ms__lte=cursor.at).exclude(at_ms=cursor.at, id__gte=number)
    return list(found.order_by("-at_ms", "-id")[:limit])


def log_begins_ms() -> int:
    """Return the instant from which on all ticks are in the log itself; older days are in the archive only."""
    newest = TickArchive.objects.filter(dropped_at_ms__isnull=False).order_by("-day").first()
    if newest is None:
        return 0
    return int(datetime.combine(newest.day + timedelta(days=1), time.min, UTC).timestamp()) * 1000


def _known_shape(code: str) -> str:
    if not _CODE.match(code):
        raise errors.symbol_unknown()
    return code


def _market(row: Sequence[Any]) -> MarketRow:
    now_ms, symbol_id, code, scale = row[:4]
    facts = MarketFacts(*row[4:17])
    state = market_state(facts, now_ms=now_ms)
    return MarketRow(symbol_id, code, scale, state, facts.tick_seq or 0, facts.tick_at_ms, facts.tick_price)


def _symbol(row: Sequence[Any]) -> SymbolRow:
    name, asset_class, feed, source, payout, least, most, shortest, longest, entry, settlement, *rest = row[17:]
    custom, declared, deadline_s, exposure_cap = rest
    return SymbolRow(
        market=_market(row),
        name=name,
        asset_class=asset_class,
        feed="custom" if declared else feed,
        price_source=source,
        payout_percent=payout,
        min_stake_minor=least,
        max_stake_minor=most,
        min_duration_s=shortest,
        max_duration_s=longest,
        max_tick_age_ms=row[16],
        entry_rule=entry,
        settlement_rule=settlement,
        feed_custom=custom,
        purchase_deadline_s=deadline_s,
        exposure_cap_minor=exposure_cap,
        session_ends_ms=MarketFacts(*row[4:17]).session_closes_ms,
    )
