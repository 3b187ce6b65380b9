"""A day's manifest, ``day/1``: which archives the platform published for a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairstrike_verify.archive import Archive
from fairstrike_verify.members import Members, ShapeError
from fairstrike_verify.report import Checks
from fairstrike_verify.sealing import root_over


@dataclass(frozen=True, slots=True)
class _Entry:
    symbol: str
    text_bytes: int | None
    text_sha256: bytes | None
    root: bytes
    previous_head: bytes
    last_head: bytes
    seals: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The archives of a day, by symbol."""

    day: str
    complete: bool
    entries: dict[str, _Entry]

    def compare(self, archives: Iterable[Archive], checks: Checks) -> None:
        """Compare the archives of its day with what it lists."""
        for archive in archives:
            if archive.day != self.day:
                continue
            listed, statement = self.entries.get(archive.symbol), archive.statement
            if listed is None:
                checks.failed(f"the archive of {archive.symbol} is not in the manifest")
                continue
            found = _Entry(
                archive.symbol,
                # A day that has not ended has no text of which every byte is settled.
                None if listed.text_bytes is None else archive.text_bytes,
                None if listed.text_sha256 is None else bytes.fromhex(archive.text_sha256),
                statement.root,
                statement.previous_head,
                statement.last_head,
                statement.seals,
                statement.ticks,
            )
            if listed == found:
                checks.ok(f"the archive of {archive.symbol} is the one that the manifest lists")
            elif self.complete and statement.complete:
                checks.failed(f"the archive of {archive.symbol} is another one than the manifest lists")
            else:
                checks.note(f"the archive of {archive.symbol} is of another instant of the unfinished day")


def manifest_of(document: dict[str, Any]) -> Manifest:
    """Return the manifest that a document is.

    :raises ShapeError: when it is none, or its root is not that of its archives
    """
    source = Members(document)
    if document.get("version") != "day/1":
        raise ShapeError("it is no manifest as day/1 has it")
    entries = source.each("archives", _entry)
    symbols = [entry.symbol for entry in entries]
    if symbols != sorted(set(symbols)):
        raise ShapeError("its archives are not in the order of their symbols")
    if source.hexadecimal("root", 32) != root_over([entry.root for entry in entries]):
        raise ShapeError("its root is not that of its archives")
    complete = source.flag("complete")
    if complete and any(entry.text_bytes is None or entry.text_sha256 is None for entry in entries):
        raise ShapeError("it says that the day is complete, and does not say what its archives are")
    return Manifest(source.text("day"), complete, {entry.symbol: entry for entry in entries})


def _entry(source: Members) -> _Entry:
    return _Entry(
        symbol=source.symbol("symbol"),
        text_bytes=source.maybe("bytes", source.whole),
        text_sha256=source.maybe("sha256", lambda name: source.hexadecimal(name, 32)),
        root=source.hexadecimal("root", 32),
        previous_head=source.hexadecimal("previous_head", 32),
        last_head=source.hexadecimal("last_head", 32),
        seals=source.whole("seals"),
        ticks=source.whole("ticks"),
    )
