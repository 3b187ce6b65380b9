"""An MQL source with everything that it includes, and the parts of its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Strings, letters and comments: no rule and no rewrite may look inside.
OPAQUE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#include[ \t]+"(?P<path>[^"\n]+)"[ \t]*$', re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """A piece of a source: code, or a string, a letter or a comment, which are opaque."""

    text: str
    opaque: bool


def parts(text: str) -> list[Part]:
    """Cut a source into code and opaque pieces; joined they are the source."""
    found, at = [], 0
    for match in OPAQUE.finditer(text):
        found += [Part(text[at : match.start()], opaque=False), Part(match.group(), opaque=True)]
        at = match.end()
    return [*found, Part(text[at:], opaque=False)]


def source_read(path: Path) -> str:
    """Return the text of a source, which MetaEditor stores as UTF-8 or as UTF-16 with a byte order mark."""
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    return raw.decode("utf-8-sig")


def files_of(path: Path) -> list[Path]:
    """Return a source and all that it includes, each once, in the order of their first mention.

    :raises FileNotFoundError: an include that is not there
    """
    found: list[Path] = []

    def add(source: Path) -> None:
        if source in found:
            return
        found.append(source)
        for match in INCLUDE.finditer(source_read(source)):
            add((source.parent / match["path"]).resolve(strict=True))

    add(path.resolve(strict=True))
    return found
