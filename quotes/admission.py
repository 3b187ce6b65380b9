"""The write of the quote path: a batch of ticks becomes part of the log, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

import structlog
from django.db import connection, transaction
from msgspec import structs

from kernel import db
from kernel.clock import DB_NOW_MS_SQL, rfc3339
from kernel.failpoints import reach
from kernel.metrics import count
from kernel.money import format_scaled
from quotes import statements
from quotes.domain import (
    ADMISSION,
    CANDLES_STORED_S,
    Admission,
    AdmittedTick,
    Head,
    RaiseCause,
    RawTick,
    RecentTicks,
    Refusal,
    RefusedTick,
    admit,
    candle_spans,
)
from quotes.publishing import publish

log = structlog.get_logger(__name__)

_SAMPLES_PER_BATCH = 3
_SAMPLE_EVERY_MS = 60_000
_SAMPLED_NAMES = 1_000
_sampled_ms: dict[tuple[str, str, str], int] = {}


class LeadershipLostError(Exception):
    """Another parser wrote to a symbol's log: this one no longer leads and must stop writing."""


@dataclass(frozen=True, slots=True)
class SymbolTerms:
    """What admission needs of a symbol."""

    symbol_id: int
    code: str
    feed: str
    source: str
    price_scale: int
    price_source: str
    revision: int


@dataclass(slots=True)
class SymbolLog:
    """A parser's side of a symbol's log: the sequence it wrote last, and what it must not admit twice."""

    terms: SymbolTerms
    seq: int | None = None
    recent: RecentTicks = field(default_factory=RecentTicks)


@dataclass(slots=True)
class AdmittedBatch:
    """What a batch did, by symbol id."""

    by_symbol: dict[int, Admission]

    @property
    def admitted(self) -> int:
        """How many ticks were admitted."""
        return sum(len(result.admitted) for result in self.by_symbol.values())

    @property
    def refused(self) -> list[RefusedTick]:
        """All ticks that were refused."""
        return [tick for result in self.by_symbol.values() for tick in result.refused]


def ticks_admit(
    *, batch: Mapping[int, Sequence[RawTick]], logs: Mapping[int, SymbolLog], heartbeat_ms: int
) -> AdmittedBatch:
    """Judge and store ticks by symbol id; they are durable before anyone can trade on them.

    One transaction: heads locked by symbol, revisions compared, compare-and-set of seq, COPY of the ticks, candles,
    heads, raises. A tick that was received under another revision's terms, or lies before the revision, is refused.

    :param logs: the caller's side of each symbol's log; advanced only when the transaction commits
    :param heartbeat_ms: receive time of the newest packet of the connection that carries these symbols
    :raises LeadershipLostError: when a head's seq is not the one this parser wrote last; nothing is written
    """
    with transaction.atomic(durable=True):
        heads = _heads_locked(batch)
        reach("ticks.heads_locked")
        timely, revised = _revised_refused(batch, logs)
        _seqs_compare(timely, heads, logs)
        results = {}
        for symbol_id, ticks in sorted(timely.items()):
            terms = logs[symbol_id].terms
            results[symbol_id] = admit(
                head=heads[symbol_id],
                ticks=ticks,
                recent=logs[symbol_id].recent,
                price_source=terms.price_source,
                scale=terms.price_scale,
            )
            results[symbol_id].refused += revised[symbol_id]
        _ticks_copy(results, logs)
        reach("ticks.copied")
        told = {key: Admission(heads[key], refused=revised[key]) for key in revised.keys() - results.keys()} | results
        # The database writes the candles while Python prepares the heads.
        with db.pipelined():
            _candles_write(results, logs)
            reach("ticks.candles_written")
            _heads_write(results, heads, heartbeat_ms)
            reach("ticks.heads_written")
            refusals_record(
                [(logs[symbol_id].terms.feed, tick) for symbol_id, result in told.items() for tick in result.refused]
            )
            if any(result.admitted for result in results.values()):
                db.send("NOTIFY watermark")
        reach("ticks.written")
    reach("ticks.committed")
    for symbol_id, result in results.items():
        logs[symbol_id].seq = result.head.seq
    _publish(results, logs)
    reach("ticks.published")
    return AdmittedBatch(told)


def _heads_locked(batch: Mapping[int, Sequence[RawTick]]) -> dict[int, Head]:
    return {row[0]: Head(*row[1:]) for row in db.rows(statements.HEADS_LOCK, {"ids": sorted(batch)})}


