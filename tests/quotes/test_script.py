"""The feed ``script`` (contract, Feeds): what its lines mean, and a whole run from file to log."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from kernel import db
from kernel.clock import parse_rfc3339, rfc3339, wall_ms
from quotes.adapters.script import Script, script_sources
from quotes.adapters.upstream import Packet
from quotes.domain import Refusal
from quotes.services import NewSymbol, symbol_add
from tests.quotes.running import parsing

LINES = """
# offset_ms, symbol, price
0,eurusd,1.10
0,#heartbeat
#heartbeat is a comment when it comes first
0,#note
10,eurusd,1.10,1.12
20,eurusd,1.11,1.11,-5000
x,eurusd,1.1
30,eurusd
30,eurusd,one
30,eurusd,1,2,3,4
30,,1.1
1.5,eurusd,1.1
30,eurusd,NaN
"""


async def played(path: Path, *, start_at_ms: int | None = None, receive_time: bool = False) -> list[Packet]:
    """Play a script to its end."""
    script = Script(
        path=path, clock=wall_ms, announce=lambda _: None, start_at_ms=start_at_ms, receive_time=receive_time
    )
    return [packet async for packet in script.packets()]


def written(tmp_path: Path, text: str) -> Path:
    """Write a script."""
    path = tmp_path / "ticks.csv"
    path.write_text(text)
    return path


@pytest.mark.asyncio
async def test_lines_mean_what_the_contract_says(tmp_path: Path) -> None:
    """Contract, Feeds: a price serves both sources, bid = ask is a trade too, times count from the start."""
    start_ms = wall_ms()
    packets = await played(written(tmp_path, LINES), start_at_ms=start_ms)

    single, quote, trade, nan = [packet.ticks[0] for packet in packets if packet.ticks]
    assert (single.last, single.bid, single.serves_all, single.src_ms) == (Decimal("1.10"), None, True, start_ms)
    assert (quote.bid, quote.ask, quote.last) == (Decimal("1.10"), Decimal("1.12"), None)
    assert (trade.bid, trade.ask, trade.last, trade.src_ms) == (*[Decimal("1.11")] * 3, start_ms - 5_000)
    assert nan.last is not None
    assert nan.last.is_nan()


@pytest.mark.asyncio
async def test_malformed_lines_are_counted_with_their_number(tmp_path: Path) -> None:
    """F-15: a script goes on after a line that cannot be read, and such a line is no sign of life."""
    packets = await played(written(tmp_path, LINES), start_at_ms=wall_ms())

    refused = [packet.refused[0] for packet in packets if packet.refused]
    assert {one.reason for one in refused} == {Refusal.MALFORMED}
    assert [(one.tick.source_id or "").split(":")[0] for one in refused] == [
        f"line {n}" for n in (9, 10, 11, 12, 13, 14)
    ]
    assert not any(packet.alive for packet in packets if packet.refused)


@pytest.mark.asyncio
async def test_a_heartbeat_is_traffic_without_a_tick(tmp_path: Path) -> None:
    """Contract, Feeds: ``offset_ms,#heartbeat``; other lines with # are comments."""
    packets = await played(written(tmp_path, LINES), start_at_ms=wall_ms())

    assert [packet.alive for packet in packets if not packet.ticks and not packet.refused] == [True]


@pytest.mark.asyncio
async def test_packets_come_at_their_offset(tmp_path: Path) -> None:
    """Contract, Feeds: receive time is the real clock, never before the offset."""
    start_ms = wall_ms() + 50
    packets = await played(written(tmp_path, "0,a,1\n100,a,1.1\n100,a,1.2,1.2,40\n"), start_at_ms=start_ms)

    assert [packet.ticks[0].src_ms - start_ms for packet in packets] == [0, 100, 40]
    assert all(packet.recv_ms >= start_ms + offset for packet, offset in zip(packets, (0, 100, 100), strict=True))


@pytest.mark.asyncio
async def test_the_start_is_told_once_and_can_be_given_back(tmp_path: Path) -> None:
    """Contract, Feeds: ``script start <RFC 3339>`` is the instant that offsets count from."""
    told: list[str] = []
    path = written(tmp_path, "0,a,1\n20,a,1\n")
    start_ms = wall_ms() - 1_000
    script = Script(path=path, clock=wall_ms, announce=told.append, start_at_ms=start_ms)

    first = await anext(script.packets())
    rest = [packet async for packet in script.packets()]

    assert told == [f"script start {rfc3339(start_ms)}"]
    assert [packet.ticks[0].src_ms - start_ms for packet in (first, *rest)] == [0, 20]


@pytest.mark.asyncio
async def test_receive_time_replaces_the_scripts(tmp_path: Path) -> None:
    """Contract, environment: ``FEED_SCRIPT_TIME=receive``."""
    packets = await played(written(tmp_path, "0,a,1,1,-9000\n"), receive_time=True)

    assert packets[0].ticks[0].src_ms == packets[0].recv_ms


def test_a_script_names_its_sources(tmp_path: Path) -> None:
    """Parsers of different symbols run side by side: the lock covers what the file names."""
    assert script_sources(written(tmp_path, LINES + "5,xau usd,7\n")) == {"eurusd", "xau usd"}


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_script_plays_into_the_log_and_ends(tmp_path: Path) -> None:
    """Contract, Feeds: prints its start, plays, commits everything, exits 0; unknown symbols are counted."""
    code = "SCRIPT1"
    symbol_id = symbol_add(NewSymbol(code=code, feed="script", source="s1")).id
    text = (
        "0,s1,1.10\n200,s1,1.10,1.10002\n300,s1,1.2,1.2,-9000\n300,s1,1.2,1.2,9000\n400,nobody,1\nrubbish\n"
        "500,s1,1.11,1.11,200\n2600,#heartbeat\n"
    )

    with parsing(tmp_path, "--feed", "script", "--file", str(written(tmp_path, text))) as parser:
        output, _ = parser.process.communicate(timeout=60)

    assert parser.process.returncode == 0
    assert re.fullmatch(r"script start \S+\n", output)
    start_ms = parse_rfc3339(output.split()[-1])
    ticks = db.rows("SELECT seq, at_ms, price FROM quotes_tick WHERE symbol_id = %s ORDER BY seq", [symbol_id])
    assert ticks == [(1, start_ms, 110_000), (2, start_ms + 200, 110_001), (3, start_ms + 200, 111_000)]
    counts = db.rows("SELECT source, reason, count FROM quotes_refusal_count WHERE feed = 'script'")
    assert sorted(counts) == [
        ("", "malformed", 1),
        ("nobody", "unknown_symbol", 1),
        ("s1", "future", 1),
        ("s1", "out_of_order", 1),
    ]
    head = db.row("SELECT watermark_ms, heartbeat_ms FROM quotes_symbol_head WHERE symbol_id = %s", [symbol_id])
    assert head is not None
    watermark_ms, heartbeat_ms = head
    assert start_ms + 2_600 <= heartbeat_ms < start_ms + 12_000
    assert watermark_ms == heartbeat_ms - 2_000
    assert db.row("SELECT connected FROM quotes_feed_status WHERE feed = 'script'") == (False,)
