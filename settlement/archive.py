"""The archive of the log: each ended day becomes Parquet files, and its partition goes once nobody needs it.

Before that the day's sealed ticks are written for everybody (``quotes.public_archives``); the Parquet files are ours.
Bid and ask are kept as the text that the feed sent, so that an archived tick is the tick that was admitted, digit for
digit. The database refuses to drop a day that an open or disputed order may need (``quotes_partition_drop``).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import connection, transaction

from kernel import db
from kernel.failpoints import reach
from kernel.jobs import HOUR_MS
from quotes.models import TickArchive
from quotes.public_archives import public_day_done, public_day_write
from quotes.selectors import log_begins_ms as log_begins_ms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = structlog.get_logger(__name__)

# Ticks of a day that ended so long ago are all in: grace and clocks are far below it.
ARCHIVE_AFTER_MS = HOUR_MS
KEEP_DAYS = 30
_SUMS = "count(*), coalesce(sum(seq::numeric), 0), coalesce(sum(price::numeric), 0)"
_COLUMNS = {
    "symbol_id": "INTEGER",
    "seq": "BIGINT",
    "at_ms": "BIGINT",
    "received_at_ms": "BIGINT",
    "bid": "VARCHAR",
    "ask": "VARCHAR",
    "price": "BIGINT",
    "revision": "INTEGER",
}
_RAISES = {
    "symbol_id": "INTEGER",
    "watermark_ms": "BIGINT",
    "cause": "SMALLINT",
    "seq": "BIGINT",
    "raised_at_ms": "BIGINT",
}
_PARTITIONS = """
SELECT substring(relname FROM '\\d{8}$') FROM pg_inherits
JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'quotes_tick'::regclass ORDER BY 1"""

# What an audit or a receipt reads besides the log itself: days that are in the archive only.
_LOADED = """
CREATE TEMPORARY TABLE IF NOT EXISTS archived_tick (
    symbol_id integer, seq bigint, at_ms bigint, received_at_ms bigint, bid numeric, ask numeric, price bigint,
    revision integer
) ON COMMIT PRESERVE ROWS;
CREATE INDEX IF NOT EXISTS archived_tick_newest ON archived_tick (symbol_id, at_ms DESC, seq DESC);
CREATE INDEX IF NOT EXISTS archived_tick_seq ON archived_tick (symbol_id, seq)"""
_NAMES = ", ".join(_COLUMNS)
EVERYTHING = f"(SELECT {_NAMES} FROM quotes_tick UNION ALL SELECT {_NAMES} FROM archived_tick)"


class ArchiveDamagedError(Exception):
    """A file of the archive is missing or is not the one that was written."""


class SealsMissingError(Exception):
    """An ended day is not archived because a minute of it is not sealed."""


def ticks_archive(*, now_ms: int) -> str:
    """Archive every ended day that is not archived, drop what may go; return what was done, for operators.

    :raises SealsMissingError: after all that could be done, when a day waits for its seals
    """
    done, waiting = _days_archive(now_ms)
    dropped = 0
    for archive in _days_to_drop(now_ms):
        # Oldest first, and none before its elders: what is left of the log has no holes.
        if not public_day_done(archive.day) or not _day_drop(archive.day):
            break
        dropped += 1
    told = f"archived {done} days, dropped {dropped}"
    if waiting is not None:
        raise SealsMissingError(f"{told}; {waiting} waits for its seals")
    return told


def _days_archive(now_ms: int) -> tuple[int, date | None]:
    """Archive days, oldest first, until one is not sealed; return how many, and the day that waits."""
    known, done = set(TickArchive.objects.values_list("day", flat=True)), 0
    for day in _days_ended(now_ms):
        if not public_day_write(day=day, now_ms=now_ms):
            return done, day
        reach("archive.public_written")
        if day not in known:
            _day_archive(day, now_ms)
            done += 1
    return done, None


def _days_ended(now_ms: int) -> list[date]:
    last = datetime.fromtimestamp((now_ms - ARCHIVE_AFTER_MS) / 1000, UTC).date()
    days = [datetime.strptime(row[0], "%Y%m%d").replace(tzinfo=UTC).date() for row in db.rows(_PARTITIONS)]
    return [day for day in days if day < last]


def _days_to_drop(now_ms: int) -> Iterable[TickArchive]:
    before = datetime.fromtimestamp(now_ms / 1000, UTC).date() - timedelta(days=KEEP_DAYS)
    return TickArchive.objects.filter(day__lt=before, dropped_at_ms__isnull=True).order_by("day")


def _day_archive(day: date, now_ms: int) -> None:
    path = day_path(day)
    _table_write(f"quotes_watermark_raise_{day:%Y%m%d}", _RAISES, _raises_path(day))
    reach("archive.raises_written")
    rows = _table_write(f"quotes_tick_{day:%Y%m%d}", _COLUMNS, path)
    _verify(day, path)
    reach("archive.file_written")
    TickArchive.objects.create(
        day=day,
        path=str(path.relative_to(_root())),
        rows=rows,
        sha256=_sha256(path),
        archived_at_ms=now_ms,
    )
    reach("archive.recorded")
    log.info("ticks_archived", day=str(day), rows=rows)


def _table_write(table: str, columns: dict[str, str], path: Path) -> int:
    """Write a table to a Parquet file, which is there whole or not at all; return the count of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text, made = path.with_suffix(".csv.part"), path.with_suffix(".parquet.part")
    names = ", ".join(columns)
    order = "symbol_id, seq" if "at_ms" in columns else "symbol_id, raised_at_ms, watermark_ms"
    try:
        with transaction.atomic(durable=True), text.open("wb") as file, connection.cursor() as cursor:
            # A day of ticks takes longer than the statements of a request may.
            cursor.execute("SET LOCAL statement_timeout = '30min'")
            with cursor.copy(f"COPY (SELECT {names} FROM {table} ORDER BY {order}) TO STDOUT (FORMAT csv)") as copy:
                for block in copy:
                    file.write(block)
        with _duck() as duck:
            types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
            lines = f"read_csv({_literal(text)}, columns={{{types}}}, header=false, auto_detect=false, delim=',')"
            duck.execute(f"COPY (SELECT * FROM {lines}) TO {_literal(made)} (FORMAT parquet, COMPRESSION zstd)")
            found = duck.execute("SELECT count(*) FROM read_parquet($file)", {"file": str(made)}).fetchone()
        _synced(made)
        made.replace(path)
    finally:
        text.unlink(missing_ok=True)
        made.unlink(missing_ok=True)
    assert found is not None
    return int(found[0])