def _revised_refused(
    batch: Mapping[int, Sequence[RawTick]], logs: Mapping[int, SymbolLog]
) -> tuple[dict[int, list[RawTick]], dict[int, list[RefusedTick]]]:
    """Part what may be judged from what the revisions in force do not take; a symbol of other terms is left out.

    A parser learns of a revision within a second. What it received before means something else, and its sequence says
    nothing about who leads: another feed may have written since.
    """
    found = {row[0]: row[1:] for row in db.rows(statements.REVISIONS_IN_FORCE, {"ids": sorted(batch)})}
    timely: dict[int, list[RawTick]] = {}
    refused: dict[int, list[RefusedTick]] = {}
    for symbol_id, ticks in batch.items():
        revision, since_ms = found[symbol_id]
        current = logs[symbol_id].terms.revision == revision
        if current:
            timely[symbol_id] = [tick for tick in ticks if tick.src_ms >= since_ms]
        refused[symbol_id] = [
            RefusedTick(tick, Refusal.REVISION) for tick in ticks if not (current and tick.src_ms >= since_ms)
        ]
    return timely, refused


def _seqs_compare(symbol_ids: Iterable[int], heads: Mapping[int, Head], logs: Mapping[int, SymbolLog]) -> None:
    for symbol_id in symbol_ids:
        expected, head = logs[symbol_id].seq, heads[symbol_id]
        if expected is not None and expected != head.seq:
            raise LeadershipLostError(f"{logs[symbol_id].terms.code} is at {head.seq}, not at {expected}")


def _ticks_copy(results: Mapping[int, Admission], logs: Mapping[int, SymbolLog]) -> None:
    lines = [
        f"{symbol_id}\t{tick.seq}\t{tick.at_ms}\t{tick.recv_ms}\t{_copied(tick.bid)}\t{_copied(tick.ask)}\t{tick.price}"
        f"\t{logs[symbol_id].terms.revision}\n"
        for symbol_id, result in results.items()
        for tick in result.admitted
    ]
    if not lines:
        return
    with connection.cursor() as cursor, cursor.copy(statements.TICKS_COPY) as copy:
        copy.write("".join(lines))


def _copied(quote: Decimal | None) -> str:
    """Return a quote as COPY reads it."""
    return "\\N" if quote is None else str(quote)


def _candles_write(results: Mapping[int, Admission], logs: Mapping[int, SymbolLog]) -> None:
    spans = [
        (symbol_id, span)
        for symbol_id, result in sorted(results.items())
        if result.admitted
        for span in candle_spans([(tick.at_ms, tick.price) for tick in result.admitted], CANDLES_STORED_S)
    ]
    if not spans:
        return
    db.send(
        statements.CANDLES_UPSERT,
        {
            "intervals": db.numbers_array(CANDLES_STORED_S),
            "ids": db.numbers_array(symbol_id for symbol_id, _ in spans),
            "revisions": db.numbers_array(logs[symbol_id].terms.revision for symbol_id, _ in spans),
            "shortest": db.numbers_array(span.shortest_s for _, span in spans),
            "longest": db.numbers_array(span.longest_s for _, span in spans),
            "at_ms": db.numbers_array(span.at_ms for _, span in spans),
            "opens": db.numbers_array(span.open for _, span in spans),
            "highs": db.numbers_array(span.high for _, span in spans),
            "lows": db.numbers_array(span.low for _, span in spans),
            "closes": db.numbers_array(span.close for _, span in spans),
            "counts": db.numbers_array(span.ticks for _, span in spans),
        },
    )


def _heads_write(results: Mapping[int, Admission], before: Mapping[int, Head], heartbeat_ms: int) -> None:
    ids = sorted(results)
    heads = [results[symbol_id].head for symbol_id in ids]
    db.send(
        statements.HEADS_WRITE,
        {
            "ids": db.numbers_array(ids),
            "seqs": db.numbers_array(head.seq for head in heads),
            "tick_at_ms": db.numbers_array(head.tick_at_ms for head in heads),
            "prices": db.numbers_array(head.tick_price for head in heads),
            "recv_ms": db.numbers_array(head.tick_recv_ms for head in heads),
            "watermarks": db.numbers_array(head.watermark_ms for head in heads),
            "candidates": db.numbers_array(head.candidate_price for head in heads),
            "candidate_ms": db.numbers_array(head.candidate_recv_ms for head in heads),
            "candidate_packets": db.numbers_array(head.candidate_packet for head in heads),
            "heartbeats": db.numbers_array(heartbeat_ms for _ in heads),
        },
    )
    raised = [symbol_id for symbol_id in ids if results[symbol_id].head.watermark_ms > before[symbol_id].watermark_ms]
    if raised:
        raises_write({symbol_id: results[symbol_id].head for symbol_id in raised}, RaiseCause.TICK)


def raises_write(heads: Mapping[int, Head], cause: RaiseCause) -> None:
    """Store raised watermarks with their cause; every raise is on record."""
    db.send(
        statements.RAISES_WRITE,
        {
            "ids": db.numbers_array(heads),
            "watermarks": db.numbers_array(head.watermark_ms for head in heads.values()),
            "causes": db.numbers_array([int(cause)] * len(heads)),
            "seqs": db.numbers_array(head.seq for head in heads.values()),
        },
    )


