"""The quote parser as a process: leadership, crashes, outages, and symbols that come and go (F-03, F-14)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import pytest
from django.db import connection

from kernel import db
from quotes.domain import ADMISSION
from quotes.services import NewSymbol, symbol_add
from tests.quotes.market import code_new
from tests.quotes.replay import FUTURES
from tests.quotes.running import ROOT, Running, environment, parsing, ticks_flow
from tests.support import eventually

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

START_S = 40.0


def simulated() -> int:
    """Offer a symbol of the simulator and return its id."""
    code = code_new()
    return symbol_add(NewSymbol(code=code, feed="simulator", source=code)).id


def log_is_whole(symbol_id: int) -> None:
    """Check that a log is gap-free and monotonic, and that its head is its end."""
    found = db.row(
        "SELECT count(*), max(seq), count(*) FILTER (WHERE at_ms < before_ms) FROM (SELECT seq, at_ms,"
        " lag(at_ms) OVER (ORDER BY seq) AS before_ms FROM quotes_tick WHERE symbol_id = %s) AS log",
        [symbol_id],
    )
    assert found is not None
    ticks, newest, backwards = found
    assert (ticks, backwards) == (newest, 0)


def test_a_standby_takes_over_from_a_killed_parser(tmp_path: Path) -> None:
    """F-03: kill -9 of the leader; the other one goes on in the same log within 5 s.

    F-27: stopped for longer than the grace and continued, it writes nothing below a watermark.
    """
    symbol_id = simulated()
    with parsing(tmp_path, "--feed", "simulator") as first:
        ticks_flow(symbol_id, within_s=START_S)
        with parsing(tmp_path, "--feed", "simulator") as second:
            eventually(lambda: "feed_stands_by" in second.logged(), within_s=START_S)
            ticks_flow(symbol_id, within_s=5)

            first.kill()
            ticks_flow(symbol_id, within_s=5)

            _stopped(second, for_s=ADMISSION.grace_ms / 1000 + 1)
            ticks_flow(symbol_id, within_s=5)
            assert second.end() == 0
    log_is_whole(symbol_id)
    assert _ticks_below_watermark(symbol_id) == 0


def _stopped(parser: Running, *, for_s: float) -> None:
    parser.process.send_signal(signal.SIGSTOP)
    until_s = time.monotonic() + for_s
    eventually(lambda: time.monotonic() > until_s, within_s=for_s + 1)
    parser.process.send_signal(signal.SIGCONT)


def test_symbols_come_and_go_while_the_parser_runs(tmp_path: Path) -> None:
    """Rules 1: a change of symbols reaches the parser within 2 s; memory stays below 160 MB."""
    symbol_id = simulated()
    with parsing(tmp_path) as parser:
        ticks_flow(symbol_id, within_s=START_S)

        added_id = simulated()
        # Two seconds for the parser, and one for the first tick on a busy machine.
        ticks_flow(added_id, within_s=3)

        resident = psutil.Process(parser.process.pid).memory_info().rss
        assert resident < 160 * 2**20
        assert parser.end() == 0
    log_is_whole(symbol_id)


def test_losing_the_database_and_redis_ends_nothing(tmp_path: Path) -> None:
    """F-05, F-07: sessions cut and refused for a while, Redis away all the time; the log goes on without a gap."""
    symbol_id = simulated()
    with parsing(tmp_path, variables={"REDIS_URL": "redis://127.0.0.1:1"}) as parser:
        ticks_flow(symbol_id, within_s=START_S)

        with _database_closed():
            eventually(lambda: "feed_database_failed" in parser.logged(), within_s=10)
        ticks_flow(symbol_id, within_s=10)

        assert parser.process.poll() is None
        assert parser.end() == 0
    log_is_whole(symbol_id)


@contextmanager
def _database_closed() -> Iterator[None]:
    """End all other sessions on the test database and refuse new ones."""
    name = connection.settings_dict["NAME"]
    parts = urlsplit(environment()["DATABASE_URL"])
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as outside:
        outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            outside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
                [name, _own_pid()],
            )
            yield
        finally:
            outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def _own_pid() -> int:
    found = db.row("SELECT pg_backend_pid()")
    assert found is not None
    return int(found[0])


def _ticks_below_watermark(symbol_id: int) -> int:
    """Count ticks at or below a watermark that was raised before they came (I-16)."""
    found = db.row(
        "SELECT count(*) FROM quotes_tick AS tick WHERE tick.symbol_id = %s AND EXISTS ("
        "  SELECT FROM quotes_watermark_raise AS raised WHERE raised.symbol_id = tick.symbol_id"
        "  AND raised.watermark_ms >= tick.at_ms AND raised.seq < tick.seq)",
        [symbol_id],
    )
    assert found is not None
    return int(found[0])


def test_replayed_packets_become_the_log(tmp_path: Path) -> None:
    """Issue 2.4: real packets through a local server; quotes and trades, what nobody offers is counted."""
    mid = symbol_add(NewSymbol(code="SUSHI", feed="binance", source="SUSHIUSDT", price_scale=4)).id
    last = symbol_add(NewSymbol(code="CTK", feed="binance", source="ctkusdt", price_scale=5, price_source="last")).id
    with replaying_program(FUTURES) as address:
        variables = {"FEED_BINANCE_URL": address, "FEED_BINANCE_TIME": "receive"}
        with parsing(tmp_path, variables=variables) as parser:
            for symbol_id in (mid, last):
                ticks_flow(symbol_id, within_s=START_S)
            eventually(_unknown_counted, within_s=10)
            status = eventually(lambda: _status("binance"), within_s=5)
            assert parser.end() == 0

    assert status == (address, True)
    assert db.row("SELECT count(*) FROM quotes_tick WHERE symbol_id = %s AND bid IS NULL", [mid]) == (0,)
    assert db.row("SELECT count(*) FROM quotes_tick WHERE symbol_id = %s AND bid IS NOT NULL", [last]) == (0,)
    for symbol_id in (mid, last):
        log_is_whole(symbol_id)


@contextmanager
def replaying_program(recording: Path) -> Iterator[str]:
    """Run the replay server as the program it also is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.quotes.replay", str(recording), "--port", "0", "--speed", "5", "--loop"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _unknown_counted() -> list[tuple[Any, ...]]:
    return db.rows(
        "SELECT count FROM quotes_refusal_count"
        " WHERE feed = 'binance' AND source = 'AKROUSDT' AND reason = 'unknown_symbol'"
    )


def _status(feed: str) -> tuple[Any, ...] | None:
    return db.row("SELECT endpoint, connected FROM quotes_feed_status WHERE feed = %s AND connected", [feed])
