"""Heads leave the database: each goes to an append-only file, and to an address of the operator's choice.

How far each place has come is stored, and moves on only when the heads are there. Whatever dies in between, heads are
told again and never left out; a reader drops what repeats.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL, parse_rfc3339, rfc3339
from kernel.failpoints import reach
from kernel.metrics import count

log = structlog.get_logger(__name__)

FILE_TARGET = "file"
BATCH_HEADS = 500
_TAIL_BYTES = 2 * 1024 * 1024
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z) (\S{1,32}) ([1-9]\d{0,9}) ([0-9a-f]{64})\Z", re.ASCII)

_TARGET_ADD = "INSERT INTO quotes_head_publication (target, seal_id, failures, error) VALUES (%(target)s, 0, 0, '')"

# Whoever publishes to a place holds its row; a second publisher does not wait.
_CURSOR = "SELECT seal_id FROM quotes_head_publication WHERE target = %(target)s FOR NO KEY UPDATE SKIP LOCKED"

_NEXT = """
SELECT seal.id, seal.minute_ms, symbol.code, seal.count, seal.head
FROM quotes_seal AS seal JOIN quotes_symbol AS symbol ON symbol.id = seal.symbol_id
WHERE seal.id > %(after)s ORDER BY seal.id LIMIT %(limit)s"""

_ARRIVED = f"""
UPDATE quotes_head_publication SET seal_id = %(seal_id)s, published_at_ms = {DB_NOW_MS_SQL}, error = ''
WHERE target = %(target)s"""

_FAILED = f"""
UPDATE quotes_head_publication SET failures = failures + 1, failed_at_ms = {DB_NOW_MS_SQL}, error = %(error)s
WHERE target = %(target)s"""

_DIFFERENT = """
SELECT count(*) FROM unnest(%(minutes)s::bigint[], %(symbols)s::text[], %(counts)s::bigint[], %(heads)s::bytea[])
    AS told(minute_ms, symbol, count, head)
LEFT JOIN quotes_symbol AS symbol ON symbol.code = told.symbol
LEFT JOIN quotes_seal AS seal ON seal.symbol_id = symbol.id AND seal.minute_ms = told.minute_ms
WHERE (seal.count, seal.head) IS DISTINCT FROM (told.count, told.head)"""


class UndeliveredError(Exception):
    """The heads did not arrive; the message says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class Head:
    """What leaves the database of a seal."""

    seal_id: int
    minute_ms: int
    symbol: str
    count: int
    head: bytes

    @property
    def line(self) -> str:
        """The head's line in the file."""
        return f"{rfc3339(self.minute_ms)} {self.symbol} {self.count} {self.head.hex()}\n"

    @property
    def document(self) -> dict[str, object]:
        """What is posted of a head."""
        return {
            "count": self.count,
            "head": self.head.hex(),
            "minute": rfc3339(self.minute_ms),
            "symbol": self.symbol,
        }


Deliver = Callable[[Sequence[Head]], None]


def receiver_target(url: str) -> str:
    """Return the name under which the publication to an address is on record."""
    return f"url:{sha256(url.encode()).hexdigest()[:16]}"


def heads_publish(*, target: str, deliver: Deliver) -> int:
    """Bring the next heads to a place; return how many arrived, 0 when none waits or somebody else is at it.

    :raises UndeliveredError: when they did not arrive, which is counted and on record
    """
    if db.row("SELECT FROM quotes_head_publication WHERE target = %s", [target]) is None:
        db.run(f"{_TARGET_ADD} ON CONFLICT DO NOTHING", {"target": target})
    try:
        with transaction.atomic(durable=True):
            cursor = db.row(_CURSOR, {"target": target})
            if cursor is None:
                return 0
            heads = [Head(*row) for row in db.rows(_NEXT, {"after": cursor[0], "limit": BATCH_HEADS})]
            if heads:
                deliver(heads)
                reach("heads.delivered")
                db.run(_ARRIVED, {"target": target, "seal_id": heads[-1].seal_id})
                reach("heads.recorded")
            return len(heads)
    except UndeliveredError as error:
        count("heads_undelivered", target=target)
        db.run(_FAILED, {"target": target, "error": str(error)[:200]})
        raise


def heads_folder() -> Path:
    """Return where the files of heads are."""
    folder: Path = settings.DATA_DIR / "heads"
    return folder


def heads_append(heads: Sequence[Head]) -> None:
    """Write heads to the files of their months; they are on the disk when this returns.

    :raises UndeliveredError: when the disk does not take them
    """
    folder = heads_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for month, found in groupby(heads, key=lambda head: rfc3339(head.minute_ms)[:7]):
            _lines_append(folder / f"heads-{month}.log", "".join(head.line for head in found))
    except OSError as error:
        raise UndeliveredError(f"{type(error).__name__}: {error.strerror}") from error


def _lines_append(path: Path, lines: str) -> None:
    fresh = not path.exists()
    with path.open("a+b") as file:
        # A line that a crash has cut off is ended first, so that it spoils no other. It is whole, and repeated, or
        # nobody reads it.
        if file.seek(0, os.SEEK_END) and _last_byte(file.fileno(), file.tell()) != b"\n":
            file.write(b"\n")
        file.write(lines.encode())
        file.flush()
        os.fsync(file.fileno())
    if fresh:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _last_byte(file: int, size: int) -> bytes:
    return os.pread(file, 1, size - 1)


def published_differences(*, full: bool) -> int:
    """Count the lines of the files that say something else than the table; not in full, the newest lines only."""
    found, batch = 0, list[tuple[int, str, int, bytes]]()
    for told in _published(full=full):
        batch.append(told)
        if len(batch) >= BATCH_HEADS * 10:
            found += _differences(batch)
            batch = []
    return found + (_differences(batch) if batch else 0)


def _published(*, full: bool) -> Iterator[tuple[int, str, int, bytes]]:
    paths = sorted(heads_folder().glob("heads-????-??.log"))
    for path in paths if full else paths[-1:]:
        with path.open("rb") as file:
            if not full and file.seek(0, os.SEEK_END) > _TAIL_BYTES:
                file.seek(-_TAIL_BYTES, os.SEEK_END)
                file.readline()
            elif not full:
                file.seek(0)
            for line in file:
                parts = _LINE.match(line.decode("utf-8", "replace").rstrip("\n"))
                if parts is not None:
                    yield parse_rfc3339(parts[1]), parts[2], int(parts[3]), bytes.fromhex(parts[4])


def _differences(told: Sequence[tuple[int, str, int, bytes]]) -> int:
    columns = zip(("minutes", "symbols", "counts", "heads"), map(list, zip(*told, strict=True)), strict=True)
    found = db.row(_DIFFERENT, dict(columns))
    assert found is not None
    return int(found[0])