def _verify(day: date, path: Path) -> None:
    """Compare count and sums of the file with those of the table, exactly."""
    stored = db.row(f"SELECT {_SUMS} FROM quotes_tick_{day:%Y%m%d}")
    with _duck() as duck:
        written = duck.execute(
            "SELECT count(*), coalesce(sum(seq::HUGEINT), 0), coalesce(sum(price::HUGEINT), 0)"
            " FROM read_parquet($file)",
            {"file": str(path)},
        ).fetchone()
    assert stored is not None
    assert written is not None
    if [int(one) for one in stored] != [int(one) for one in written]:
        raise ArchiveDamagedError(f"{path.name} differs from the log")


def _day_drop(day: date) -> bool:
    """Drop a day's partitions, if its file is whole and the database finds that nobody needs them."""
    whole_file(day)
    with transaction.atomic(durable=True):
        found = db.row("SELECT quotes_partition_drop(%(day)s)", {"day": day})
        reach("archive.dropped")
    reach("archive.drop_committed")
    dropped = bool(found and found[0])
    log.info("ticks_dropped" if dropped else "ticks_still_needed", day=str(day))
    return dropped


def whole_file(day: date) -> Path:
    """Return the file of an archived day.

    :raises ArchiveDamagedError: when it is missing or was changed
    """
    archive = TickArchive.objects.filter(day=day).first()
    path = None if archive is None else _root() / archive.path
    if archive is None or path is None or not path.is_file() or _sha256(path) != archive.sha256:
        raise ArchiveDamagedError(f"the archive of {day} is missing or damaged")
    return path


def days_dropped(from_ms: int, to_ms: int) -> list[date]:
    """Return the days between two instants that are in the archive only."""
    first, last = (datetime.fromtimestamp(at_ms / 1000, UTC).date() for at_ms in (from_ms, to_ms))
    found = TickArchive.objects.filter(day__gte=first, day__lte=last, dropped_at_ms__isnull=False)
    return list(found.order_by("day").values_list("day", flat=True))


def ticks_load(*, days: Iterable[date], symbol_ids: Collection[int], minutes_ms: Collection[int] | None = None) -> None:
    """Bring archived days of some symbols into this session's table ``archived_tick``, instead of what is there.

    :param minutes_ms: the UTC minutes that are wanted; None brings whole days
    :raises ArchiveDamagedError: when a file is missing or was changed
    """
    with connection.cursor() as cursor:
        for statement in _LOADED.split(";"):
            cursor.execute(statement)
        cursor.execute("TRUNCATE archived_tick")
        for day in days:
            path = whole_file(day)
            with _duck() as duck, cursor.copy(f"COPY archived_tick ({_NAMES}) FROM STDIN") as copy:
                wanted = "" if minutes_ms is None else " AND list_contains($minutes, at_ms - at_ms % 60000)"
                asked = {} if minutes_ms is None else {"minutes": sorted(minutes_ms)}
                found = duck.execute(
                    f"SELECT {_NAMES} FROM read_parquet($file) WHERE list_contains($ids, symbol_id){wanted}",
                    {"file": str(path), "ids": sorted(symbol_ids)} | asked,
                )
                while rows := found.fetchmany(10_000):
                    for row in rows:
                        copy.write_row(row)


def day_path(day: date) -> Path:
    """Return where a day's ticks are kept."""
    return _root() / "ticks" / f"{day:%Y}" / f"{day:%Y%m%d}.parquet"


def _raises_path(day: date) -> Path:
    return _root() / "raises" / f"{day:%Y}" / f"{day:%Y%m%d}.parquet"


def _root() -> Path:
    root: Path = settings.DATA_DIR / "archive"
    return root


def _duck() -> DuckDBPyConnection:
    """Return a database in memory that reaches nothing but the files it is told."""
    # Imported here: most processes never touch the archive, and the library takes 20 MB.
    import duckdb

    return duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 1}
    )


def _literal(path: Path) -> str:
    """Return a path as a text of SQL: a COPY takes no parameter there."""
    return "'" + str(path).replace("'", "''") + "'"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synced(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
