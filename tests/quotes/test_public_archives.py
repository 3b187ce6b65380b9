"""Archives that anyone can download: written once when a day is sealed, made from the log before that."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client

from kernel import db
from quotes import archive_reads
from quotes.archive_text import SealedTicksMissingError
from quotes.models import DayArchive, DayManifest, SymbolRevision, TickArchive
from quotes.public_archives import archive_path, public_day_write
from settlement.archive import SealsMissingError, ticks_archive
from tests.quotes.archive_reader import archive_checked, canonical, signature_checked
from tests.quotes.market import Market, database_now_ms
from tests.quotes.sealed import (
    chain,
    filled,
    finished,
    minute_ago,
    sealed_all,
    sealed_market,
    unguarded,
    yesterday_noon,
)

pytestmark = pytest.mark.django_db(transaction=True)

BASE = "/api/v1/fairness"


@pytest.fixture(autouse=True)
def _signed_below(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR, settings.DEVELOPMENT = tmp_path, True
    archive_reads._manifests.clear()
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT quotes_partition_ensure((now() AT TIME ZONE 'UTC')::date - 1)")


def _day_of(market: Market) -> date:
    return datetime.fromtimestamp(chain(market)[-1].minute_ms / 1000, UTC).date()


def _yesterday() -> tuple[Market, date]:
    """Return a market that was sealed yesterday, and the day, written."""
    market = sealed_market(back=yesterday_noon())
    day = _day_of(market)
    assert public_day_write(day=day, now_ms=database_now_ms())
    return market, day


def _text(client: Client, market: Market, day: date) -> str:
    answer = client.get(f"{BASE}/archives/{day}/{market.code}")
    assert answer.status_code == 200
    return b"".join(answer).decode()


def test_an_ended_day_is_written_once_and_says_what_was_sealed(client: Client) -> None:
    """Formats, archives and manifest: a second reader finds every byte, hash and signature right."""
    market, day = _yesterday()
    assert public_day_write(day=day, now_ms=database_now_ms() + 5_000)
    text = _text(client, market, day)

    statement = archive_checked(text, symbol=market.code, day=str(day))
    signature_checked(statement)
    assert (statement["complete"], statement["seals"], statement["ticks"]) == (True, 3, 15)
    assert statement["last_head"] == chain(market)[-1].head.hex()
    assert gzip.decompress(archive_path(day, market.code).read_bytes()).decode() == text

    answer = client.get(f"{BASE}/archives/{day}")
    manifest = answer.json()
    signature_checked(manifest)
    assert answer.content.decode() == canonical(manifest)
    assert archive_path(day, market.code).with_name("manifest.json").read_bytes() == answer.content
    (entry,) = manifest["archives"]
    assert (manifest["complete"], manifest["version"]) == (True, "day/1")
    assert (entry["bytes"], entry["sha256"]) == (len(text), sha256(text.encode()).hexdigest())
    assert {name: entry[name] for name in ("last_head", "previous_head", "root", "seals", "ticks", "symbol")} == {
        name: statement[name] for name in ("last_head", "previous_head", "root", "seals", "ticks", "symbol")
    }


def test_days_follow_each_other_by_their_heads(client: Client) -> None:
    """Formats: a day begins with the head that the day before ended with, also a day without a tick."""
    market = filled(back=yesterday_noon())
    market.admit("1.1205", at_ms=minute_ago(0))
    silent = sealed_market(back=yesterday_noon(), minutes=1)
    finished(market)
    sealed_all()
    day, today = _day_of(silent), _day_of(market)
    assert public_day_write(day=day, now_ms=database_now_ms())

    statement = archive_checked(_text(client, market, today), symbol=market.code, day=str(today))
    empty = archive_checked(_text(client, silent, today), symbol=silent.code, day=str(today))

    assert (statement["complete"], statement["seals"]) == (False, 1)
    before = archive_checked(_text(client, market, day), symbol=market.code, day=str(day))
    assert statement["previous_head"] == before["last_head"] == chain(market)[2].head.hex()
    assert (empty["seals"], empty["last_head"], empty["previous_head"]) == (0, *[chain(silent)[0].head.hex()] * 2)
    assert day < today


def test_a_day_says_which_revisions_its_ticks_name(client: Client) -> None:
    """Formats, statement: what the integers mean, for each revision that occurs."""
    market = sealed_market(back=yesterday_noon())
    SymbolRevision.objects.create(
        symbol=market.symbol, number=2, feed="script", source="x", price_scale=3, price_source="mid", since_ms=1_000
    )
    statement = archive_checked(_text(client, market, _day_of(market)), symbol=market.code, day=str(_day_of(market)))
    assert statement["revisions"] == [
        {
            "feed": "script",
            "number": 1,
            "price_scale": 5,
            "price_source": "mid",
            "since": None,
            "symbol": market.code.lower(),
        }
    ]


def test_the_archive_job_waits_for_every_minute_of_the_day() -> None:
    """Issue: nothing is archived before it is sealed; the job fails, tells the day, and is asked for again."""
    market = filled(back=yesterday_noon())
    finished(market)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended('quotes_seals', 0))")
        with pytest.raises(SealsMissingError, match="waits for its seals"):
            ticks_archive(now_ms=database_now_ms())
        assert not TickArchive.objects.exists()
        assert not DayArchive.objects.exists()
    finally:
        other.close()
    # The archive of a day waits an hour; asked for later, it seals what is left by itself.
    assert ticks_archive(now_ms=database_now_ms() + 7_200_000).startswith("archived")
    assert DayManifest.objects.filter(day=_day_of(market)).exists()


def test_nothing_is_published_that_contradicts_a_seal(client: Client) -> None:
    """I-22: a changed tick fails the job and the download, and leaves no file."""
    market = sealed_market(back=yesterday_noon())
    day = _day_of(market)
    with unguarded("quotes_tick"):
        db.run("UPDATE quotes_tick SET price = price + 1 WHERE symbol_id = %s AND seq = 7", [market.symbol.id])
    with pytest.raises(SealedTicksMissingError):
        public_day_write(day=day, now_ms=database_now_ms())
    assert list(archive_path(day, market.code).parent.iterdir()) == []
    assert not DayArchive.objects.exists()
    answer = client.get(f"{BASE}/archives/{day}/{market.code}")
    assert (answer.status_code, answer.json()["code"]) == (503, "archive.unavailable")


def test_a_day_that_left_the_log_is_read_from_its_file(client: Client) -> None:
    """Issue: archives outlive the log."""
    market, day = _yesterday()
    before = _text(client, market, day)
    with unguarded("quotes_tick"):
        db.run("DELETE FROM quotes_tick")
    assert _text(client, market, day) == before
    archive_path(day, market.code).unlink()
    answer = client.get(f"{BASE}/archives/{day}/{market.code}")
    assert (answer.status_code, answer.json()["code"]) == (503, "archive.unavailable")


@pytest.mark.parametrize("complete", [True, False])
def test_a_client_that_takes_gzip_gets_gzip(client: Client, complete: bool) -> None:
    """Issue: Content-Encoding by what the client accepts; an ETag for what will not change."""
    market = _yesterday()[0] if complete else sealed_market()
    path = f"{BASE}/archives/{_day_of(market)}/{market.code}"
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.8"})
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})

    body, raw = b"".join(plain), b"".join(packed)
    assert packed["Content-Encoding"] == "gzip"
    assert int(packed["Content-Length"]) == len(raw)
    assert complete is (gzip.decompress(raw) == body) or not complete
    assert len(b"".join(refused)) == len(body)
    for answer in (plain, refused):
        assert "Content-Encoding" not in answer
        assert answer["Content-Type"].startswith("text/plain")
    assert plain["Content-Disposition"] == f'attachment; filename="{market.code}-{_day_of(market)}.txt"'
    tags = [answer.headers.get("ETag") for answer in (plain, packed)]
    digest = sha256(body).hexdigest()
    assert tags == ([f'"{digest}"', f'"{digest}.gz"'] if complete else [None, None])
    if complete:
        assert client.get(path, headers={"If-None-Match": f'"x", {tags[0]}'}).status_code == 304
        other = client.get(path, headers={"If-None-Match": '"x"'})
        assert (other.status_code, b"".join(other)) == (200, body)


def test_a_server_of_asgi_streams_too() -> None:
    """Architecture, runtimes: the same text from the process that serves web and gateway."""
    market = sealed_market()
    day = _day_of(market)

    async def fetched() -> bytes:
        answer = await AsyncClient().get(f"{BASE}/archives/{day}/{market.code}")
        assert isinstance(answer, StreamingHttpResponse)
        assert answer.is_async
        parts = [part async for part in answer]
        answer.close()
        return b"".join(parts)

    archive_checked(async_to_sync(fetched)().decode(), symbol=market.code, day=str(day))


def test_only_some_texts_are_made_at_once(client: Client) -> None:
    """A text of the current day costs a second of a processor: more than a few at once are put off."""
    market = sealed_market()
    taken = [archive_reads._MAKERS.acquire(blocking=False) for _ in range(2)]
    try:
        answer = client.get(f"{BASE}/archives/{_day_of(market)}/{market.code}")
    finally:
        for _ in taken:
            archive_reads._MAKERS.release()
    assert (answer.status_code, answer.json()["code"]) == (503, "archive.busy")
    assert answer["Retry-After"] == "2"
    archive_checked(_text(client, market, _day_of(market)), symbol=market.code, day=str(_day_of(market)))


def test_archives_are_listed_newest_day_first_page_by_page(client: Client) -> None:
    """Contract, lists: complete days and the current one, each once, whatever the size of a page."""
    old, day = _yesterday()
    new = sealed_market(minutes=1, back=0)
    rows = client.get(f"{BASE}/archives").json()["data"]
    today = datetime.fromtimestamp(database_now_ms() / 1000, UTC).date()
    assert [(row["day"], row["symbol"], row["complete"]) for row in rows] == [
        (str(today), new.code, False),
        (str(today), old.code, False),
        (str(day), old.code, True),
    ]
    assert [(row["seals"], row["ticks"]) for row in rows] == [(1, 5), (0, 0), (3, 15)]
    assert rows[1]["previous_head"] == rows[2]["last_head"] == chain(old)[-1].head.hex()
    assert [rows[0]["sha256"], rows[2]["sha256"]] == [None, DayArchive.objects.get().sha256]

    paged, cursor = [], ""
    while True:
        answer = client.get(f"{BASE}/archives", {"limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        paged += answer["data"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert paged == rows
    only = client.get(f"{BASE}/archives", {"symbol": old.code, "from": str(day), "to": str(today)}).json()["data"]
    assert only == rows[2:]


def test_the_manifest_of_the_current_day_grows(client: Client) -> None:
    """Formats, manifest: what is sealed so far, with the roots of the archives, and not complete."""
    market = sealed_market()
    day = _day_of(market)
    manifest = client.get(f"{BASE}/archives/{day}").json()
    signature_checked(manifest)
    statement = json.loads(_text(client, market, day).splitlines()[-1])
    (entry,) = manifest["archives"]
    assert (manifest["complete"], entry["bytes"], entry["sha256"]) == (False, None, None)
    assert all(entry[name] == statement[name] for name in ("root", "last_head", "seals", "ticks"))


def test_heads_are_listed_by_minute(client: Client) -> None:
    """Issue: seals ascending, at most a day of minutes a call."""
    market = sealed_market(apart=2)
    rows = client.get(f"{BASE}/heads", {"symbol": market.code}).json()["data"]
    assert [row["head"] for row in rows] == [seal.head.hex() for seal in chain(market)]
    assert [row["first_seq"] for row in rows] == [1, 6, 11]
    bounds = {"from": rows[1]["minute"], "to": rows[2]["minute"]}
    assert client.get(f"{BASE}/heads", {"symbol": market.code} | bounds).json()["data"] == [rows[1]]


_REFUSED = {
    "archives/2026-02-30": 400,
    "archives/20260201": 400,
    "archives/yesterday/CODE": 400,
    "archives/2999-01-01": 404,
    "archives/1999-01-01": 404,
    "archives/1999-01-01/CODE": 404,
    "archives/TODAY/NOPE": 404,
    "archives?symbol=NOPE": 404,
    "archives?from=2026-1-1": 400,
    "archives?until=2026-01-01": 400,
    "archives?cursor=x": 400,
    "archives?limit=0": 400,
    "heads": 400,
    "heads?symbol=NOPE": 404,
    "heads?symbol=CODE&from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z": 400,
    "heads?symbol=CODE&from=2026-01-01": 400,
}


def test_what_cannot_be_answered_is_a_problem(client: Client) -> None:
    """Contract, Errors: 400 for a bad day, 404 for an unknown symbol or a day that has nothing to show."""
    market = sealed_market(minutes=1)
    answers = {
        path: client.get(f"{BASE}/{path.replace('CODE', market.code).replace('TODAY', str(_day_of(market)))}")
        for path in _REFUSED
    }
    assert {path: answer.status_code for path, answer in answers.items()} == _REFUSED
    assert {answer["Content-Type"] for answer in answers.values()} == {"application/problem+json"}
