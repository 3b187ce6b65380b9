"""A parser, as ``quotes.feed_runner``, ``feed_writer``, ``admission`` and ``declarations`` are one together.

The receive clock, the inbox, admission and the instant of a declaration are the product's own. Simulated are the
transaction that ``ticks_admit`` runs, heartbeats, leadership as an advisory lock of the session, and what the process
does between them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from bench.simulator.build import Build
from bench.simulator.database import Database, Session, SessionGoneError, Transaction
from bench.simulator.rows import DeclarationRow, HeadRow, RaiseRow, SymbolRow
from bench.simulator.upstream import Upstream
from bench.simulator.world import Process, Step, Steps, Wait, World
from quotes.adapters.upstream import Declaration, Packet
from quotes.domain import Admission, RaiseCause, RawTick, RecentTicks, Refusal
from quotes.inbox import Cargo, Inbox
from quotes.receive_clock import ReceiveClock
from settlement.domain import Tick

WINDOW_MS = 50
BEAT_MS = 1_000
STANDBY_MS = 500
RECENT = 200
# The server ends a leader's session that says nothing for this long (``quotes.leadership.SILENT_MS``).
SILENT_MS = 3_000


class LeadershipLostError(Exception):
    """Another parser wrote to a symbol's log."""


@dataclass(frozen=True, slots=True)
class AdmittedNote:
    """What the judge is told of a batch: the head it met, what was received, and the real rule's answer.

    :param term: which parser leads for which time; source ids are remembered for one term
    """

    symbol: SymbolRow
    before: HeadRow
    ticks: Sequence[RawTick]
    result: Admission
    term: tuple[str, int]


@dataclass(slots=True)
class _Log:
    symbol: SymbolRow
    seq: int
    recent: RecentTicks


