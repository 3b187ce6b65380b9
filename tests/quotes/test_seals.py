"""Seals in the database: made when a minute is final, one chain a symbol, proofs from them (I-22)."""

from __future__ import annotations

from threading import Thread

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from kernel import db
from quotes import seals as sealing_service
from quotes.admission import ticks_admit
from quotes.domain import Refusal
from quotes.proofs import tick_proofs
from quotes.sealing import MINUTE_MS, NO_HEAD, head_of, leaves_of, root_from_path
from quotes.seals import seals_make, seals_violations
from tests.faults.processes import database_url
from tests.quotes.market import Market, database_now_ms
from tests.quotes.sealed import chain, filled, finished, minute_ago, sealed_all, unguarded
from tests.quotes.ticks import raw

pytestmark = pytest.mark.django_db(transaction=True)

_READ = "SELECT seq, at_ms, received_at_ms, bid::text, ask::text, price, revision FROM quotes_tick WHERE symbol_id = %s"


def test_each_minute_with_ticks_is_sealed_and_follows_the_one_before() -> None:
    """Formats, seals: count, numbers, root and head of every minute, chained from zeros."""
    market = filled(minutes=3, ticks=5)
    finished(market)
    assert seals_make(now_ms=database_now_ms()) == 3

    seals = chain(market)
    assert [(seal.first_seq, seal.count) for seal in seals] == [(1, 5), (6, 5), (11, 5)]
    assert [seal.previous_head for seal in seals] == [NO_HEAD, seals[0].head, seals[1].head]
    assert all(head_of(seal) == seal.head for seal in seals)
    assert seals_make(now_ms=database_now_ms()) == 0


def test_a_minute_is_sealed_only_when_no_tick_of_it_can_come() -> None:
    """Formats, seals: final is a watermark at the minute's last millisecond, and not one before."""
    market, start_ms = Market(), minute_ago(0)
    market.admit("1.1", at_ms=start_ms + 1_000)
    market.admit("1.11", at_ms=start_ms + MINUTE_MS - 1)
    assert seals_make(now_ms=database_now_ms()) == 0
    market.admit("1.12", at_ms=start_ms + MINUTE_MS)
    assert seals_make(now_ms=database_now_ms()) == 1
    assert [seal.count for seal in chain(market)] == [2]


def test_a_silent_symbol_is_sealed_by_the_databases_clock() -> None:
    """ADR 23: a minute that nobody goes on from is closed a minute after its end, and fences what comes late."""
    silent, fresh, start_ms = Market(), Market(), minute_ago(3)
    silent.admit("1.1", "1.11", at_ms=start_ms + 59_000)
    fresh.admit("1.1", at_ms=minute_ago(0))
    assert sealed_all() == 1
    assert [seal.count for seal in chain(silent)] == [2]
    assert chain(fresh) == []
    raised = db.row(
        "SELECT watermark_ms, cause FROM quotes_watermark_raise WHERE symbol_id = %s ORDER BY watermark_ms DESC",
        [silent.symbol.id],
    )
    assert raised == (start_ms + MINUTE_MS - 1, 3)

    late = ticks_admit(
        batch={silent.symbol.id: [raw("1.11", start_ms + 59_500)]}, logs={silent.symbol.id: silent.log}, heartbeat_ms=1
    )
    assert [refused.reason for refused in late.refused] == [Refusal.LATE]
    assert silent.admit("1.12", at_ms=start_ms + MINUTE_MS)[0].seq == 3
    assert seals_violations(full=True) == 0


def test_a_callers_clock_closes_no_minute_early() -> None:
    """F-27: the database's clock alone says that a feed is silent, read under the head's lock."""
    market = Market()
    market.admit("1.1")
    assert seals_make(now_ms=database_now_ms() + 600_000) == 0
    assert market.admit("1.11")[0].seq == 2


def test_a_log_without_ticks_has_no_seal() -> None:
    """A watermark alone moves nothing."""
    finished(Market())
    assert sealed_all() == 0


