"""Feed gaps: when a symbol that is offered had no fresh tick, or no sign of life of its feed, in its sessions.

They are found in what is stored, a minute at a time, and published with the other incidents. A gap begins with the last
tick or sign before it, or with the session, and ends with the next one, or with the session. What an operator did does
not matter: a halted market has gaps, too. What the feed itself declared closed has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from kernel import db
from kernel.jobs import HOUR_MS, MINUTE_MS
from quotes.domain import ADMISSION, FEED_SILENT_MS, RaiseCause
from quotes.models import FeedGap, FeedWatch, Symbol
from quotes.spans import Span, spans_joined, spans_within, spans_without

NO_TICK, SILENT = "no_tick", "silent"
# How far back the search begins for a symbol that it does not know yet.
LOOK_BACK_MS = HOUR_MS
# After days without a scheduler there is much to read.
_STATEMENT_MS_MAX = 10 * MINUTE_MS

# A step is the time between two events that follow each other; the last row of a symbol tells how far it was seen.
_STEPS = """
WITH asked AS (
    SELECT * FROM unnest(%(ids)s::int[], %(since)s::bigint[], %(marks)s::bigint[], %(limits)s::bigint[])
        AS asked(symbol_id, since_ms, mark_ms, limit_ms)
), step AS (
    SELECT asked.symbol_id, asked.limit_ms, event.at_ms, event.mark_ms,
           lag(event.at_ms, 1, asked.since_ms) OVER (PARTITION BY asked.symbol_id ORDER BY event.at_ms) AS before_ms
    FROM asked CROSS JOIN LATERAL ({events}) AS event
)
SELECT symbol_id, before_ms, at_ms, NULL::bigint FROM step WHERE at_ms - before_ms > limit_ms
UNION ALL SELECT symbol_id, NULL, max(at_ms), max(mark_ms) FROM step GROUP BY symbol_id"""

_TICK_STEPS = _STEPS.format(
    events="""
    SELECT tick.at_ms, tick.at_ms AS mark_ms FROM quotes_tick AS tick
    WHERE tick.symbol_id = asked.symbol_id AND tick.at_ms > asked.since_ms AND tick.at_ms > %(least)s"""
)
# A watermark is raised by a tick or by a sign of life; what settlement raises says nothing of the feed.
_SIGN_STEPS = _STEPS.format(
    events=f"""
    SELECT raised.raised_at_ms AS at_ms, raised.watermark_ms AS mark_ms FROM quotes_watermark_raise AS raised
    WHERE raised.symbol_id = asked.symbol_id AND raised.watermark_ms > asked.mark_ms
      AND raised.raised_at_ms > asked.since_ms AND raised.raised_at_ms > %(least)s
      AND raised.cause <> {RaiseCause.SETTLEMENT.value}"""
)

# A window holds from when it was made until it is over or superseded.
_WINDOWS = """
SELECT calendar_id, greatest(opens_ms, made_at_ms), least(closes_ms, coalesce(superseded_at_ms, closes_ms))
FROM quotes_trading_window
WHERE calendar_id = ANY(%(ids)s) AND closes_ms > %(from_ms)s AND opens_ms < %(to_ms)s"""

_CLOSURES = """
SELECT symbol_id, at_ms, coalesce(until_ms, %(to_ms)s) FROM (
    SELECT symbol_id, at_ms, closed, lead(at_ms) OVER (PARTITION BY symbol_id ORDER BY at_ms, id) AS until_ms
    FROM quotes_feed_declaration WHERE symbol_id = ANY(%(ids)s)
) AS said WHERE closed"""

_STORE = """
INSERT INTO quotes_feed_gap AS known (symbol_id, kind, from_ms, to_ms, limit_ms)
SELECT * FROM unnest(%(symbols)s::int[], %(kinds)s::text[], %(from_ms)s::bigint[], %(to_ms)s::bigint[],
                     %(limits)s::bigint[])
