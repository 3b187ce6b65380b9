"""The database side of a feed: who may write, what is counted, which signs of life count (rules 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from kernel import db
from quotes.adapters.upstream import Declaration, Packet, malformed
from quotes.admission import LeadershipLostError
from quotes.domain import ADMISSION, RawTick
from quotes.feed_writer import Choice, FeedWriter, Report
from quotes.feeds import BINANCE, SCRIPT, FeedSettings
from quotes.inbox import OFFSETS_LEAST, TICKS_MAX, Cargo, Inbox
from quotes.leadership import Leadership
from quotes.receive_clock import ReceiveClock
from tests.quotes.market import Market, code_new, database_now_ms
from tests.quotes.running import seq_of
from tests.quotes.ticks import raw

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def leading(choice: Choice | None = None, feed: Any = SCRIPT) -> Iterator[tuple[FeedWriter, ReceiveClock]]:
    """Lead a feed on this thread's session."""
    clock = ReceiveClock()
    writer = FeedWriter(settings=FeedSettings(feed), clock=clock, choice=choice or Choice())
    try:
        assert writer.lead()
        yield writer, clock
    finally:
        writer.leave()


def elsewhere(job: Callable[[], Any]) -> Any:
    """Run a job on another thread, thus in another session, and end that session."""

    def run() -> Any:
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result(10)


def cargo(*ticks: RawTick) -> Cargo:
    """Return ticks that came just now."""
    return Cargo(list(ticks), [], database_now_ms())


def report(alive_ms: int | None, *, clock_sane: bool = True) -> Report:
    """Return a connected feed's report."""
    return Report(connected=True, detail="", alive_ms=alive_ms, clock_offset_ms=None, clock_sane=clock_sane)


def counts() -> dict[tuple[str, str], int]:
    """Return how many ticks were refused, by source and reason."""
    return {
        (source, reason): n for source, reason, n in db.rows("SELECT source, reason, count FROM quotes_refusal_count")
    }


def test_one_leader_per_feed() -> None:
    """Architecture, quote parser: the lock lives on the session that writes, and goes with it."""
    here = Leadership("feed:x")

    assert here.take()
    assert not elsewhere(Leadership("feed:x").take)
    assert not elsewhere(Leadership("feed:x", frozenset({"A"})).take)
    here.leave()
    assert elsewhere(Leadership("feed:x").take)


def test_leaders_of_different_symbols_run_side_by_side() -> None:
    """Contract, commands: parsers of disjoint ``--symbols`` or scripts do not wait for each other."""
    here = Leadership("feed:x", frozenset({"A", "B"}))

    assert here.take()
    assert elsewhere(Leadership("feed:x", frozenset({"C"})).take)
    assert not elsewhere(Leadership("feed:x", frozenset({"B", "C"})).take)
    assert not elsewhere(Leadership("feed:x").take)
    here.leave()


def test_a_new_session_does_not_lead() -> None:
    """A connection that was lost and opened again has no lock, whatever its thread believed."""
    here = Leadership("feed:x")
    here.take()
    connection.close()
    db.row("SELECT 1")

    assert not here.held


def test_writing_without_the_lock_is_refused() -> None:
    """Rules 1: nothing is written by a parser that may not be the only one."""
    market = Market()
    with leading() as (writer, _):
        connection.close()
        with pytest.raises(psycopg.OperationalError):
            writer.write(cargo(raw("1.1", database_now_ms(), source=market.symbol.source)))

    assert seq_of(market.symbol.id) == 0


def test_a_rival_that_wrote_without_the_lock_costs_the_lead() -> None:
    """Rules 1: compare-and-set of seq is the second wall behind the lock."""
    market = Market()
    with leading() as (writer, _):
        market.admit("1.1")
        with pytest.raises(LeadershipLostError):
            writer.write(cargo(raw("1.11", database_now_ms(), source=market.symbol.source)))


