"""I-22 and its mutants: whatever is changed in a sealed log, its seals, or the heads told outside, turns it red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel import db
from quotes.heads import FILE_TARGET, heads_append, heads_folder, heads_publish
from quotes.models import TickArchive
from quotes.seals import seals_violations
from tests.quotes.market import Market
from tests.quotes.sealed import chain, sealed_all, sealed_market, unguarded, yesterday_noon

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _data_below(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def _ticks(market: Market, sql: str) -> None:
    with unguarded("quotes_tick"):
        assert db.run(sql, {"id": market.symbol.id}) > 0


def _seals(market: Market, sql: str) -> None:
    with unguarded("quotes_seal"):
        assert db.run(sql, {"id": market.symbol.id}) > 0


def _price_up(market: Market) -> None:
    _ticks(market, "UPDATE quotes_tick SET price = price + 1 WHERE symbol_id = %(id)s AND seq = 7")


def _price_down(market: Market) -> None:
    _ticks(market, "UPDATE quotes_tick SET price = price - 1 WHERE symbol_id = %(id)s AND seq = 7")


def _digit(market: Market) -> None:
    _ticks(market, "UPDATE quotes_tick SET bid = (bid::text || '0')::numeric WHERE symbol_id = %(id)s AND seq = 7")


def _swapped(market: Market) -> None:
    _ticks(
        market,
        "UPDATE quotes_tick AS one SET bid = other.bid, ask = other.ask, price = other.price FROM quotes_tick AS other"
        " WHERE one.symbol_id = %(id)s AND other.symbol_id = %(id)s AND one.seq IN (7, 8) AND other.seq = 15 - one.seq",
    )


def _dropped(market: Market) -> None:
    _ticks(market, "DELETE FROM quotes_tick WHERE symbol_id = %(id)s AND seq = 7")


_INSERT = """
INSERT INTO quotes_tick SELECT symbol_id, {seq}, at_ms + {later_ms}, received_at_ms, bid, ask, price, revision
FROM quotes_tick WHERE symbol_id = %(id)s AND seq = 7"""


def _inserted(market: Market) -> None:
    """A late insert into a minute that is sealed."""
    _ticks(market, _INSERT.format(seq=99, later_ms=1))


def _inserted_between(market: Market) -> None:
    """A late insert into a minute behind the newest seal that had no tick and has none."""
    _ticks(market, _INSERT.format(seq=99, later_ms=-60_000))


def _seal_root(market: Market) -> None:
    _seals(market, "UPDATE quotes_seal SET root = sha256(root) WHERE symbol_id = %(id)s AND first_seq = 6")


def _seal_head(market: Market) -> None:
    _seals(market, "UPDATE quotes_seal SET head = sha256(head) WHERE symbol_id = %(id)s AND first_seq = 11")


def _seal_dropped(market: Market) -> None:
    _seals(market, "DELETE FROM quotes_seal WHERE symbol_id = %(id)s AND first_seq = 6")


def _seal_made_anew(market: Market) -> None:
    """Change a tick and make the newest seal again as if nothing had happened: only the heads outside know better."""
    heads_publish(target=FILE_TARGET, deliver=heads_append)
    _ticks(market, "UPDATE quotes_tick SET price = price + 1 WHERE symbol_id = %(id)s AND seq = 12")
    _seals(market, "DELETE FROM quotes_seal WHERE symbol_id = %(id)s AND first_seq = 11")
    assert sealed_all() == 1


_MUTANTS: list[Callable[[Market], None]] = [
    _price_up,
    _price_down,
    _digit,
    _swapped,
    _dropped,
    _inserted,
    _inserted_between,
    _seal_root,
    _seal_head,
    _seal_dropped,
    _seal_made_anew,
]


@pytest.mark.parametrize("mutate", _MUTANTS)
def test_a_mutant_turns_it_red(mutate: Callable[[Market], None]) -> None:
    """I-22: green on the sound log, of the last hour and in full; red after the change in both."""
    sealed_market(minutes=2)
    mutated = sealed_market(minutes=3, back=14, apart=2)
    heads_publish(target=FILE_TARGET, deliver=heads_append)
    assert [seals_violations(full=full) for full in (False, True)] == [0, 0]

    mutate(mutated)

    assert all(seals_violations(full=full) > 0 for full in (False, True))


def test_seals_of_days_that_left_the_log_are_checked_by_their_chain() -> None:
    """I-22: no tick is missed that is in the archive; the chain still tells of a changed seal."""
    market = sealed_market(back=yesterday_noon())
    day = db.row("SELECT to_timestamp(%s / 1000.0)::date", [chain(market)[-1].minute_ms])
    assert day is not None
    _ticks(market, "DELETE FROM quotes_tick WHERE symbol_id = %(id)s")
    assert seals_violations(full=True) == 3
    TickArchive.objects.create(day=day[0], path="x", rows=15, sha256="0" * 64, archived_at_ms=1, dropped_at_ms=1)
    assert seals_violations(full=True) == 0
    _seal_root(market)
    assert seals_violations(full=True) == 1


def test_lines_that_nobody_reads_are_no_difference() -> None:
    """A line that a crash cut off is dropped, and a line told twice is told once."""
    market = sealed_market()
    heads_publish(target=FILE_TARGET, deliver=heads_append)
    (path,) = heads_folder().glob("*")
    text = path.read_text()
    path.write_text(text[:40] + "\n" + text + text[:200])
    assert [seals_violations(full=full) for full in (False, True)] == [0, 0]
    path.write_text(text.replace(chain(market)[0].head.hex(), "0" * 64))
    assert [seals_violations(full=full) for full in (False, True)] == [1, 1]
