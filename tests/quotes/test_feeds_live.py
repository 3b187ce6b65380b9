"""The parser as a process on the protocols of Kraken and Deriv: closures, half-open connections, gaps, clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from kernel import db
from kernel.clock import wall_ms
from quotes.domain import ADMISSION, FEED_SILENT_MS
from quotes.selectors import symbol_by_code
from quotes.services import NewSymbol, symbol_add
from tests.quotes.replay import KRAKEN_TRADES
from tests.quotes.running import parsing, seq_of, ticks_flow
from tests.quotes.test_parser import log_is_whole, replaying_program
from tests.quotes.upstreams import DerivServer, KrakenServer, Served, served
from tests.support import eventually

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

START_S = 40.0


def state(code: str) -> tuple[str, str]:
    found = symbol_by_code(code).market.state
    return found.state.value, found.reason


def status(feed: str) -> tuple[bool, str]:
    found = db.row("SELECT connected, detail FROM quotes_feed_status WHERE feed = %s", [feed])
    return (False, "") if found is None else (bool(found[0]), str(found[1]))


def declarations(symbol_id: int) -> list[tuple[Any, ...]]:
    return db.rows("SELECT closed, reason FROM quotes_feed_declaration WHERE symbol_id = %s ORDER BY id", [symbol_id])


class Quoting:
    """Quotes ten times a second; ``ahead_ms`` is how far the source's clock is ahead of ours."""

    def __init__(self) -> None:
        self.ahead_ms = 0


@contextmanager
def quoting(server: KrakenServer, place: Served, symbol: str) -> Iterator[Quoting]:
    """Let a server quote a symbol all the time."""
    pace, over = Quoting(), Event()

    def run() -> None:
        number = 0
        while not over.wait(0.1):
            number += 1
            price = f"100.{number % 90 + 10}"
            place.do(server.quote(symbol, price, price, at_ms=wall_ms() + pace.ahead_ms))

    thread = Thread(target=run)
    thread.start()
    try:
        yield pace
    finally:
        over.set()
        thread.join(10)


def test_kraken_closes_opens_freezes_and_comes_back(tmp_path: Path) -> None:
    """Issue 3, rules 1: the engine's word closes the market; a half-open connection is stale in 5 s and replaced.

    An unknown symbol is shown and costs nobody else anything; the gap is shown; nothing is invented for it.
    """
    symbol_id = symbol_add(NewSymbol(code="BTC", feed="kraken", source="BTC/USD", price_scale=2)).id
    symbol_add(NewSymbol(code="NO", feed="kraken", source="NO/USD"))
    server = KrakenServer("BTC/USD", heartbeat_s=1.0)
    with (
        served(server) as place,
        parsing(tmp_path, variables={"FEED_KRAKEN_URL": place.address}) as parser,
        quoting(server, place, "BTC/USD"),
    ):
        ticks_flow(symbol_id, within_s=START_S)
        eventually(lambda: state("BTC") == ("open", ""), within_s=5)
        eventually(lambda: "ticker NO/USD (Currency pair not supported" in status("kraken")[1], within_s=5)

        place.do(server.engine("maintenance"))
        eventually(lambda: state("BTC") == ("closed", "Kraken is under maintenance."), within_s=2)
        ticks_flow(symbol_id, within_s=2)
        place.do(server.engine("online"))
        eventually(lambda: state("BTC") == ("open", ""), within_s=2)

        place.do(server.freeze())
        frozen_s, before = time.monotonic(), seq_of(symbol_id)
        eventually(lambda: state("BTC")[0] == "stale", within_s=FEED_SILENT_MS / 1000 + 1)
        eventually(lambda: state("BTC") == ("stale", "The feed is silent."), within_s=FEED_SILENT_MS / 1000 + 1)
        print(f"silent after {time.monotonic() - frozen_s:.2f} s")
        eventually(lambda: state("BTC") == ("open", ""), within_s=40)
        print(f"open again after {time.monotonic() - frozen_s:.2f} s")
        eventually(lambda: "1 gaps" in status("kraken")[1], within_s=5)
        assert seq_of(symbol_id) > before
        assert parser.end() == 0

    assert declarations(symbol_id) == [(True, "Kraken is under maintenance."), (False, "")]
    assert "feed_gap" in parser.logged()
    log_is_whole(symbol_id)


def test_a_source_whose_clock_is_off_is_stale_until_it_is_back(tmp_path: Path) -> None:
    """Rules 1, F-12: the source's clock jumps ahead by an hour and back; its ticks never enter the log."""
    symbol_id = symbol_add(NewSymbol(code="BTC", feed="kraken", source="BTC/USD", price_scale=2)).id
    server = KrakenServer("BTC/USD")
    with (
        served(server) as place,
        parsing(tmp_path, variables={"FEED_KRAKEN_URL": place.address}) as parser,
        quoting(server, place, "BTC/USD") as pace,
    ):
        ticks_flow(symbol_id, within_s=START_S)
        eventually(lambda: state("BTC") == ("open", ""), within_s=5)
        pace.ahead_ms = 3_600_000
        eventually(lambda: state("BTC") == ("stale", "The clock of the feed is off."), within_s=20)
        pace.ahead_ms = 0
        eventually(lambda: state("BTC") == ("open", ""), within_s=20)
        assert parser.end() == 0

    ahead = db.row(
        "SELECT count(*) FROM quotes_tick WHERE symbol_id = %s AND at_ms > received_at_ms + 500", [symbol_id]
    )
    assert ahead == (0,)
    log_is_whole(symbol_id)


