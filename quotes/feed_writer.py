"""The database side of one feed: symbols, logs, writes and heartbeats, all on one thread and one session."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import psycopg
import structlog
from django.conf import settings as django_settings
from django.db import Error as DjangoDatabaseError
from django.db import connection

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.failpoints import reach
from quotes.adapters.upstream import Declaration, Wanted
from quotes.admission import SymbolLog, SymbolTerms, heartbeats_record, refusals_record, ticks_admit
from quotes.declarations import declarations_store
from quotes.domain import RawTick, RecentTicks, Refusal, RefusedTick
from quotes.feeds import FeedSettings, endpoint_allowed
from quotes.inbox import Cargo
from quotes.leadership import Leadership
from quotes.receive_clock import ReceiveClock

log = structlog.get_logger(__name__)

# COPY speaks to the driver directly, so its errors come without Django's wrapping.
DATABASE_ERRORS = (DjangoDatabaseError, psycopg.Error)
PARTITIONS_EVERY_S = 3_600
_REFUSALS_HELD = 5_000
_UNKNOWN_NAMES = 200
_OTHER = "(other)"

_SYMBOLS = """
SELECT symbol.id, symbol.code, symbol.feed, symbol.source, symbol.price_scale, symbol.price_source, symbol.revision,
       head.tick_price, revision.endpoint
FROM quotes_symbol AS symbol JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
JOIN quotes_symbol_revision AS revision ON revision.symbol_id = symbol.id AND revision.number = symbol.revision
WHERE symbol.feed = %(feed)s ORDER BY symbol.id"""

# Whoever reads the terms of a symbol must know that its prices come from elsewhere than its feed's own endpoint.
_CUSTOM = "UPDATE quotes_symbol SET custom = true WHERE id = ANY(%(ids)s) AND NOT custom"

_SEQS = "SELECT symbol_id, seq FROM quotes_symbol_head WHERE symbol_id = ANY(%(ids)s)"

_NEWEST_TICKS = """
SELECT head.symbol_id, tick.at_ms, tick.bid, tick.ask, tick.price
FROM quotes_symbol_head AS head CROSS JOIN LATERAL (
    SELECT at_ms, seq, bid, ask, price FROM quotes_tick
    WHERE symbol_id = head.symbol_id ORDER BY at_ms DESC, seq DESC LIMIT 200
) AS tick
WHERE head.symbol_id = ANY(%(ids)s) ORDER BY head.symbol_id, tick.seq"""

_CLOCK_SANE = """
WITH locked AS MATERIALIZED (
    SELECT symbol_id FROM quotes_symbol_head
    WHERE symbol_id = ANY(%(ids)s) AND clock_sane <> %(sane)s ORDER BY symbol_id FOR NO KEY UPDATE
)
UPDATE quotes_symbol_head AS head SET clock_sane = %(sane)s FROM locked WHERE head.symbol_id = locked.symbol_id"""

_PARTITIONS = """
SELECT quotes_partition_ensure((now() AT TIME ZONE 'UTC')::date + ahead) FROM generate_series(-1, 3) AS ahead"""

_STATUS = f"""
INSERT INTO quotes_feed_status (feed, endpoint, connected, detail, last_packet_ms, clock_offset_ms,
                                process_heartbeat_ms, pid)
VALUES (%(feed)s, %(endpoint)s, %(connected)s, %(detail)s, %(last_packet_ms)s, %(clock_offset_ms)s, {DB_NOW_MS_SQL},
        %(pid)s)
ON CONFLICT (feed) DO UPDATE SET
    endpoint = excluded.endpoint, connected = excluded.connected, detail = excluded.detail,
    last_packet_ms = coalesce(excluded.last_packet_ms, quotes_feed_status.last_packet_ms),
    clock_offset_ms = excluded.clock_offset_ms, process_heartbeat_ms = excluded.process_heartbeat_ms,
    pid = excluded.pid"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a feed's symbols a parser serves; an empty set means all. ``sources`` are upstream symbols."""

    codes: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def serves(self, terms: SymbolTerms) -> bool:
        """Whether a symbol is among the chosen."""
        return (not self.codes or terms.code in self.codes) and (not self.sources or terms.source in self.sources)


@dataclass(frozen=True, slots=True)
class Report:
    """How a feed's connection is, once a second."""

    connected: bool
    detail: str
    alive_ms: int | None
    clock_offset_ms: int | None
    clock_sane: bool