def test_the_log_is_known_again_after_a_restart() -> None:
    """I-14: what was admitted before a restart is still a duplicate after it."""
    market, now_ms = Market(), database_now_ms()
    tick = raw("1.1", now_ms, source=market.symbol.source)
    with leading() as (writer, _):
        writer.write(cargo(tick))
    with leading() as (writer, _):
        writer.write(cargo(tick, raw("1.11", now_ms, source=market.symbol.source)))

    assert seq_of(market.symbol.id) == 2
    assert counts()[market.symbol.source, "duplicate"] == 1


def test_a_stepped_clock_halts_admission() -> None:
    """Rules 1: a step above 250 ms refuses ticks with ``clock`` until the clock is confirmed."""
    market, now_ms = Market(), database_now_ms()
    tick = raw("1.1", now_ms, source=market.symbol.source)
    with leading() as (writer, clock):
        clock.observe(lambda: now_ms + 3_600_000)
        writer.write(cargo(tick))
        writer.beat(report(now_ms))
        writer.beat(report(now_ms + 1))
        halted = seq_of(market.symbol.id)
        writer.write(cargo(tick))

    assert halted == 0
    assert seq_of(market.symbol.id) == 1
    assert counts() == {(market.symbol.source, "clock"): 1}


def test_unknown_symbols_are_counted_under_few_names() -> None:
    """F-15: a feed cannot fill our tables with names of its own."""
    now_ms = database_now_ms()
    with leading() as (writer, _):
        writer.write(cargo(*[raw("1.1", now_ms, source=f"name-{number}") for number in range(500)]))
        writer.beat(report(None))

    assert sum(counts().values()) == 500
    assert len(counts()) == 201
    assert counts()["(other)", "unknown_symbol"] == 300


def test_a_feed_that_folds_case_finds_its_symbols() -> None:
    """Contract, feeds: Binance does not tell upper from lower case."""
    code = code_new()
    market = Market(code=code, feed="binance")
    with leading(feed=BINANCE) as (writer, _):
        writer.write(cargo(raw("1.1", database_now_ms(), source=code.upper())))

    assert seq_of(market.symbol.id) == 1


def test_one_source_can_price_several_symbols() -> None:
    """A symbol by quotes and one by trades of the same upstream symbol."""
    quotes, trades = Market(), Market(price_source="last")
    db.run("UPDATE quotes_symbol SET source = %s WHERE id = %s", [quotes.symbol.source, trades.symbol.id])
    now_ms, source = database_now_ms(), quotes.symbol.source
    with leading() as (writer, _):
        wanted = writer.wanted[source]
        writer.write(cargo(raw("1.1", now_ms, source=source), RawTick(source, 1, now_ms, now_ms, last=raw("1.2").bid)))

    assert (wanted.quotes, wanted.trades) == (True, True)
    assert (seq_of(quotes.symbol.id), seq_of(trades.symbol.id)) == (1, 1)


def test_only_the_chosen_symbols_are_served() -> None:
    """Contract, commands: ``--symbols A,B``."""
    chosen, other = Market(), Market()
    with leading(Choice(codes=frozenset({chosen.code}))) as (writer, _):
        assert set(writer.wanted) == {chosen.symbol.source}
        writer.write(cargo(raw("1.1", database_now_ms(), source=other.symbol.source)))

    assert seq_of(other.symbol.id) == 0


def test_a_symbol_added_later_is_served_at_the_next_beat() -> None:
    """Rules 1: changes reach the parser within 2 s; the others keep their logs."""
    old = Market()
    with leading() as (writer, _):
        writer.write(cargo(raw("1.1", database_now_ms(), source=old.symbol.source)))
        new = Market()
        writer.beat(report(None))
        now_ms = database_now_ms()
        writer.write(cargo(*[raw("1.2", now_ms, source=market.symbol.source) for market in (old, new)]))

    assert seq_of(new.symbol.id) == 1


def heartbeat_of(market: Market) -> tuple[Any, ...] | None:
    """Return the feed heartbeat and the watermark of a symbol."""
    return db.row("SELECT heartbeat_ms, watermark_ms FROM quotes_symbol_head WHERE symbol_id = %s", [market.symbol.id])