def test_heartbeats_without_ticks_and_a_burst_of_old_ones(tmp_path: Path) -> None:
    """F-14: a feed that lives and says no price goes stale; what was held up comes too late."""
    symbol_id = symbol_add(NewSymbol(code="BTC", feed="kraken", source="BTC/USD", price_scale=2)).id
    server = KrakenServer("BTC/USD", heartbeat_s=0.2)
    with served(server) as place, parsing(tmp_path, variables={"FEED_KRAKEN_URL": place.address}) as parser:
        eventually(server.topics, within_s=START_S)
        place.do(server.quote("BTC/USD", "100.00", "100.02"))
        eventually(lambda: state("BTC") == ("open", ""), within_s=5)
        eventually(lambda: state("BTC") == ("stale", "The last price is too old."), within_s=5)
        held_up_ms = wall_ms() - ADMISSION.grace_ms - 500
        for number in range(50):
            place.do(server.quote("BTC/USD", "101.00", f"101.{number + 10}", at_ms=held_up_ms + number))
        eventually(lambda: refused(symbol_id, "late") == 50, within_s=5)
        place.do(server.quote("BTC/USD", "100.00", "100.04"))
        # The held-up packets made the median clock offset too large; fresh ones bring it back.
        for number in range(60):
            place.do(server.quote("BTC/USD", "100.00", f"100.{number + 10}"))
        eventually(lambda: state("BTC") == ("open", ""), within_s=2)
        assert parser.end() == 0

    assert db.row("SELECT count(*) FROM quotes_tick WHERE bid = 101") == (0,)
    log_is_whole(symbol_id)


def refused(symbol_id: int, reason: str) -> int:
    found = db.row(
        "SELECT refusal.count FROM quotes_refusal_count AS refusal JOIN quotes_symbol AS symbol"
        " ON symbol.feed = refusal.feed AND symbol.source = refusal.source"
        " WHERE symbol.id = %s AND refusal.reason = %s",
        [symbol_id, reason],
    )
    return 0 if found is None else int(found[0])


def test_deriv_closes_one_market_and_asks_again(tmp_path: Path) -> None:
    """Rules 1: ``MarketIsClosed`` closes that market with the feed's words; the other goes on; seconds make ties."""
    open_id = symbol_add(NewSymbol(code="R", feed="deriv", source="R_100", price_scale=2)).id
    closed_id = symbol_add(NewSymbol(code="EUR", feed="deriv", source="frxEURUSD")).id
    server = DerivServer("R_100", "frxEURUSD")
    server.closed = {"frxEURUSD"}
    with served(server) as place, parsing(tmp_path, variables={"FEED_DERIV_URL": place.address}) as parser:
        eventually(lambda: server.carried() == {"R_100"}, within_s=START_S)
        for number in range(6):
            place.do(server.tick("R_100", 1234.5 + number / 100))
        eventually(lambda: seq_of(open_id) == 6, within_s=5)
        eventually(lambda: state("EUR") == ("closed", "This market is presently closed."), within_s=5)
        place.do(server.tick("R_100", 1235.0))
        eventually(lambda: state("R") == ("open", ""), within_s=2)
        assert parser.end() == 0

    assert declarations(open_id) == []
    assert declarations(closed_id) == [(True, "This market is presently closed.")]
    log_is_whole(open_id)


def test_recorded_kraken_packets_become_the_log(tmp_path: Path) -> None:
    """Issue 3: version 1 as it was recorded, stamped with our time, every trade in its order."""
    terms: dict[str, Any] = {"feed": "kraken", "price_source": "last", "max_tick_age_ms": 60_000}
    monero = symbol_add(NewSymbol(code="XMR", source="XMR/USD", price_scale=2, **terms)).id
    siacoin = symbol_add(NewSymbol(code="SC", source="SC/EUR", price_scale=6, **terms)).id
    with replaying_program(KRAKEN_TRADES) as address:
        variables = {"FEED_KRAKEN_URL": address, "FEED_KRAKEN_TIME": "receive"}
        with parsing(tmp_path, variables=variables) as parser:
            for symbol_id in (monero, siacoin):
                ticks_flow(symbol_id, within_s=START_S)
            eventually(lambda: seq_of(monero) >= 8 and seq_of(siacoin) >= 6, within_s=40)
            assert parser.end() == 0

    for symbol_id in (monero, siacoin):
        log_is_whole(symbol_id)
    assert db.row("SELECT count(*) FROM quotes_tick WHERE bid IS NOT NULL") == (0,)