class FeedWriter:
    """Writes one feed's ticks while it leads. Every method runs on the feed's own thread."""

    def __init__(self, *, settings: FeedSettings, clock: ReceiveClock, choice: Choice) -> None:
        self.wanted: Mapping[str, Wanted] = {}
        self._settings = settings
        self._feed = settings.feed
        self._clock = clock
        self._choice = choice
        self._leadership = Leadership(f"feed:{self._feed.name}", choice.sources or choice.codes)
        self._logs: dict[int, SymbolLog] = {}
        self._routes: dict[str, list[SymbolTerms]] = {}
        self._refused: list[RefusedTick] = []
        self._unknown: set[str] = set()
        self._barred: set[str] = set()
        self._words: dict[str | None, Declaration] = {}
        self._clock_sane: bool | None = None
        self._beaten_ms: int | None = None
        self._partitioned_s = 0.0

    def lead(self) -> bool:
        """Try to become the feed's only writer; then learn where the logs stand from the database."""
        if not self._leadership.take():
            return False
        self._anchor()
        self._partitions_ensure()
        self._logs, self._routes, self.wanted = {}, {}, {}
        self._clock_sane = None
        self._symbols_read()
        reach("feed.leads")
        log.info("feed_leads", feed=self._feed.name, symbols=len(self._logs))
        return True

    def write(self, cargo: Cargo) -> None:
        """Admit what was received.

        :raises LeadershipLostError: when another parser has written, or the session that held the lock is gone
        """
        self._leadership_require()
        reach("ticks.received")
        # A market that is closed or not to be trusted any more is so before the ticks that came with the news.
        self._clock_tell(cargo.clock_sane)
        self._declare(cargo.declared)
        self._refused.extend(cargo.refused)
        batch: dict[int, list[RawTick]] = {}
        for tick in cargo.ticks:
            if not self._clock.trusted:
                self._refused.append(RefusedTick(tick, Refusal.CLOCK))
            else:
                self._route(tick, batch)
        if batch:
            ticks_admit(batch=batch, logs=self._logs, heartbeat_ms=cargo.alive_ms or 0)
        if len(self._refused) > _REFUSALS_HELD:
            self._refusals_write()

    def beat(self, report: Report) -> None:
        """Do what is due each second: heartbeats, status, clock, counts, symbols, and the days ahead."""
        self._leadership_require()
        self._anchor()
        self._clock_tell(report.clock_sane)
        if report.alive_ms is not None and report.alive_ms != self._beaten_ms:
            if self._clock.trusted:
                heartbeats_record(heartbeats=dict.fromkeys(self._logs, report.alive_ms))
            self._beaten_ms = report.alive_ms
        self._status_write(report)
        self._refusals_write()
        self._symbols_read()
        self._partitions_ensure()

    def forget(self) -> None:
        """Forget what the feed said on a connection that is given up; it says it again on the next one."""
        self._words = {}

    def leave(self) -> None:
        """Give up the feed and the session, whatever state they are in."""
        try:
            self._leadership.leave()
        except DATABASE_ERRORS as error:
            log.info("feed_session_gone", feed=self._feed.name, error=str(error))
        finally:
            connection.close()

    def _leadership_require(self) -> None:
        if not self._leadership.held:
            raise psycopg.OperationalError("the session that leads this feed is gone")

    def _clock_tell(self, sane: bool) -> None:
        """Write whether the source's clock is near ours, with the first write that knows."""
        if sane is self._clock_sane:
            return
        if self._clock_sane is not None or not sane:
            log.warning("feed_clock", feed=self._feed.name, sane=sane)
        db.run(_CLOCK_SANE, {"ids": sorted(self._logs), "sane": sane})
        self._clock_sane = sane

    def _declare(self, declared: Sequence[Declaration]) -> None:
        said: dict[int, list[Declaration]] = {}
        for word in declared:
            if word.source is None:
                self._words = {None: word}
                found: Iterable[int] = self._logs
            else:
                key = self._feed.key(word.source)
                self._words[key] = word
                found = [terms.symbol_id for terms in self._routes.get(key, ())]
            for symbol_id in found:
                said.setdefault(symbol_id, []).append(word)
        if said:
            declarations_store(declared=said, logs=self._logs)

    def _declare_again(self, fresh: Iterable[int]) -> None:
        """Tell symbols that came later what the feed said before."""
        said: dict[int, list[Declaration]] = {}
        for symbol_id in fresh:
            keys = (None, self._feed.key(self._logs[symbol_id].terms.source))
            words = [self._words[key] for key in keys if key in self._words]
            if words:
                said[symbol_id] = words
        if said:
            declarations_store(declared=said, logs=self._logs)

    def _anchor(self) -> None:
        if not self._clock.observe(_database_ms):
            log.warning("feed_clock_stepped", feed=self._feed.name)

    def _partitions_ensure(self) -> None:
        now_s = self._clock.now_ms() / 1000
        if now_s - self._partitioned_s > PARTITIONS_EVERY_S:
            db.rows(_PARTITIONS)
            self._partitioned_s = now_s

    def _status_write(self, report: Report) -> None:
        db.run(
            _STATUS,
            {
                "feed": self._feed.name,
                "endpoint": self._settings.endpoint[:300],
                "connected": report.connected,
                "detail": report.detail[:200],
                "last_packet_ms": report.alive_ms,
                "clock_offset_ms": report.clock_offset_ms,
                "pid": os.getpid(),
            },
        )

    def _route(self, tick: RawTick, batch: dict[int, list[RawTick]]) -> None:
        routes = self._routes.get(self._feed.key(tick.source))
        if routes is None:
            self._refused.append(RefusedTick(tick, Refusal.UNKNOWN_SYMBOL))
            return
        for terms in routes:
            serves = tick.last is not None if terms.price_source == "last" else tick.bid is not None or tick.serves_all
            if serves:
                batch.setdefault(terms.symbol_id, []).append(tick)

    def _refusals_write(self) -> None:
        refused, self._refused = self._refused, []
        refusals_record((self._feed.name, self._named(one)) for one in refused)

    def _named(self, refused: RefusedTick) -> RefusedTick:
        """Keep the number of names that strangers can make us count by bounded."""
        tick = refused.tick
        if self._feed.key(tick.source) in self._routes or tick.source in self._unknown:
            return refused
        if len(self._unknown) < _UNKNOWN_NAMES:
            self._unknown.add(tick.source)
            return refused
        other = RawTick(_OTHER, tick.packet, tick.src_ms, tick.recv_ms, tick.bid, tick.ask, tick.last, tick.source)
        return RefusedTick(other, refused.reason)

    def _symbols_read(self) -> None:
        found: dict[int, tuple[SymbolTerms, int | None]] = {}
        for *columns, tick_price, recorded in db.rows(_SYMBOLS, {"feed": self._feed.name}):
            terms = SymbolTerms(*columns)
            if self._choice.serves(terms) and self._endpoint_allows(terms, recorded):
                found[terms.symbol_id] = (terms, tick_price)
        if {key: log_.terms for key, log_ in self._logs.items()} == {key: terms for key, (terms, _) in found.items()}:
            return
        # After a revision the log is read anew: another feed may have written to it meanwhile.
        known = {
            key: log_
            for key, log_ in self._logs.items()
            if key in found and found[key][0].revision == log_.terms.revision
        }
        fresh = [key for key in found if key not in known]
        self._logs = known | self._logs_read({key: found[key][0] for key in fresh})
        for key, (terms, _) in found.items():
            self._logs[key].terms = terms
        self._routes, self.wanted = {}, {}
        for terms, tick_price in found.values():
            self._want(terms, tick_price)
        if self._settings.override and db.run(_CUSTOM, {"ids": sorted(found)}):
            log.warning("feed_endpoint_overridden", feed=self._feed.name, endpoint=self._settings.override)
        if fresh:
            self._clock_sane = None
            self._declare_again(fresh)

    def _endpoint_allows(self, terms: SymbolTerms, recorded: str) -> bool:
        """Serve no symbol from another endpoint than its revision's where custom feeds are refused; tell it once."""
        production = not django_settings.CUSTOM_FEEDS_ON_REAL
        if endpoint_allowed(recorded, self._settings.override, production=production):
            self._barred.discard(terms.code)
            return True
        if terms.code not in self._barred:
            self._barred.add(terms.code)
            log.error(
                "feed_endpoint_not_on_record", symbol=terms.code, recorded=recorded, endpoint=self._settings.override
            )
        return False

    def _want(self, terms: SymbolTerms, tick_price: int | None) -> None:
        key = self._feed.key(terms.source)
        self._routes.setdefault(key, []).append(terms)
        routes = self._routes[key]
        self.wanted = {
            **self.wanted,
            key: Wanted(
                quotes=any(route.price_source == "mid" for route in routes),
                trades=any(route.price_source == "last" for route in routes),
                last_price=None if tick_price is None else Decimal(tick_price).scaleb(-terms.price_scale),
            ),
        }

    def _logs_read(self, fresh: Mapping[int, SymbolTerms]) -> dict[int, SymbolLog]:
        if not fresh:
            return {}
        ids = {"ids": sorted(fresh)}
        recent = {key: RecentTicks() for key in fresh}
        for symbol_id, at_ms, bid, ask, price in db.rows(_NEWEST_TICKS, ids):
            recent[symbol_id].remember_key(at_ms, bid, ask, price)
        return {key: SymbolLog(fresh[key], seq, recent[key]) for key, seq in db.rows(_SEQS, ids)}


def _database_ms() -> int:
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])