def test_the_same_sign_of_life_is_told_once() -> None:
    """Rules 1, two heartbeats: our own timers prove nothing about the upstream connection."""
    market, now_ms = Market(), database_now_ms()
    with leading() as (writer, _):
        writer.beat(report(None))
        before = heartbeat_of(market)
        writer.beat(report(now_ms))
        db.run("UPDATE quotes_symbol_head SET heartbeat_ms = NULL WHERE symbol_id = %s", [market.symbol.id])
        writer.beat(report(now_ms))

    assert before == (None, 0)
    assert heartbeat_of(market) == (None, now_ms - ADMISSION.grace_ms)


@pytest.mark.parametrize(("offset_ms", "sane"), [(0, True), (2_000, True), (2_001, False), (-500, True), (-501, False)])
def test_the_clock_of_a_source_is_the_median_of_its_packets(offset_ms: int, sane: bool) -> None:
    """Rules 1: median of (receive - source) over the last 100 packets; a few say nothing."""
    inbox = Inbox()
    for _ in range(OFFSETS_LEAST - 1):
        inbox.put(Packet(offset_ms, (raw("1", 0, recv_ms=offset_ms),)))
    early = inbox.clock_offset_ms
    inbox.put(Packet(offset_ms, (raw("1", 0, recv_ms=offset_ms),)))

    assert early is None
    assert (inbox.clock_offset_ms, inbox.clock_sane) == (offset_ms, sane)
    taken = inbox.take()
    assert (taken.alive_ms, taken.clock_sane) == (offset_ms, sane)


def test_packets_without_a_time_of_their_own_say_nothing_about_a_clock() -> None:
    """Rules 1: ticks that we stamp ourselves must not dilute the median; of several ticks the newest counts."""
    inbox = Inbox()
    for _ in range(OFFSETS_LEAST):
        inbox.put(Packet(9_000, (raw("1", 9_000, recv_ms=9_000),), timed=False))
        inbox.put(Packet(9_000, (raw("1", 1_000, recv_ms=9_000), raw("1", 6_000, recv_ms=9_000))))

    assert (inbox.clock_offset_ms, inbox.clock_sane) == (3_000, False)


def test_words_outlive_a_failed_write_and_not_a_lost_lead() -> None:
    """Rules 1: a feed says that it closes only once; what an old connection said is said again by the next one."""
    inbox = Inbox()
    words = [Declaration("a", True, 1), Declaration("a", False, 2), Declaration("a", True, 3)]
    inbox.put(Packet(1, declared=tuple(words[:2])))
    taken = inbox.take()
    inbox.put(Packet(3, (raw("1"),), declared=(words[2],)))
    inbox.keep(taken.declared)
    dropped = inbox.drop()
    kept = inbox.take()
    inbox.keep(kept.declared)
    inbox.forget()

    assert (dropped, list(kept.declared)) == (1, words)
    assert not inbox.take()
    assert inbox.alive_ms is None


def test_an_inbox_is_bounded() -> None:
    """A database that does not answer must not cost all memory; what does not fit is counted."""
    inbox = Inbox()
    tick = raw("1")
    for _ in range(TICKS_MAX + 10):
        inbox.put(Packet(1, (tick,)))

    assert inbox.dropped == 10
    assert len(inbox.take().ticks) == TICKS_MAX


def test_malformed_packets_are_counted() -> None:
    """F-15: counted by feed, symbol and reason, with a sample that the database takes whatever it was."""
    now_ms = database_now_ms()
    refused = malformed(source="A\x00\ud800", packet=1, recv_ms=now_ms, sample="\x00\xff" * 500)
    with leading() as (writer, _):
        writer.write(Cargo([], [refused], now_ms))
        writer.beat(report(now_ms))

    assert counts() == {("A??", "malformed"): 1}
    assert db.row("SELECT count(*) FROM quotes_refused_sample") == (1,)
