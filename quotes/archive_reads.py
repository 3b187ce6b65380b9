"""Reads of seals and archives for everybody: lists, manifests, texts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from threading import BoundedSemaphore, Lock
from typing import IO, Any

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.errors import Problem, not_found
from quotes.archive_text import DAY_MS, SealedTicksMissingError, archive_write, day_chain, day_start_ms
from quotes.models import DayArchive, DayManifest
from quotes.public_archives import archive_file, manifest
from quotes.sealing import SealRow, day_root
from quotes.selectors import symbol_log

# A day that has not ended is made from the log for each reader, which takes a second or two of a processor.
_MAKERS = BoundedSemaphore(2)
_MANIFEST_KEPT_S = 10.0
# Days that ended but are not written yet: seldom more than one, never more than the log keeps.
_OPEN_DAYS_MOST = 40

_HEADS = """
SELECT minute_ms, count, first_seq, root, previous_head, head FROM quotes_seal
WHERE symbol_id = %(symbol_id)s AND minute_ms >= %(from_ms)s AND minute_ms < %(to_ms)s
ORDER BY minute_ms LIMIT %(limit)s"""

_OPEN_SINCE = f"""
SELECT {DB_NOW_MS_SQL}, (SELECT max(day) FROM quotes_day_manifest), (SELECT min(minute_ms) FROM quotes_seal)"""

# Archives of days that are not complete: each symbol whose chain had begun by the day's end, newest day first.
_OPEN_ARCHIVES = """
WITH page AS MATERIALIZED (
    SELECT asked.day, asked.from_ms, symbol.id, symbol.code, newest.next_seq, newest.head
    FROM unnest(%(days)s::date[], %(starts)s::bigint[]) AS asked(day, from_ms)
    CROSS JOIN quotes_symbol AS symbol
    CROSS JOIN LATERAL (
        SELECT seal.first_seq + seal.count AS next_seq, seal.head FROM quotes_seal AS seal
        WHERE seal.symbol_id = symbol.id AND seal.minute_ms < asked.from_ms + 86400000
        ORDER BY seal.minute_ms DESC LIMIT 1
    ) AS newest
    WHERE (%(code)s::text IS NULL OR symbol.code = %(code)s::text)
      AND (%(before_day)s::date IS NULL OR (asked.day, symbol.id) < (%(before_day)s::date, %(before_id)s::int))
    ORDER BY asked.day DESC, symbol.id DESC LIMIT %(limit)s
)
SELECT page.day, page.id, page.code, false,
       (SELECT count(*) FROM quotes_seal AS seal WHERE seal.symbol_id = page.id
          AND seal.minute_ms >= page.from_ms AND seal.minute_ms < page.from_ms + 86400000),
       page.next_seq - coalesce(earlier.next_seq, first.first_seq), NULL, NULL,
       coalesce(earlier.head, decode(repeat('00', 32), 'hex')), page.head, NULL
FROM page
LEFT JOIN LATERAL (
    SELECT seal.first_seq + seal.count AS next_seq, seal.head FROM quotes_seal AS seal
    WHERE seal.symbol_id = page.id AND seal.minute_ms < page.from_ms ORDER BY seal.minute_ms DESC LIMIT 1
) AS earlier ON true
LEFT JOIN LATERAL (
    SELECT seal.first_seq FROM quotes_seal AS seal WHERE seal.symbol_id = page.id ORDER BY seal.first_seq LIMIT 1
) AS first ON true
ORDER BY page.day DESC, page.id DESC"""

_COMPLETE_ARCHIVES = """
SELECT archive.day, archive.symbol_id, symbol.code, true, archive.seals, archive.ticks, archive.bytes, archive.sha256,
       archive.previous_head, archive.last_head, archive.root
FROM quotes_day_archive AS archive JOIN quotes_symbol AS symbol ON symbol.id = archive.symbol_id
WHERE archive.day >= %(from_day)s AND archive.day < %(to_day)s
  AND (%(code)s::text IS NULL OR symbol.code = %(code)s::text)
  AND (%(before_day)s::date IS NULL OR (archive.day, archive.symbol_id) < (%(before_day)s::date, %(before_id)s::int))
  AND EXISTS (SELECT FROM quotes_day_manifest AS manifest WHERE manifest.day = archive.day)
ORDER BY archive.day DESC, archive.symbol_id DESC LIMIT %(limit)s"""

_DAY_HEADS = """
SELECT symbol_id, head FROM quotes_seal
WHERE symbol_id = ANY(%(ids)s) AND minute_ms >= %(from_ms)s AND minute_ms < %(to_ms)s ORDER BY symbol_id, minute_ms"""


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """An archive in lists. Length, hash and root are known of complete ones only."""

    day: date
    symbol_id: int
    symbol: str
    complete: bool
    seals: int
    ticks: int
    length: int | None
    sha256: str | None
    previous_head: bytes
    last_head: bytes
    root: bytes | None


@dataclass(frozen=True, slots=True)
class ArchivesAsk:
    """Which archives are asked for: days in [from, to) before a place in the list."""

    code: str | None
    from_day: date
    to_day: date
    before_day: date | None
    before_id: int
    limit: int


@dataclass(frozen=True, slots=True)
class ArchiveContent:
    """An archive's text, compressed, with its hash if it will never change."""

    file: IO[bytes]
    sha256: str | None


def heads_between(*, code: str, from_ms: int, to_ms: int, limit: int) -> list[SealRow]:
    """Return a symbol's seals of minutes in [from, to), ascending.

    :raises Problem: ``symbol.unknown``
    """
    bounds = {"symbol_id": symbol_log(code).symbol_id, "from_ms": from_ms, "to_ms": to_ms, "limit": limit}
    return [SealRow(code, *row) for row in db.rows(_HEADS, bounds)]