@dataclass(slots=True)
class Parser:
    """One parser process; two of them want to lead a feed."""

    world: World
    database: Database
    build: Build
    name: str
    upstream: Upstream
    process: Process = field(init=False)
    _draws: random.Random = field(init=False)
    _monotonic_offset_ms: float = 0.0
    _terms: int = 0
    _clock: ReceiveClock = field(init=False)
    _inbox: Inbox = field(init=False)
    _session: Session | None = None
    _logs: dict[int, _Log] = field(default_factory=dict)
    _words: dict[str | None, Declaration] = field(default_factory=dict)
    _clock_sane: bool | None = None
    _beaten_ms: int | None = None
    _unread: list[Callable[[int], Packet]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draws = self.world.draws(f"parser {self.name}")
        # Every process has its own monotonic clock, with an origin of its own.
        self._monotonic_offset_ms = self._draws.uniform(0, 1e6)
        self.process = Process(self.name, self._run, self._gone, crash_chance=0.0004)

    @property
    def leads(self) -> bool:
        """Whether this process hears its feed."""
        return self.upstream.hears(self.name)

    def stopped(self, for_ms: int) -> None:
        """Stop the process; the server ends its session when it has said nothing for too long."""
        self.world.seen["parser stopped"] += 1
        self.world.say(self.name, "is stopped for {} ms", for_ms)
        self.world.stop(self.process, for_ms)
        session = self._session
        if session is not None and for_ms > SILENT_MS:
            self.world.later(SILENT_MS, session.end)
        self.world.later(for_ms, self._read_socket)

    def _gone(self) -> None:
        if self._session is not None:
            self._session.end()
        self.process.stopped_until_ms = 0
        self.upstream.disconnect(self.name)

    def _run(self) -> Steps:
        self._clock = ReceiveClock(lambda: (self.world.now_ms + self._monotonic_offset_ms) / 1000)
        self._inbox, self._session, self._unread = Inbox(), None, []
        self._clock_sane = self._beaten_ms = None
        self._words = {}
        while True:
            try:
                if (yield from self._lead()):
                    yield from self._write_on()
            except LeadershipLostError:
                self.world.seen["leadership lost"] += 1
                self._leave()
            except SessionGoneError:
                self._leave()
                self._inbox.drop()
                yield Step("backs off", self._draws.choice((250, 500, 2_000)))
                self._inbox.drop()
                continue
            self._stand_by()
            yield Step("stands by", STANDBY_MS)

    def _stand_by(self) -> None:
        self.upstream.disconnect(self.name)
        self._unread.clear()
        self._inbox.forget()
        self._words = {}

    def _leave(self) -> None:
        if self._session is not None:
            self._session.end()
        self._session = None

    def _lead(self) -> Steps:
        """Take the feed's lock and learn where the logs stand (``FeedWriter.lead``)."""
        if self._session is None or self._session.gone:
            self._session = Session(self.database, self.name)
        if not self._session.lead(self.upstream.name):
            return False
        yield Step("leads", self._takes())
        self._clock.observe(self.database.now_ms)
        self._clock_sane, self._logs = None, {}
        self._terms += 1
        self._session.require()
        for symbol in self._symbols():
            ticks = self.database.log(("raw", symbol.id))[-RECENT:]
            recent = RecentTicks()
            for tick in ticks:
                recent.remember_key(tick.at_ms, tick.bid, tick.ask, tick.price)
            self._logs[symbol.id] = _Log(symbol, self._head(symbol.id).head.seq, recent)
        yield from self._declare(self._session, self._said_before())
        self.world.seen["led"] += 1
        if not self.leads:
            self.upstream.connect(self.name, self._receive)
        return True

    def _symbols(self) -> list[SymbolRow]:
        return [row for row in self.database.table("symbol").values() if row.feed == self.upstream.name]

    def _head(self, symbol_id: int) -> HeadRow:
        row: HeadRow = self.database.table("head")[symbol_id]
        return row

    def _receive(self, packet: Callable[[int], Packet]) -> None:
        """Stamp what arrives; a process that is stopped finds it in its socket later."""
        if self.process.stopped_until_ms > self.world.now_ms:
            self._unread.append(packet)
            return
        made = packet(self._clock.now_ms())
        self._inbox.put(made)
        if made.ticks or made.declared:
            self.world.tell(("inbox", self.name))

    def _read_socket(self) -> None:
        if self.process.stopped_until_ms > self.world.now_ms:
            return
        unread, self._unread = self._unread, []
        for packet in unread:
            self._receive(packet)

    def _write_on(self) -> Steps:
        """Write what comes, at most every 50 ms, and beat each second (``FeedRunner._write_on``)."""
        beat_at_ms = 0
        while True:
            if not self._inbox_holds():
                yield Wait(("inbox", self.name), max(1, beat_at_ms - self.world.now_ms))
            started_ms = self.world.now_ms
            yield from self._write()
            if started_ms >= beat_at_ms:
                yield from self._beat()
                beat_at_ms = started_ms + BEAT_MS
            yield Step("waits for more", max(0, WINDOW_MS - (self.world.now_ms - started_ms)))

    def _inbox_holds(self) -> bool:
        return bool(self._inbox._ticks or self._inbox._refused or self._inbox._declared)

    def _write(self) -> Steps:
        cargo = self._inbox.take()
        if not cargo:
            return
        yield Step("has taken what was received", self._takes())
        try:
            yield from self._write_cargo(cargo)
        except SessionGoneError:
            self._inbox.keep(cargo.declared)
            raise

    def _write_cargo(self, cargo: Cargo) -> Steps:
        """Write a cargo in the order of ``FeedWriter.write``."""
        session = self._leading()
        yield from self._clock_tell(session, cargo.clock_sane)
        yield from self._declare(session, self._said(cargo.declared))
        if cargo.ticks and not self._clock.trusted:
            self.world.seen[f"refused: {Refusal.CLOCK}"] += len(cargo.ticks)
        elif cargo.ticks:
            yield from self._ticks_admit(session, self._routed(cargo.ticks), cargo.alive_ms or 0)

    def _leading(self) -> Session:
        """Return the session that leads.

        :raises SessionGoneError: it is gone, and with it the right to write
        """
        assert self._session is not None
        if self._session.gone and not self.build.fenced:
            self._session = Session(self.database, self.name)
        self._session.require()
        return self._session

    def _routed(self, ticks: Sequence[RawTick]) -> dict[int, list[RawTick]]:
        batch: dict[int, list[RawTick]] = {}
        for tick in ticks:
            for log in self._logs.values():
                serves = tick.last is not None if log.symbol.price_source == "last" else tick.bid is not None
                if serves and log.symbol.code == tick.source:
                    batch.setdefault(log.symbol.id, []).append(tick)
        return batch

    def _ticks_admit(self, session: Session, batch: Mapping[int, list[RawTick]], heartbeat_ms: int) -> Steps:
        """Judge and store ticks in one transaction under the heads' locks (``quotes.admission.ticks_admit``)."""
        transaction = session.begin()
        heads = {}
        if not self.build.head_locked:
            heads = {key: transaction.read("head", key) for key in batch}
            yield Step("has read heads", self._takes())
        yield from transaction.lock("head", sorted(batch))
        heads = heads or {key: transaction.read("head", key) for key in batch}
        for key, head in heads.items():
            if self.build.fenced and self._logs[key].seq != head.head.seq:
                transaction.roll_back()
                raise LeadershipLostError(self._logs[key].symbol.code)
        yield Step("admits", self._takes())
        results = {}
        for key, ticks in sorted(batch.items()):
            results[key] = self._judged(transaction, key, heads[key], ticks)
        yield Step("has written ticks", self._takes())
        if not self.build.ticks_at_once:
            transaction.commit()
            yield Step("has stored ticks without their heads", self._takes())
            transaction = session.begin()
        for key, result in results.items():
            self._head_write(transaction, key, heads[key], result, heartbeat_ms)
        if any(result.admitted for result in results.values()):
            transaction.notify("watermark")
        yield Step("commits ticks", self._takes())
        transaction.commit()
        for key, result in results.items():
            self._logs[key].seq = result.head.seq
        yield Step("has committed ticks")

    def _judged(self, transaction: Transaction, key: int, head: HeadRow, ticks: list[RawTick]) -> Admission:
        symbol, recent = self._logs[key].symbol, self._logs[key].recent
        result: Admission = self.build.admit(
            head=head.head, ticks=ticks, recent=recent, price_source=symbol.price_source, scale=symbol.price_scale
        )
        for refused in result.refused:
            self.world.seen[f"refused: {refused.reason}"] += 1
        self.world.seen["admitted"] += len(result.admitted)
        transaction.append(("raw", key), result.admitted)
        transaction.append(("tick", key), [Tick(tick.seq, tick.at_ms, tick.price, 1) for tick in result.admitted])
        transaction.notes.append(AdmittedNote(symbol, head, ticks, result, (self.name, self._terms)))
        return result

    def _head_write(
        self, transaction: Transaction, key: int, before: HeadRow, result: Admission, heartbeat_ms: int
    ) -> None:
        heartbeat_ms = max(before.heartbeat_ms or 0, heartbeat_ms)
        transaction.write("head", key, replace(before, head=result.head, heartbeat_ms=heartbeat_ms))
        if result.head.watermark_ms > before.head.watermark_ms:
            row = RaiseRow(result.head.watermark_ms, RaiseCause.TICK, self.database.now_ms())
            transaction.append(("raise", key), [row])

    def _beat(self) -> Steps:
        """Do what is due each second (``FeedRunner._beat``, ``FeedWriter.beat``)."""
        # Everything received until the sign of life that is told here has been written before.
        alive_ms = self._inbox.alive_ms
        yield from self._write()
        session = self._leading()
        self._clock.observe(self.database.now_ms)
        yield from self._clock_tell(session, self._inbox.clock_sane)
        yield Step("beats", self._takes())
        if alive_ms is not None and alive_ms != self._beaten_ms:
            if self._clock.trusted:
                yield from self._heartbeats_record(session, alive_ms)
            self._beaten_ms = alive_ms

    def _heartbeats_record(self, session: Session, alive_ms: int) -> Steps:
        """Raise watermarks to the grace before a sign of life (``quotes.statements.HEARTBEATS_WRITE``)."""
        transaction = session.begin()
        yield from transaction.lock("head", sorted(self._logs))
        for key in self._logs:
            before: HeadRow = transaction.read("head", key)
            watermark_ms = max(before.head.watermark_ms, alive_ms - self.build.heartbeat_grace_ms)
            head = structs.replace(before.head, watermark_ms=watermark_ms)
            heartbeat_ms = max(before.heartbeat_ms or 0, alive_ms)
            transaction.write("head", key, replace(before, head=head, heartbeat_ms=heartbeat_ms))
            if watermark_ms > before.head.watermark_ms:
                row = RaiseRow(watermark_ms, RaiseCause.HEARTBEAT, self.database.now_ms(), alive_ms)
                transaction.append(("raise", key), [row])
        transaction.commit()
        yield Step("has recorded a heartbeat")

    def _clock_tell(self, session: Session, sane: bool) -> Steps:
        """Write whether the source's clock is near ours, with the first write that knows."""
        if sane is not self._clock_sane:
            transaction = session.begin()
            yield from transaction.lock("head", sorted(self._logs))
            for key in self._logs:
                transaction.write("head", key, replace(transaction.read("head", key), clock_sane=sane))
            transaction.commit()
            self._clock_sane = sane

    def _said(self, declared: Sequence[Declaration]) -> dict[int, list[Declaration]]:
        """Return words by symbol, and keep the newest of each for whoever leads next on this connection."""
        said: dict[int, list[Declaration]] = {}
        for word in declared:
            self._words = {None: word} if word.source is None else {**self._words, word.source: word}
            for log in self._logs.values():
                if word.source in (None, log.symbol.code):
                    said.setdefault(log.symbol.id, []).append(word)
        return said

    def _said_before(self) -> dict[int, list[Declaration]]:
        said = {}
        for key, log in self._logs.items():
            said[key] = [self._words[source] for source in (None, log.symbol.code) if source in self._words]
        return {key: words for key, words in said.items() if words}

    def _declare(self, session: Session, said: Mapping[int, Sequence[Declaration]]) -> Steps:
        """Store the feed's words on its markets under the heads' locks (``quotes.declarations.declarations_store``)."""
        if not said:
            return
        transaction = session.begin()
        yield from transaction.lock("head", sorted(said))
        for key, words in said.items():
            head: HeadRow = transaction.read("head", key)
            if self.build.fenced and self._logs[key].seq != head.head.seq:
                transaction.roll_back()
                raise LeadershipLostError(self._logs[key].symbol.code)
            self._words_store(transaction, key, head, words)
        yield Step("commits the feed's word", self._takes())
        transaction.commit()

    def _words_store(self, transaction: Transaction, key: int, head: HeadRow, words: Sequence[Declaration]) -> None:
        earlier: list[DeclarationRow] = self.database.log(("declaration", key))
        newest_ms, closed = max((row.at_ms for row in earlier), default=0), head.closed_by_feed is not None
        for word in words:
            if word.closed == closed:
                continue
            closed = word.closed
            newest_ms = self.build.declared_at_ms(
                word, watermark_ms=head.head.watermark_ms, newest_ms=newest_ms, now_ms=self.database.now_ms()
            )
            transaction.append(("declaration", key), [DeclarationRow(newest_ms, closed)])
            self.world.seen["declared closed" if closed else "declared open"] += 1
        transaction.write("head", key, replace(head, closed_by_feed="maintenance" if closed else None))

    def _takes(self) -> int:
        """Return how long a step takes: mostly nothing to speak of, at times very long."""
        drawn = self._draws.random()
        return 0 if drawn < 0.6 else self._draws.randint(1, 6) if drawn < 0.985 else self._draws.randint(50, 900)
