"""Files as they are given: paths or bytes, plain or gzip, and never more of them than is sane."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairstrike_verify import archive

# A document of JSON is read whole; a day of ticks is read line by line.
MOST_DOCUMENT_BYTES = 32 * 2**20
MOST_ARCHIVE_BYTES = 4 * 2**30
MOST_LINE_BYTES = 2**20
_GZIP = b"\x1f\x8b"


class FileError(Exception):
    """A file cannot be read, or is larger than anything that is published."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file by its path, or bytes with a name."""

    name: str
    content: bytes | None = None

    def is_archive(self) -> bool:
        """Whether the content begins as an archive does, of whatever version.

        :raises FileError: when it cannot be read
        """
        with closing(_Text(self)) as text:
            return text.read(len(archive.FIRST_WORD)) == archive.FIRST_WORD

    def title(self) -> bytes:
        """Return the first line."""
        with closing(_Text(self)) as text:
            return text.line()

    def document(self) -> bytes:
        """Return the whole text of a document.

        :raises FileError: when it cannot be read or is too large
        """
        with closing(_Text(self)) as text:
            return text.read(MOST_DOCUMENT_BYTES + 1, most=MOST_DOCUMENT_BYTES)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of a text, each with its line feed.

        :raises FileError: when it cannot be read, a line is too long, or the text is too large
        """
        with closing(_Text(self)) as text:
            size = 0
            while line := text.line():
                size += len(line)
                if size > MOST_ARCHIVE_BYTES:
                    raise FileError("it is larger than any file that is published")
                yield line


class _Text:
    """The text of a file, unpacked where it is gzip; its faults are :class:`FileError`."""

    def __init__(self, source: Source) -> None:
        try:
            content = source.content
            # Closed by `close`: the file outlives this call.
            raw: IO[bytes] = Path(source.name).open("rb") if content is None else io.BytesIO(content)  # noqa: SIM115
            packed = raw.read(2) == _GZIP
            raw.seek(0)
        except OSError as error:
            raise FileError(f"it cannot be read: {error.strerror}") from None
        self._raw = raw
        self._file: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw

    def read(self, size: int, *, most: int | None = None) -> bytes:
        try:
            found = self._file.read(size)
        except (OSError, EOFError, zlib.error):
            raise FileError("its compression is damaged") from None
        if most is not None and len(found) > most:
            raise FileError("it is larger than any document that is published")
        return found

    def line(self) -> bytes:
        try:
            found = self._file.readline(MOST_LINE_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise FileError("its compression is damaged") from None
        if len(found) > MOST_LINE_BYTES:
            raise FileError("a line is longer than any that is published")
        return found

    def close(self) -> None:
        self._raw.close()
