"""The tick log in the database: compare-and-set, watermark and fence (rules 1; I-16, F-16, F-27)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from kernel import db
from quotes.admission import (
    LeadershipLostError,
    SymbolLog,
    heartbeats_record,
    refusals_record,
    ticks_admit,
    watermarks_raise_to_expiry,
)
from quotes.domain import (
    ADMISSION,
    CANDLE_INTERVALS_S,
    CANDLES_STORED_S,
    Head,
    RaiseCause,
    RawTick,
    Refusal,
    RefusedTick,
    candles_of,
)
from quotes.selectors import candles_between
from tests.quotes.market import Market, database_now_ms
from tests.quotes.ticks import raw, reasons

pytestmark = pytest.mark.django_db(transaction=True)


def admitted(market: Market, *ticks: RawTick, log: SymbolLog | None = None) -> Any:
    """Bring ticks through admission and return what became of them."""
    log = log or market.log
    symbol_id = market.symbol.id
    batch = ticks_admit(batch={symbol_id: list(ticks)}, logs={symbol_id: log}, heartbeat_ms=ticks[-1].recv_ms)
    return batch.by_symbol[symbol_id]


def head_of(market: Market) -> Head:
    """Return the stored head."""
    found = db.row(
        "SELECT seq, tick_at_ms, tick_price, tick_recv_ms, watermark_ms, candidate_price, candidate_recv_ms,"
        " candidate_packet FROM quotes_symbol_head WHERE symbol_id = %s",
        [market.symbol.id],
    )
    assert found is not None
    return Head(*found)


def raises_of(market: Market) -> list[tuple[int, int]]:
    """Return the stored raises as (watermark, cause), in the order of the watermark."""
    return db.rows(
        "SELECT watermark_ms, cause FROM quotes_watermark_raise WHERE symbol_id = %s ORDER BY watermark_ms",
        [market.symbol.id],
    )


def ticks_of(market: Market) -> list[tuple[Any, ...]]:
    """Return the stored log as (seq, at, price)."""
    return db.rows("SELECT seq, at_ms, price FROM quotes_tick WHERE symbol_id = %s ORDER BY seq", [market.symbol.id])


def test_a_batch_is_stored_with_its_head_its_raise_and_its_candles() -> None:
    """Architecture, quote flow: ticks, candles, head and raise in one transaction."""
    market, now_ms = Market(), database_now_ms()

    result = admitted(market, raw("1.1", now_ms - 1_500), raw("1.11", now_ms))

    assert ticks_of(market) == [(1, now_ms - 1_500, 110_000), (2, now_ms, 111_000)]
    assert head_of(market) == result.head
    assert raises_of(market) == [(now_ms - 1, RaiseCause.TICK)]
    stored = db.rows(
        "SELECT interval_s, start_ms, open, high, low, close, ticks FROM quotes_candle WHERE symbol_id = %s",
        [market.symbol.id],
    )
    expected = candles_of([(now_ms - 1_500, 110_000), (now_ms, 111_000)], CANDLES_STORED_S)
    assert sorted(stored) == sorted(
        (c.interval_s, c.start_ms, c.open, c.high, c.low, c.close, c.ticks) for c in expected
    )


@pytest.mark.parametrize("interval_s", CANDLE_INTERVALS_S.values())
def test_candles_of_every_interval_equal_those_of_the_whole_log(interval_s: int) -> None:
    """Performance, ticks: many small batches add up to the candles of the log, stored or joined when they are read."""
    market, now_ms = Market(), database_now_ms()
    steps_ms = (0, 170, 900, 14_000, 16_000, 31_000, 905_000, 1_850_000, 3_700_000, 15_000_000)
    for number, ahead_ms in enumerate(steps_ms):
        at_ms = now_ms + ahead_ms
        admitted(market, raw(f"1.{10 + number * 7 % 5}", at_ms, recv_ms=at_ms))

    log = [(at_ms, price) for _, at_ms, price in ticks_of(market)]
    read = candles_between(
        symbol_id=market.symbol.id, interval_s=interval_s, from_ms=now_ms - 90_000_000, to_ms=now_ms + 90_000_000
    )
    assert len(log) == len(steps_ms)
    assert [row[:6] for row in read] == [
        (c.start_ms, c.open, c.high, c.low, c.close, c.ticks) for c in candles_of(log, [interval_s])
    ]


def test_joined_candles_are_chosen_by_their_start() -> None:
    """Contract: ``from`` inclusive, ``to`` exclusive, by start; an interval that began before ``from`` is left out."""
    market, start_ms = Market(), database_now_ms() // 60_000 * 60_000 + 60_000
    for ahead_ms in (1_000, 16_000, 31_000, 61_000):
        at_ms = start_ms + ahead_ms
        admitted(market, raw("1.1", at_ms, recv_ms=at_ms))

    def starts(from_ms: int, to_ms: int) -> list[int]:
        rows = candles_between(symbol_id=market.symbol.id, interval_s=30, from_ms=from_ms, to_ms=to_ms)
        return [row[0] - start_ms for row in rows]

    assert starts(start_ms, start_ms + 60_000) == [0, 30_000]
    assert starts(start_ms + 1, start_ms + 60_001) == [30_000, 60_000]


def test_a_second_parser_is_fenced_off_by_seq() -> None:
    """Rules 1, symbol head: the compare-and-set of seq stops a parser that does not know the newest tick."""
    market, now_ms = Market(), database_now_ms()
    rival = SymbolLog(market.log.terms)
    admitted(market, raw("1.1", now_ms - 2))
    admitted(market, raw("1.11", now_ms - 1), log=rival)

    with pytest.raises(LeadershipLostError):
        admitted(market, raw("1.12", now_ms))

    assert [seq for seq, *_ in ticks_of(market)] == [1, 2]
    assert market.log.seq == 1


def test_a_failed_batch_writes_nothing() -> None:
    """A tick is durable together with its head, or not at all."""
    market, now_ms = Market(), database_now_ms()
    admitted(market, raw("1.1", now_ms - 1))
    before = head_of(market)

    with pytest.raises(LeadershipLostError):
        admitted(market, raw("1.11", now_ms), log=SymbolLog(market.log.terms, seq=9))

    assert head_of(market) == before


def test_a_heartbeat_raises_the_watermark_to_the_grace_before_it() -> None:
    """Rules 1, W (2): to r - grace, stored with its cause."""
    market, now_ms = Market(), database_now_ms()

    heartbeats_record(heartbeats={market.symbol.id: now_ms})

    assert head_of(market).watermark_ms == now_ms - ADMISSION.grace_ms
    assert raises_of(market) == [(now_ms - ADMISSION.grace_ms, RaiseCause.HEARTBEAT)]


def test_the_watermark_never_falls() -> None:
    """Rules 1, I-16: neither by an old heartbeat, nor by a fence, nor by hand."""
    market, now_ms = Market(), database_now_ms()
    admitted(market, raw("1.1", now_ms))

    heartbeats_record(heartbeats={market.symbol.id: now_ms})
    watermarks_raise_to_expiry(targets={market.symbol.id: now_ms - 60_000})

    assert head_of(market).watermark_ms == now_ms - 1
    assert raises_of(market) == [(now_ms - 1, RaiseCause.TICK)]
    with pytest.raises(DatabaseError):
        db.run("UPDATE quotes_symbol_head SET watermark_ms = 0 WHERE symbol_id = %s", [market.symbol.id])


def test_settlement_raises_to_an_expiry_only_after_the_grace() -> None:
    """Rules 1, W (3): once the database clock is past expires_at + grace."""
    market, now_ms = Market(), database_now_ms()
    early, due = now_ms - ADMISSION.grace_ms + 60_000, now_ms - ADMISSION.grace_ms - 1

    assert watermarks_raise_to_expiry(targets={market.symbol.id: early}) == 0
    assert watermarks_raise_to_expiry(targets={market.symbol.id: due}) == 1

    assert raises_of(market) == [(due, RaiseCause.SETTLEMENT)]


def test_a_batch_held_back_across_an_expiry_is_refused_and_later_ticks_are_admitted() -> None:
    """F-27: stopped between receive and COPY for longer than the grace, the parser finds the fence."""
    market, now_ms = Market(), database_now_ms()
    expires_at_ms = now_ms - ADMISSION.grace_ms - 1_000
    admitted(market, raw("1.1", expires_at_ms - 500))
    held = [raw("1.2", expires_at_ms - 100, packet=1), raw("1.101", expires_at_ms, packet=2)]

    watermarks_raise_to_expiry(targets={market.symbol.id: expires_at_ms})
    late = admitted(market, *held)
    later = admitted(market, raw("1.102", now_ms))

    assert reasons(late) == [Refusal.LATE, Refusal.LATE]
    assert [tick.price for tick in later.admitted] == [110_200]
    assert [seq for seq, *_ in ticks_of(market)] == [1, 2]


def test_the_fence_stops_a_batch_that_waits_for_the_lock() -> None:
    """I-16, F-27: a batch judged under the lock sees the watermark in force, not the one it set out with."""
    market, now_ms = Market(), database_now_ms()
    admitted(market, raw("1.1", now_ms - 5_000))
    seq = market.log.seq
    watermarks_raise_to_expiry(targets={market.symbol.id: now_ms - 3_000})

    result = admitted(market, raw("1.11", now_ms - 3_000, recv_ms=now_ms - 3_000))

    assert reasons(result) == [Refusal.LATE]
    assert market.log.seq == seq


def test_every_raise_above_the_last_is_on_record() -> None:
    """I-16: the stored raises are a rising series that ends where the head is."""
    market, now_ms = Market(), database_now_ms()
    admitted(market, raw("1.1", now_ms - 4_000))
    watermarks_raise_to_expiry(targets={market.symbol.id: now_ms - 3_000})
    heartbeats_record(heartbeats={market.symbol.id: now_ms})
    admitted(market, raw("1.11", now_ms))

    assert [cause for _, cause in raises_of(market)] == [1, 3, 2, 1]
    assert raises_of(market)[-1][0] == head_of(market).watermark_ms


@pytest.mark.parametrize("table", ["quotes_tick", "quotes_watermark_raise"])
@pytest.mark.parametrize("act", ["UPDATE {0} SET seq = 99", "DELETE FROM {0}"])
def test_the_log_is_append_only(table: str, act: str) -> None:
    """Rules 1: append-only by trigger, for whoever is connected."""
    market = Market()
    market.admit("1.1")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        db.run(act.format(table))


def test_refusals_are_all_counted_and_seldom_sampled() -> None:
    """Rules 1: counted by reason, kept as samples; a feed of rubbish cannot fill a table."""
    market, now_ms = Market(), database_now_ms()
    source = market.symbol.source
    tick = RawTick(source, 1, now_ms, now_ms, last=Decimal(1))

    for _ in range(30):
        refusals_record([("script", RefusedTick(tick, Refusal.MALFORMED))] * 2)

    assert db.row("SELECT count FROM quotes_refusal_count WHERE source = %s", [source]) == (60,)
    assert db.row("SELECT count(*) FROM quotes_refused_sample WHERE source = %s", [source]) == (1,)


def test_bid_and_ask_are_stored_as_the_feed_sent_them() -> None:
    """Contract, ticks: bid and ask with the feed's own digits."""
    market, now_ms = Market(), database_now_ms()
    admitted(market, raw("1.10", now_ms, ask="1.1000300"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT bid::text, ask::text FROM quotes_tick WHERE symbol_id = %s", [market.symbol.id])
        assert cursor.fetchall() == [("1.10", "1.1000300")]
