"""The table of a run: for the terminal, for programs, and as a page of the documentation."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.ratios.measures import Bound, Row

_HEAD = ("figure", "ours", "against", "its figure", "ratio", "spread", "required", "aim", "verdict")


def shown(value: float, kind: str) -> str:
    """Show a ratio as a share in percent, as a multiple, or as a plain number."""
    if kind == "share":
        return f"{value * 100:.0f} %"
    if kind == "times":
        return f"{value:.1f}x" if value < 100 else f"{value:.0f}x"
    return f"{value:.1f} {kind}".strip()


def bound_shown(bound: Bound, kind: str) -> str:
    """Show what is asked of a ratio."""
    return f"{'>=' if bound.least else '<='} {shown(bound.value, kind)}"


def cells(row: Row) -> tuple[str, ...]:
    """Return a row of the table as text."""
    spread = f"{shown(row.ratio.low, row.shown)} .. {shown(row.ratio.high, row.shown)}"
    return (
        row.figure,
        row.ours,
        row.against,
        row.other,
        shown(row.ratio.median, row.shown),
        spread,
        bound_shown(row.required, row.shown),
        bound_shown(row.aim, row.shown),
        row.verdict,
    )


def table(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [_HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    told = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([told[0], "-" * len(told[0]), *told[1:], *_notes(rows)])


def page(rows: Sequence[Row], document: dict[str, Any]) -> str:
    """Return the page of the documentation."""
    machine = document["machine"]
    lines = [
        f"# Benchmarks of {document['date']}",
        "",
        f"`{document['command']}`; {document['duration_s']:.0f} s in all. Every figure was measured beside its limit",
        "or its conventional twin, in turns within this one run; ratios are medians over the rounds. Absolute rates",
        "depend on the machine and the minute, ratios much less.",
        "",
        f"Machine: {machine['words']}. {machine['versions']}. PostgreSQL with fsync on, everything on loopback and the",
        "load generator on the same cores.",
        "",
        "| " + " | ".join(_HEAD) + " |",
        "|" + "---|" * len(_HEAD),
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
        "",
        *_notes(rows),
        *([""] if any(row.note for row in rows) else []),
        f"Books after the run: {document['books']}.",
        "",
    ]
    return "\n".join(lines)


def _notes(rows: Sequence[Row]) -> list[str]:
    return [f"- {row.figure}: {row.note}" for row in rows if row.note]


def machine_described(postgres: str, redis: str) -> dict[str, str]:
    """Tell the machine in words, without a name or an address."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ("django", "psycopg", "granian", "picows", "channels", "uvicorn")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return {
        "words": f"{psutil.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB of memory, {platform.system()}",
        "versions": f"Python {platform.python_version()}, PostgreSQL {postgres}, Redis {redis}, {versions}",
    }


def document_of(rows: Sequence[Row], **facts: Any) -> dict[str, Any]:
    """Return everything for programs."""
    told = [dataclasses.asdict(row) | {"verdict": row.verdict} for row in rows]
    return {**facts, "rows": told}


def written(folder: Path, rows: Sequence[Row], document: dict[str, Any]) -> Path:
    """Write the page and the JSON beside it; return the page's place."""
    folder.mkdir(parents=True, exist_ok=True)
    cores = psutil.cpu_count()
    scale = f"-scale-{document['scale']}" if document["scale"] > 1 else ""
    place = folder / f"{document['date']}-{cores}-cores{scale}.md"
    place.write_text(page(rows, document))
    place.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    return place