def watermarks_raise_to_expiry(*, targets: Mapping[int, int]) -> int:
    """Raise watermarks to overdue expiries (cause 3), in a committed step of its own before anything is decided.

    The database clock, read after the locks, must be past expiry and grace. A parser whose batch waited for the lock
    finds its ticks refused as late: it is fenced off.

    :param targets: expiry in Unix milliseconds by symbol id
    :return: how many symbols were raised
    """
    with transaction.atomic(durable=True):
        heads = {row[0]: Head(*row[1:]) for row in db.rows(statements.HEADS_LOCK, {"ids": sorted(targets)})}
        reach("fence.heads_locked")
        clock = db.row(f"SELECT {DB_NOW_MS_SQL}")
        assert clock is not None
        raised = {
            symbol_id: structs.replace(head, watermark_ms=targets[symbol_id])
            for symbol_id, head in heads.items()
            if head.watermark_ms < targets[symbol_id] and targets[symbol_id] + ADMISSION.grace_ms < clock[0]
        }
        if raised:
            db.run(
                statements.FENCE_RAISE,
                {"ids": list(raised), "watermarks": [head.watermark_ms for head in raised.values()]},
            )
            raises_write(raised, RaiseCause.SETTLEMENT)
            reach("fence.written")
    return len(raised)


def heartbeats_record(*, heartbeats: Mapping[int, int]) -> None:
    """Record upstream traffic by symbol id, and raise watermarks to the grace before it (cause 2)."""
    if not heartbeats:
        return
    ids = sorted(heartbeats)
    db.run(
        statements.HEARTBEATS_WRITE,
        {"ids": ids, "heartbeats": [heartbeats[key] for key in ids], "grace_ms": ADMISSION.grace_ms},
    )
    reach("heartbeats.recorded")


def refusals_record(refused: Iterable[tuple[str, RefusedTick]]) -> None:
    """Count refused ticks by feed, source and reason, and keep a few as samples."""
    refused = list(refused)
    if not refused:
        return
    counts: Counter[tuple[str, str, str]] = Counter()
    newest: dict[tuple[str, str, str], RawTick] = {}
    for feed, tick in refused:
        key = (feed, tick.tick.source[:64], tick.reason.value)
        counts[key] += 1
        newest[key] = tick.tick
        count("ticks_refused", feed=feed, reason=tick.reason.value)
    keys = sorted(counts)
    db.send(
        statements.REFUSALS_COUNT,
        {
            "feeds": [key[0] for key in keys],
            "sources": [key[1] for key in keys],
            "reasons": [key[2] for key in keys],
            "counts": [counts[key] for key in keys],
            "at": [newest[key].recv_ms for key in keys],
        },
    )
    sampled = list(islice((key for key in keys if _sample_due(key, newest[key].recv_ms)), _SAMPLES_PER_BATCH))
    if not sampled:
        return
    db.send(
        statements.REFUSALS_SAMPLE,
        {
            "feeds": [key[0] for key in sampled],
            "sources": [key[1] for key in sampled],
            "reasons": [key[2] for key in sampled],
            "src": [newest[key].src_ms for key in sampled],
            "recv": [newest[key].recv_ms for key in sampled],
            "details": [_detail(newest[key]) for key in sampled],
        },
    )


def _sample_due(key: tuple[str, str, str], now_ms: int) -> bool:
    """Whether a reason's last sample is a minute old: a feed that sends rubbish must not fill the table."""
    if now_ms - _sampled_ms.get(key, 0) < _SAMPLE_EVERY_MS:
        return False
    if len(_sampled_ms) >= _SAMPLED_NAMES:
        _sampled_ms.clear()
    _sampled_ms[key] = now_ms
    return True


def _detail(tick: RawTick) -> str:
    return f"bid {tick.bid} ask {tick.ask} last {tick.last} id {tick.source_id}"[:300]


def _publish(results: Mapping[int, Admission], logs: Mapping[int, SymbolLog]) -> None:
    """Tell the gateways; the log is the record, so a lost message loses nothing but time."""
    ticks = [
        _tick_message(logs[symbol_id].terms, tick) for symbol_id, result in results.items() for tick in result.admitted
    ]
    if ticks:
        publish("ticks", f'{{"ticks":[{",".join(ticks)}]}}'.encode())


def _tick_message(terms: SymbolTerms, tick: AdmittedTick) -> str:
    # Codes, times and prices hold nothing that JSON would have to escape.
    price = format_scaled(tick.price, terms.price_scale)
    return f'{{"symbol":"{terms.code}","seq":{tick.seq},"at":"{rfc3339(tick.at_ms)}","price":"{price}"}}'