ON CONFLICT (symbol_id, kind, from_ms) DO UPDATE SET to_ms = excluded.to_ms WHERE known.to_ms IS NULL"""


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap of a symbol; ``to_ms`` is None while it lasts, ``limit_ms`` is what it has exceeded."""

    symbol_id: int
    kind: str
    from_ms: int
    to_ms: int | None
    limit_ms: int


@dataclass(frozen=True, slots=True)
class _Search:
    """The events of one kind that are looked for, and how long their absence may last by symbol."""

    kind: str
    sql: str
    since: Mapping[int, int]
    marks: Mapping[int, int]
    limits: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Trading:
    """When symbols were to be traded: their sessions, None round the clock, without what their feed had closed."""

    sessions: Mapping[int, Sequence[Span] | None]
    closures: Mapping[int, Sequence[Span]]

    def parts(self, symbol_id: int, span: Span) -> Iterator[Span]:
        sessions = self.sessions[symbol_id]
        for held in [span] if sessions is None else spans_within(span, sessions):
            yield from spans_without(held, self.closures.get(symbol_id, ()))


@transaction.atomic
def gaps_find(*, now_ms: int) -> int:
    """Look at what was stored since the last call; store the gaps that began, last or ended.

    What lies within the grace of now may still change and is left to the next call.

    :return: how many gaps were stored or last
    """
    db.run(f"SET LOCAL statement_timeout = {_STATEMENT_MS_MAX}")
    symbols = list(Symbol.objects.filter(Q(offered_real=True) | Q(offered_demo=True)))
    known_ms = now_ms - ADMISSION.grace_ms
    watches = _watches(symbols, now_ms)
    tick_limits = {symbol.pk: symbol.max_tick_age_ms for symbol in symbols}
    ticks = {pk: watch.tick_at_ms for pk, watch in watches.items()}
    signs = {pk: watch.sign_ms for pk, watch in watches.items()}
    marks = {pk: watch.watermark_ms for pk, watch in watches.items()}
    trading = _trading(symbols, from_ms=min([*ticks.values(), *signs.values(), known_ms]), to_ms=known_ms)
    found: list[Gap] = []
    seen: dict[str, dict[int, tuple[int, int]]] = {}
    for search in (
        _Search(NO_TICK, _TICK_STEPS, ticks, ticks, tick_limits),
        _Search(SILENT, _SIGN_STEPS, signs, marks, dict.fromkeys(tick_limits, FEED_SILENT_MS)),
    ):
        steps, seen[search.kind] = _searched(search)
        found += _gaps(search, steps, seen[search.kind], trading, known_ms)
    _stored(found)
    for pk, watch in watches.items():
        watch.tick_at_ms = seen[NO_TICK].get(pk, (watch.tick_at_ms, 0))[0]
        watch.sign_ms, watch.watermark_ms = seen[SILENT].get(pk, (watch.sign_ms, watch.watermark_ms))
    FeedWatch.objects.bulk_update(watches.values(), ["tick_at_ms", "sign_ms", "watermark_ms"])
    _ended(found, watches, known_ms)
    return len(found)


def _watches(symbols: Sequence[Symbol], now_ms: int) -> dict[int, FeedWatch]:
    """Return how far each symbol was looked at; one that is not offered any more begins anew when it is again."""
    ids = [symbol.pk for symbol in symbols]
    FeedWatch.objects.exclude(symbol_id__in=ids).delete()
    known = set(FeedWatch.objects.values_list("pk", flat=True))
    begun = {
        symbol.pk: symbol.revisions.order_by("number").values_list("since_ms", flat=True)[0]
        for symbol in symbols
        if symbol.pk not in known
    }
    FeedWatch.objects.bulk_create(
        FeedWatch(symbol_id=pk, tick_at_ms=begin_ms, sign_ms=begin_ms, watermark_ms=0)
        for pk, since_ms in begun.items()
        for begin_ms in [max(since_ms or 0, now_ms - LOOK_BACK_MS)]
    )
    return FeedWatch.objects.in_bulk(ids)


