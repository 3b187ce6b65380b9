"""Heads outside the database: each arrives, whatever fails on the way, and never a failure holds up sealing."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection

from kernel.clock import rfc3339
from quotes import heads as publishing
from quotes import heads_receiver
from quotes.heads import FILE_TARGET, Head, UndeliveredError, heads_append, heads_folder, heads_publish
from quotes.heads_receiver import HeadsReceiver
from quotes.models import HeadPublication
from quotes.seal_gauges import seals_gauges
from quotes.seals import seals_violations
from tests.quotes.market import Market
from tests.quotes.sealed import chain, filled, finished, sealed_all, sealed_market
from tests.quotes.witness import Witness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _data_below(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def _lines() -> list[str]:
    return [line for path in sorted(heads_folder().glob("*")) for line in path.read_text().splitlines()]


def _expected(market: Market) -> list[str]:
    return [f"{rfc3339(seal.minute_ms)} {market.code} {seal.count} {seal.head.hex()}" for seal in chain(market)]


def _published() -> int:
    return heads_publish(target=FILE_TARGET, deliver=heads_append)


def _gauge(name: str) -> str:
    return next(line.rpartition(" ")[2] for line in seals_gauges().splitlines() if line.startswith(name))


def test_heads_are_lines_of_the_months_file() -> None:
    """Formats, heads: one line a head, appended; nothing is told twice when nothing is new."""
    market = sealed_market()
    assert _gauge('fairstrike_heads_unpublished{target="file"}') == "3"
    assert [_published(), _published()] == [3, 0]
    assert _lines() == _expected(market)
    assert _gauge('fairstrike_heads_unpublished{target="file"}') == "0"
    month = rfc3339(chain(market)[0].minute_ms)[:7]
    assert (heads_folder() / f"heads-{month}.log").is_file()


def test_each_month_has_its_file(tmp_path: Path) -> None:
    """Formats, heads: the minute says which file."""
    december_ms, january_ms = 1_767_225_540_000, 1_767_225_600_000
    heads_append([Head(1, december_ms, "A", 1, b"\1" * 32), Head(2, january_ms, "A", 1, b"\2" * 32)])
    assert sorted(path.name for path in heads_folder().iterdir()) == ["heads-2025-12.log", "heads-2026-01.log"]


def test_a_crash_between_file_and_commit_repeats_lines_and_loses_none() -> None:
    """Formats, heads: the file has the lines before the cursor moves; a torn line spoils no other."""
    market = sealed_market()

    class Killed(Exception):
        pass

    def killed(heads: Any) -> None:
        heads_append(heads[:2])
        raise Killed

    with pytest.raises(Killed):
        heads_publish(target=FILE_TARGET, deliver=killed)
    (path,) = heads_folder().iterdir()
    os.truncate(path, path.stat().st_size - 20)
    assert _published() == 3
    lines, expected = _lines(), _expected(market)
    assert lines == [expected[0], expected[1][:-19], *expected]
    assert seals_violations(full=True) == 0


def test_the_lag_is_the_age_of_the_oldest_final_minute_without_a_seal() -> None:
    """Metrics: 0 when all is sealed, else since that minute's end."""
    finished(filled(minutes=1, back=10))
    assert 9 * 60_000 - 1_000 < int(_gauge("fairstrike_seal_lag_ms")) < 11 * 60_000
    sealed_all()
    assert _gauge("fairstrike_seal_lag_ms") == "0"


def test_a_disk_that_takes_nothing_is_counted_and_asked_again(tmp_path: Path) -> None:
    """Failures are on record; the heads arrive once the disk is back."""
    sealed_market()
    heads_folder().write_text("a file where the folder should be")
    with pytest.raises(UndeliveredError):
        _published()
    assert HeadPublication.objects.get(target=FILE_TARGET).failures == 1
    assert _gauge('fairstrike_heads_failures_total{target="file"}') == "1"
    heads_folder().unlink()
    assert _published() == 3


def test_a_receiver_gets_every_head_in_batches_whatever_fails_first(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formats, heads: repeated until it is answered with 2xx; a redirection is no such answer."""
    monkeypatch.setattr(publishing, "BATCH_HEADS", 2)
    market = sealed_market(minutes=5)
    with Witness(500, 0, 302).serving() as witness:
        settings.HEADS_URL = witness.url
        receiver = HeadsReceiver(witness.url)
        for _ in range(3):
            with pytest.raises(UndeliveredError):
                heads_publish(target=receiver.target, deliver=receiver.deliver)
        assert (witness.refused, witness.heads) == (3, [])
        assert [heads_publish(target=receiver.target, deliver=receiver.deliver) for _ in range(4)] == [2, 2, 1, 0]
        receiver.close()
    assert [head["head"] for head in witness.heads] == [seal.head.hex() for seal in chain(market)]
    assert witness.heads[0] == {
        "count": 5,
        "head": chain(market)[0].head.hex(),
        "minute": rfc3339(chain(market)[0].minute_ms),
        "symbol": market.code,
    }
    assert _gauge('fairstrike_heads_failures_total{target="url"}') == "3"
    record = HeadPublication.objects.get(target=receiver.target)
    assert "secret" not in f"{record.target} {record.error}"


def test_a_receiver_that_does_not_answer_holds_up_nothing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded wait, in a transaction that holds no lock but its own: sealing and the file go on meanwhile."""
    monkeypatch.setattr(heads_receiver, "TIMEOUT_S", 0.3)
    sealed_market()
    seen: list[int] = []

    with Witness(1).serving() as witness:
        receiver = HeadsReceiver(witness.url)

        def waiting(heads: Any) -> None:
            with pytest.raises(UndeliveredError) as refused:
                receiver.deliver(heads)
            seen.append(_elsewhere())
            raise refused.value

        with pytest.raises(UndeliveredError):
            heads_publish(target=receiver.target, deliver=waiting)
        receiver.close()
    assert seen == [3]
    assert _published() == 6


def _elsewhere() -> int:
    """Seal another market on a connection of its own, as the loop that seals does; return how many seals."""
    made: list[int] = []

    def work() -> None:
        finished(filled())
        made.append(sealed_all())
        connection.close()

    thread = Thread(target=work)
    thread.start()
    thread.join(timeout=10)
    return made[0]


def test_a_second_publisher_does_not_wait() -> None:
    """Several workers: one of them publishes to a place, the others leave it to it."""
    sealed_market()
    _published()
    finished(filled())
    sealed_all()

    def second(heads: Any) -> None:
        seen.append(_second())

    seen: list[int] = []
    assert heads_publish(target=FILE_TARGET, deliver=second) == 3
    assert seen == [0]


def _second() -> int:
    found: list[int] = []

    def work() -> None:
        found.append(_published())
        connection.close()

    thread = Thread(target=work)
    thread.start()
    thread.join(timeout=10)
    return found[0]