def test_days_of_absence_are_made_up_for_in_bounded_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction takes a bounded count of ticks, and a minute larger than it is sealed whole all the same."""
    monkeypatch.setattr(sealing_service, "BATCH_TICKS", 4)
    markets = [filled(minutes=4, ticks=3, back=1_000), filled(minutes=4, ticks=6, back=1_000)]
    for market in markets:
        finished(market)
    steps = []
    while made := seals_make(now_ms=database_now_ms()):
        steps.append(made)
    assert sum(steps) == 8
    assert max(steps) <= 2
    assert [seal.count for seal in chain(markets[1])] == [6, 6, 6, 6]


def test_a_log_that_is_older_than_seals_begins_with_its_first_tick_there() -> None:
    """Upgrade: the first seal may begin behind 1 where the log had ticks before seals were introduced."""
    market = filled(minutes=2, ticks=3)
    finished(market)
    with unguarded("quotes_tick"):
        db.run("DELETE FROM quotes_tick WHERE symbol_id = %s AND seq <= 3", [market.symbol.id])
    with pytest.raises(DatabaseError, match="first tick"):
        seals_make(now_ms=database_now_ms())
    db.run("INSERT INTO quotes_seal_origin VALUES (%s, 2)", [market.symbol.id])
    assert sealed_all() == 1
    assert [(seal.first_seq, seal.previous_head) for seal in chain(market)] == [(4, NO_HEAD)]


def test_two_sealers_do_no_harm() -> None:
    """One sealer at a time: whoever comes second finds the lock taken and leaves."""
    market = filled()
    finished(market)
    made: list[int] = []

    def second() -> None:
        made.append(seals_make(now_ms=database_now_ms()))
        connection.close()

    with transaction.atomic():
        db.row("SELECT pg_advisory_xact_lock(hashtextextended('quotes_seals', 0))")
        thread = Thread(target=second)
        thread.start()
        thread.join(timeout=10)
    assert made == [0]
    assert sealed_all() == 3


def test_sealing_waits_for_no_parser() -> None:
    """Architecture, quotes: a batch in the middle of its transaction holds the head, and sealing goes on without it."""
    market = filled()
    finished(market)
    parser = connection.copy()
    try:
        parser.set_autocommit(False)
        with parser.cursor() as cursor:
            cursor.execute("SELECT * FROM quotes_symbol_head FOR NO KEY UPDATE")
        assert seals_make(now_ms=database_now_ms()) == 3
    finally:
        parser.close()


def test_a_gap_in_one_log_is_told_and_stops_no_other() -> None:
    """A log whose numbers do not go on is not sealed: a chain must not hide what is missing."""
    broken, sound = filled(), filled()
    for market in (broken, sound):
        finished(market)
    with unguarded("quotes_tick"):
        db.run("DELETE FROM quotes_tick WHERE symbol_id = %s AND seq = 8", [broken.symbol.id])
    assert sealed_all() == 4
    assert [seal.count for seal in chain(broken)] == [5]
    assert len(chain(sound)) == 3


_INSERT = """
INSERT INTO quotes_seal (symbol_id, minute_ms, count, first_seq, root, previous_head, head, sealed_at_ms)
SELECT symbol_id, minute_ms + %(later_ms)s, 1, first_seq + count + %(ahead)s, root, {previous}, head, sealed_at_ms
FROM quotes_seal WHERE symbol_id = %(id)s ORDER BY first_seq DESC LIMIT 1"""


_BROKEN = [(60_000, 0, "previous_head"), (60_000, 1, "head"), (0, 0, "head"), (-60_000, 0, "head"), (1, 0, "head")]


def test_the_database_refuses_a_seal_that_does_not_follow() -> None:
    """The chain cannot fork, skip a tick or go back, whoever writes it."""
    market = filled()
    finished(market)
    sealed_all()
    for later_ms, ahead, previous in _BROKEN:
        with pytest.raises(DatabaseError):
            db.run(_INSERT.format(previous=previous), {"later_ms": later_ms, "ahead": ahead, "id": market.symbol.id})
    assert db.run(_INSERT.format(previous="head"), {"later_ms": 60_000, "ahead": 0, "id": market.symbol.id}) == 1


@pytest.mark.parametrize("statement", ["UPDATE quotes_seal SET count = 1", "DELETE FROM quotes_seal"])
def test_seals_are_append_only(statement: str) -> None:
    """No seal changes or goes, even for the tables' owner."""
    finished(filled())
    sealed_all()
    with pytest.raises(DatabaseError, match="append-only"):
        db.run(statement)


_BEYOND = (
    "UPDATE quotes_seal SET count = 1",
    "DELETE FROM quotes_seal",
    "TRUNCATE quotes_seal",
    "DELETE FROM quotes_day_archive",
    "UPDATE quotes_day_manifest SET document = ''",
    "INSERT INTO quotes_seal_origin VALUES (1, 5)",
)


def test_the_role_of_the_application_may_only_add_seals() -> None:
    """Two roles: what history is, is no right of the process that serves and seals."""
    with psycopg.connect(database_url(), autocommit=True) as session:
        for statement in _BEYOND:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


def test_ticks_are_proved_by_their_seals() -> None:
    """Formats, inclusion proof: each path leads from the tick's leaf to the root of its minute's seal."""
    market = filled(minutes=3, ticks=5)
    market.admit("1.13", at_ms=minute_ago(0))
    sealed_all()

    proofs = tick_proofs(symbol_id=market.symbol.id, seqs=[1, 7, 10, 15, 16, 99])

    assert sorted(proofs) == [1, 7, 10, 15]
    assert {proof.seal for proof in proofs.values()} == set(chain(market))
    ticks = {row[0]: row for row in db.rows(_READ, [market.symbol.id])}
    for seq, proof in proofs.items():
        (leaf,) = leaves_of([ticks[seq]])
        found = root_from_path(leaf=leaf, index=proof.index, count=proof.seal.count, path=proof.path)
        assert found == proof.seal.root
    assert tick_proofs(symbol_id=market.symbol.id, seqs=[]) == {}


def test_ticks_that_have_left_the_table_are_not_proved() -> None:
    """A day that is in the archive only is proved from there."""
    market = filled()
    finished(market)
    sealed_all()
    nothing, everything = "(SELECT * FROM quotes_tick WHERE false)", "(SELECT * FROM quotes_tick)"
    assert tick_proofs(symbol_id=market.symbol.id, seqs=[1], ticks=nothing) == {}
    assert set(tick_proofs(symbol_id=market.symbol.id, seqs=[1], ticks=everything)) == {1}