def _searched(search: _Search) -> tuple[list[tuple[int, Span]], dict[int, tuple[int, int]]]:
    """Return the steps that are too long, by symbol, and the newest event and mark of the symbols that had any."""
    ids = sorted(search.limits)
    asked = {
        "ids": ids,
        "since": [search.since[pk] for pk in ids],
        "marks": [search.marks[pk] for pk in ids],
        "limits": [search.limits[pk] for pk in ids],
        "least": min(search.since.values(), default=0),
    }
    steps: list[tuple[int, Span]] = []
    seen: dict[int, tuple[int, int]] = {}
    for symbol_id, before_ms, at_ms, mark_ms in db.rows(search.sql, asked):
        if before_ms is None:
            seen[symbol_id] = (at_ms, mark_ms)
        else:
            steps.append((symbol_id, (before_ms, at_ms)))
    return steps, seen


def _gaps(
    search: _Search,
    steps: Sequence[tuple[int, Span]],
    seen: Mapping[int, tuple[int, int]],
    trading: _Trading,
    known_ms: int,
) -> Iterator[Gap]:
    """Cut steps to the time of trading; what is still too long is a gap, and lasts where it reaches what is known."""
    newest = {pk: seen[pk][0] if pk in seen else since_ms for pk, since_ms in search.since.items()}
    lasting = [(pk, (at_ms, known_ms)) for pk, at_ms in newest.items() if at_ms < known_ms]
    for may_last, found in ((False, steps), (True, lasting)):
        for symbol_id, step in found:
            limit_ms = search.limits[symbol_id]
            for begin, end in trading.parts(symbol_id, step):
                if end - begin > limit_ms:
                    to_ms = None if may_last and end == known_ms else end
                    yield Gap(symbol_id, search.kind, begin, to_ms, limit_ms)


def _trading(symbols: Sequence[Symbol], *, from_ms: int, to_ms: int) -> _Trading:
    span = {"from_ms": from_ms, "to_ms": to_ms}
    windows: dict[int, list[Span]] = defaultdict(list)
    calendars = sorted({symbol.calendar_id for symbol in symbols if symbol.calendar_id is not None})
    for calendar_id, opens_ms, closes_ms in db.rows(_WINDOWS, span | {"ids": calendars}):
        windows[calendar_id].append((opens_ms, closes_ms))
    closures: dict[int, list[Span]] = defaultdict(list)
    for symbol_id, begin, end in db.rows(_CLOSURES, span | {"ids": [symbol.pk for symbol in symbols]}):
        closures[symbol_id].append((begin, end))
    held = {calendar_id: spans_joined(windows[calendar_id]) for calendar_id in calendars}
    return _Trading(
        {symbol.pk: None if symbol.calendar_id is None else held[symbol.calendar_id] for symbol in symbols},
        {symbol_id: spans_joined(closed) for symbol_id, closed in closures.items()},
    )


def _stored(found: Sequence[Gap]) -> None:
    db.run(
        _STORE,
        {
            "symbols": [gap.symbol_id for gap in found],
            "kinds": [gap.kind for gap in found],
            "from_ms": [gap.from_ms for gap in found],
            "to_ms": [gap.to_ms for gap in found],
            "limits": [gap.limit_ms for gap in found],
        },
    )


def _ended(found: Sequence[Gap], watches: Mapping[int, FeedWatch], known_ms: int) -> None:
    """End the gaps that nothing confirms any more: the symbol is not offered, or may be without ticks for longer."""
    lasting = {(gap.symbol_id, gap.kind, gap.from_ms) for gap in found if gap.to_ms is None}
    for gap in FeedGap.objects.filter(to_ms__isnull=True):
        if (gap.symbol_id, gap.kind, gap.from_ms) in lasting:
            continue
        watch = watches.get(gap.symbol_id)
        newest_ms = 0 if watch is None else watch.tick_at_ms if gap.kind == NO_TICK else watch.sign_ms
        gap.to_ms = newest_ms if newest_ms > gap.from_ms else max(known_ms, gap.from_ms + 1)
        gap.save(update_fields=["to_ms"])