def archives_list(ask: ArchivesAsk) -> list[ArchiveRow]:
    """Return archives, newest day first: those of days that are not complete yet come before all others.

    :raises Problem: ``symbol.unknown``
    """
    if ask.code is not None:
        symbol_log(ask.code)
    days = [day for day in _days_open() if ask.from_day <= day < ask.to_day]
    found = _open_archives(days, ask)
    if len(found) < ask.limit:
        bounds = {
            "code": ask.code,
            "from_day": ask.from_day,
            "to_day": ask.to_day,
            "before_day": ask.before_day,
            "before_id": ask.before_id,
            "limit": ask.limit - len(found),
        }
        found += [ArchiveRow(*row) for row in db.rows(_COMPLETE_ARCHIVES, bounds)]
    return found


def _days_open() -> list[date]:
    """Return the days up to today whose archives are not written, newest first."""
    found = db.row(_OPEN_SINCE)
    assert found is not None
    now_ms, written, first_ms = found
    if first_ms is None:
        return []
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    oldest = datetime.fromtimestamp(first_ms / 1000, UTC).date() if written is None else written + timedelta(days=1)
    count = min((today - oldest).days + 1, _OPEN_DAYS_MOST)
    return [today - timedelta(days=back) for back in range(count)]


def _open_archives(days: Sequence[date], ask: ArchivesAsk) -> list[ArchiveRow]:
    if not days:
        return []
    bounds = {
        "days": list(days),
        "starts": [day_start_ms(day) for day in days],
        "code": ask.code,
        "before_day": ask.before_day,
        "before_id": ask.before_id,
        "limit": ask.limit,
    }
    return [ArchiveRow(*row) for row in db.rows(_OPEN_ARCHIVES, bounds)]


_manifests: dict[date, tuple[float, bytes]] = {}
_manifest_lock = Lock()


def day_manifest(*, day: date, now_ms: int) -> bytes:
    """Return a day's manifest: as it was published, or of what is sealed so far.

    :raises Problem: 404 for a day that has nothing to show
    """
    published = DayManifest.objects.filter(day=day).first()
    if published is not None:
        return published.document.encode()
    with _manifest_lock:
        made_s, document = _manifests.get(day, (-_MANIFEST_KEPT_S, b""))
        if time.monotonic() - made_s >= _MANIFEST_KEPT_S:
            document = _manifest_so_far(day, now_ms)
            _manifests.clear()
            _manifests[day] = (time.monotonic(), document)
    return document


def _manifest_so_far(day: date, now_ms: int) -> bytes:
    if day not in _days_open():
        raise not_found()
    everything = ArchivesAsk(None, day, day + timedelta(days=1), None, 0, limit=100_000)
    rows = sorted(_open_archives([day], everything), key=lambda row: row.symbol)
    if not rows:
        raise not_found()
    heads: dict[int, list[bytes]] = {row.symbol_id: [] for row in rows}
    bounds = {"ids": list(heads), "from_ms": day_start_ms(day), "to_ms": day_start_ms(day) + DAY_MS}
    for symbol_id, head in db.rows(_DAY_HEADS, bounds):
        heads[symbol_id].append(head)
    return manifest(day, [_entry_so_far(row, heads[row.symbol_id]) for row in rows], complete=False, now_ms=now_ms)


def _entry_so_far(row: ArchiveRow, heads: Sequence[bytes]) -> dict[str, Any]:
    """Return how a manifest lists an archive that grows; what was sealed since the row was read is not in it."""
    counted = heads[: row.seals]
    return {
        "bytes": None,
        "last_head": row.last_head.hex(),
        "previous_head": row.previous_head.hex(),
        "root": day_root(counted).hex(),
        "seals": row.seals,
        "sha256": None,
        "symbol": row.symbol,
        "ticks": row.ticks,
    }


def archive_content(*, day: date, code: str, now_ms: int) -> ArchiveContent:
    """Return a symbol's archive of a day: the file that was written, or a text of what is sealed so far.

    :raises Problem: ``symbol.unknown``; 404 for a day that has nothing to show; ``archive.busy`` when too many ask at
        once; ``archive.unavailable`` when its file is missing or the log contradicts the seals
    """
    symbol_id = symbol_log(code).symbol_id
    if DayManifest.objects.filter(day=day).exists():
        row = DayArchive.objects.filter(day=day, symbol_id=symbol_id).first()
        if row is None:
            raise not_found()
        try:
            return ArchiveContent(archive_file(row).open("rb"), row.sha256)
        except OSError as error:
            raise _unavailable("Its file is missing.") from error
    if day not in _days_open():
        raise not_found()
    return ArchiveContent(_text_so_far(symbol_id, code, day, now_ms), None)


def _text_so_far(symbol_id: int, code: str, day: date, now_ms: int) -> IO[bytes]:
    if not _MAKERS.acquire(blocking=False):
        raise Problem(
            "archive.busy",
            status=503,
            title="Too many archives are being made; send the same request again.",
            retry_after_s=2,
        )
    try:
        chain = day_chain(symbol_id=symbol_id, code=code, day=day)
        if chain is None:
            raise not_found()
        with ExitStack() as opened:
            # A file without a name: its reader may take as long as it wants and holds neither memory nor the database.
            file = opened.enter_context(tempfile.TemporaryFile())
            archive_write(chain, file, complete=False, now_ms=now_ms)
            file.seek(0)
            # From here on it is closed by whoever reads it.
            opened.pop_all()
            return file
    except SealedTicksMissingError as error:
        raise _unavailable("The log does not have the ticks that were sealed.") from error
    finally:
        _MAKERS.release()


def _unavailable(detail: str) -> Problem:
    return Problem("archive.unavailable", status=503, title="This archive cannot be read.", detail=detail)
