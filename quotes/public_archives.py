"""Archives for everybody: each ended day is written once to files and listed in a signed manifest.

A day is complete when it has its manifest. Until then its texts are made from the log when they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from django.conf import settings
from django.db import transaction

from kernel import db
from kernel.clock import rfc3339
from kernel.signing import canonical, signed
from quotes.admission import watermarks_raise_to_expiry
from quotes.archive_text import DAY_MS, DayChain, archive_write, day_chain, day_start_ms
from quotes.models import DayArchive, DayManifest
from quotes.sealing import day_root
from quotes.seals import seals_make

log = structlog.get_logger(__name__)

MANIFEST_VERSION = "day/1"

# Symbols of which a tick of the day could still be admitted, or has been and is not sealed.
_OPEN = """
SELECT symbol.code FROM quotes_symbol AS symbol JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
LEFT JOIN LATERAL (
    SELECT seal.minute_ms + 60000 AS until_ms, seal.first_seq + seal.count AS next_seq FROM quotes_seal AS seal
    WHERE seal.symbol_id = symbol.id ORDER BY seal.first_seq DESC LIMIT 1
) AS sealed ON true
WHERE head.watermark_ms < %(end_ms)s - 1 OR head.seq >= coalesce(sealed.next_seq, 1) AND EXISTS (
    SELECT FROM quotes_tick AS tick
    WHERE tick.symbol_id = symbol.id AND tick.at_ms >= coalesce(sealed.until_ms, 0) AND tick.at_ms < %(end_ms)s)
ORDER BY symbol.code"""

_BEHIND = "SELECT symbol_id FROM quotes_symbol_head WHERE watermark_ms < %(end_ms)s - 1"

# Symbols whose chain has begun by the end of a day, in the order of manifests.
_CHAINED = """
SELECT symbol.id, symbol.code FROM quotes_symbol AS symbol
WHERE EXISTS (SELECT FROM quotes_seal AS seal WHERE seal.symbol_id = symbol.id AND seal.minute_ms < %(end_ms)s)
ORDER BY symbol.code COLLATE "C\""""


def public_day_write(*, day: date, now_ms: int) -> bool:
    """Write the archives and the manifest of an ended day; return False while a minute of it is not sealed.

    What is written already stays as it is. A day before the first seal of all has nothing to show and is done.

    :raises SealedTicksMissingError: when the log contradicts a seal
    """
    end_ms = day_start_ms(day) + DAY_MS
    if public_day_done(day):
        return True
    _day_close(end_ms, now_ms)
    unsealed = [code for (code,) in db.rows(_OPEN, {"end_ms": end_ms})]
    if unsealed:
        log.warning("archive_waits_for_seals", day=str(day), symbols=unsealed[:10])
        return False
    chained = db.rows(_CHAINED, {"end_ms": end_ms})
    for symbol_id, code in chained:
        if not DayArchive.objects.filter(day=day, symbol_id=symbol_id).exists():
            chain = day_chain(symbol_id=symbol_id, code=code, day=day)
            assert chain is not None
            _archive_store(chain, now_ms)
    if chained:
        _manifest_store(day, [code for _, code in chained], now_ms)
    return True


def public_day_done(day: date) -> bool:
    """Whether a day's archives are written, or it ended before the first seal of all was made."""
    if DayManifest.objects.filter(day=day).exists():
        return True
    return not db.rows(_CHAINED, {"end_ms": day_start_ms(day) + DAY_MS}) and _log_is_sealed(day)


def _log_is_sealed(day: date) -> bool:
    return not db.rows(_OPEN, {"end_ms": day_start_ms(day) + DAY_MS})


def _day_close(end_ms: int, now_ms: int) -> None:
    """Let no tick of an ended day be admitted any more where a feed is silent, and seal what is final."""
    behind = [symbol_id for (symbol_id,) in db.rows(_BEHIND, {"end_ms": end_ms})]
    if behind:
        watermarks_raise_to_expiry(targets=dict.fromkeys(behind, end_ms - 1))
    while seals_make(now_ms=now_ms):
        pass


def _archive_store(chain: DayChain, now_ms: int) -> None:
    """Write one archive; its file is there, whole and on the disk, before its row is."""
    path = archive_path(chain.day, chain.code)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    try:
        with draft.open("wb") as file:
            written = archive_write(chain, file, complete=True, now_ms=now_ms)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _folder_sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    DayArchive.objects.create(
        day=chain.day,
        symbol_id=chain.symbol_id,
        path=str(path.relative_to(_root())),
        bytes=written.length,
        sha256=written.sha256,
        seals=len(chain.seals),
        ticks=chain.ticks,
        previous_head=chain.previous_head,
        last_head=chain.last_head,
        root=chain.root,
        written_at_ms=now_ms,
    )
    log.info("archive_written", day=str(chain.day), symbol=chain.code, ticks=chain.ticks)


def _manifest_store(day: date, codes: Sequence[str], now_ms: int) -> None:
    archives = {row.symbol.code: row for row in DayArchive.objects.filter(day=day).select_related("symbol")}
    entries = [archive_entry(archives[code]) for code in codes]
    document = manifest(day, entries, complete=True, now_ms=now_ms)
    path = archive_path(day, "x").with_name("manifest.json")
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    with transaction.atomic(durable=True):
        DayManifest.objects.create(day=day, document=document.decode(), made_at_ms=now_ms)
        # Beside the texts for whoever copies the folder; the row is what is published.
        draft.replace(path)
        _folder_sync(path.parent)


def archive_entry(row: DayArchive) -> dict[str, Any]:
    """Return how a manifest lists a complete archive."""
    return {
        "bytes": row.bytes,
        "last_head": bytes(row.last_head).hex(),
        "previous_head": bytes(row.previous_head).hex(),
        "root": bytes(row.root).hex(),
        "seals": row.seals,
        "sha256": row.sha256,
        "symbol": row.symbol.code,
        "ticks": row.ticks,
    }


def manifest(day: date, entries: Sequence[dict[str, Any]], *, complete: bool, now_ms: int) -> bytes:
    """Return the signed manifest of a day as it is published."""
    document = {
        "archives": list(entries),
        "complete": complete,
        "day": day.isoformat(),
        "root": day_root(bytes.fromhex(entry["root"]) for entry in entries).hex(),
        "signed_at": rfc3339(now_ms),
        "version": MANIFEST_VERSION,
    }
    return canonical(signed(document))


def archive_path(day: date, code: str) -> Path:
    """Return where the archive of a symbol's complete day is."""
    return _root() / "public" / f"{day:%Y}" / day.isoformat() / f"{quote(code, safe='')}.txt.gz"


def archive_file(row: DayArchive) -> Path:
    """Return the file of a complete archive."""
    return _root() / row.path


def _root() -> Path:
    root: Path = settings.DATA_DIR / "archive"
    return root


def _folder_sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
