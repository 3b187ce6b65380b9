"""A disk that is too small, for what must not be lost when it is full: a tmpfs of some kilobytes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_FILLER = "filler"
_CHUNK = b"\0" * 4096


class DiskError(RuntimeError):
    """This machine mounts nothing for us; the message says why."""


class SmallDisk:
    """A mounted file system that can be filled and emptied. It must not be in use when its block ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Take all the space that is left."""
        with (self.folder / _FILLER).open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(_CHUNK):
                pass

    def empty(self) -> None:
        """Give the space back."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def enlarge(self, size_kb: int) -> None:
        """Give it more space, as an administrator would."""
        _mount("-o", f"remount,size={size_kb}k", str(self.folder))


@contextlib.contextmanager
def small_disk(folder: Path, *, size_kb: int, owner: os.stat_result) -> Iterator[SmallDisk]:
    """Mount a small disk on a new folder that belongs to somebody; it is gone afterwards.

    :raises DiskError: we may not mount here
    """
    folder.mkdir(mode=0o700)
    try:
        options = f"size={size_kb}k,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
        _mount("-t", "tmpfs", "-o", options, "fairstrike-small", str(folder))
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
    finally:
        folder.rmdir()


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise DiskError("there is no mount here") from error
    except subprocess.CalledProcessError as error:
        raise DiskError(error.stderr.strip()) from error


@contextlib.contextmanager
def table_on_small_disk(url: str, table: str, folder: Path, *, room_kb: int) -> Iterator[SmallDisk]:
    """Let a table of an embedded database lie on a small disk while the block runs.

    :param url: the database's address as its superuser, who alone may make tablespaces
    :param folder: a new one that the server's user can reach
    :param room_kb: how much space there is besides what the table takes
    :raises DiskError: we may not mount here
    """
    with psycopg.connect(url, autocommit=True) as session:
        found = session.execute(
            "SELECT current_setting('data_directory'), pg_table_size(%s::text::regclass) / 1024", [table]
        ).fetchone()
        assert found is not None
        size_kb = int(found[1]) + room_kb
        with small_disk(folder, size_kb=size_kb, owner=Path(found[0]).stat()) as disk:
            session.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(folder))))
            try:
                _moved(session, table, "small")
                yield disk
            finally:
                disk.empty()
                _moved(session, table, "pg_default")
                session.execute("DROP TABLESPACE small")


@contextlib.contextmanager
def wal_on_small_disk(data: Path, folder: Path, *, room_kb: int) -> Iterator[SmallDisk]:
    """Let the write-ahead log of a server that is stopped lie on a small disk; stopped again, it goes back.

    :param data: the server's data directory
    :param folder: a new one that the server's user can reach
    :raises DiskError: we may not mount here
    """
    wal, aside = data / "pg_wal", data / "pg_wal.aside"
    size_kb = sum(path.stat().st_size for path in wal.rglob("*")) // 1024
    with small_disk(folder, size_kb=size_kb + room_kb, owner=data.stat()) as disk:
        _copied(wal, folder / "pg_wal")
        wal.rename(aside)
        wal.symlink_to(folder / "pg_wal")
        try:
            yield disk
        finally:
            wal.unlink()
            _copied(folder / "pg_wal", wal)
            shutil.rmtree(aside)


def _copied(source: Path, target: Path) -> None:
    owner = source.stat()
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def _moved(session: psycopg.Connection[Any], table: str, tablespace: str) -> None:
    where = sql.Identifier(table), sql.Identifier(tablespace)
    session.execute(sql.SQL("ALTER TABLE {} SET TABLESPACE {}").format(*where))
