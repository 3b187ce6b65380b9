"""The report of a run: one document as JSON, as a table, and as the page of the docs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Document = dict[str, Any]
# A worker whose loop has stood still for seconds, whatever held it up, ends itself and is started again.
WATCHDOG = "settlement, code 70"


def verdict(document: Mapping[str, Any]) -> list[str]:
    """Return everything that makes a run fail, in words; nothing when it holds."""
    found = [
        f"{row['failpoint']} of {row['runtime']}: {problem}"
        for row in document["rows"]
        for problem in row["problems"] or ([] if row["repeats"] else ["was not run"])
    ]
    for row in document["rows"]:
        for name in ("violations", "lost", "doubled"):
            if row[name]:
                found.append(f"{row['failpoint']} of {row['runtime']}: {row[name]} {name}")
    found += [
        f"{fault['fault']} {fault['name']}: {problem}" for fault in document["faults"] for problem in fault["problems"]
    ]
    found += [f"while it ran: {text}" for text in document["violations"]]
    found += [f"load: {text}" for text in document["load_problems"]]
    for name, text in _AT_THE_END.items():
        if document[name]:
            found.append(f"{document[name]} {text}")
    found += [
        f"{times} times a runtime ended by itself: {name}"
        for name, times in document["ended"].items()
        if name != WATCHDOG
    ]
    found += [f"no {name} at all" for name in ("orders", "snapshots") if not document[name]]
    for name, check in document["checks"].items():
        if check["code"] != 0:
            found.append(f"{name} ended with code {check['code']}: {check['said']}")
    return found


_AT_THE_END = {
    "lost": "acknowledged orders are lost",
    "stray": "orders are there that nobody was told of",
    "doubled": "effects are double",
    "deadlocks": "deadlocks",
}


def report_text(document: Mapping[str, Any]) -> str:
    """Return the report as plain tables."""
    title = (
        f"faults: seed {document['seed']}, {document['seconds']} s, {document['orders']} orders acknowledged,"
        f" {document['retries']} requests sent again, {document['snapshots']} snapshots read,"
        f" invariants checked {document['invariants']} times,"
        f" {document['ended'].get(WATCHDOG, 0)} workers ended by their watchdog"
    )
    lines = [
        title,
        "",
        *_columns(_ROW_TITLES, [_row_cells(row) for row in document["rows"]]),
        "",
        *_columns(_FAULT_TITLES, [_fault_cells(fault) for fault in document["faults"]]),
        "",
        *(f"{name}: {check['said']}" for name, check in document["checks"].items()),
        "",
    ]
    problems = document["problems"]
    return "\n".join([*lines, *(f"FAILED {problem}" for problem in problems)] if problems else [*lines, "it holds"])


def report_write(document: Mapping[str, Any], path: Path) -> None:
    """Keep the report as JSON."""
    path.write_text(json.dumps(document, indent=2) + "\n")


def page_tables(document: Mapping[str, Any]) -> str:
    """Return the part of the docs' page that a run writes."""
    rows = document["rows"]
    kills = sum(row["repeats"] for row in rows)
    worst = {
        runtime: max(row["recovery_ms_worst"] for row in rows if row["runtime"] == runtime)
        for runtime in dict.fromkeys(row["runtime"] for row in rows)
    }
    title = (
        f"Last run: seed {document['seed']}, {kills} kills at {len(rows)} steps in {document['seconds']} s,"
        f" {document['orders']} orders acknowledged, {document['snapshots']} snapshots read."
        f" Violations {sum(row['violations'] for row in rows)}, lost acknowledged orders {document['lost']},"
        f" double effects {document['doubled']}."
    )
    lines = [
        title,
        "",
        *_table(("runtime", "worst time to recover, ms"), [(name, str(ms)) for name, ms in worst.items()]),
        "",
        *_table(_ROW_TITLES, [_row_cells(row) for row in rows]),
        "",
        *_table(_FAULT_TITLES, [_fault_cells(fault) for fault in document["faults"]]),
        "",
        *(f"`{name}`: {check['said']}." for name, check in document["checks"].items()),
    ]
    return "\n".join(lines)


BEGIN, END = "<!-- begin: written by `make soak` -->", "<!-- end -->"


def page_write(document: Mapping[str, Any], path: Path) -> None:
    """Put a run's tables between the marks of the docs' page.

    :raises ValueError: when it has none
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no marks for the tables")
    path.write_text(f"{before}{BEGIN}\n{page_tables(document)}\n{END}{after}")


_ROW_TITLES = ("step", "runtime", "killed when", "repeats", "violations", "lost", "doubled", "worst recovery, ms")
_FAULT_TITLES = ("fault", "what was done", "figures", "problems")


def _row_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (row["repeats"], row["violations"], row["lost"], row["doubled"], row["recovery_ms_worst"])
    return (row["failpoint"], row["runtime"], row["done"], *(str(number) for number in numbers))


def _fault_cells(fault: Mapping[str, Any]) -> tuple[str, ...]:
    figures = ", ".join(f"{name} {value}" for name, value in fault["figures"].items())
    return (fault["fault"], fault["name"], figures, str(len(fault["problems"])))


def _columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in (titles, *rows)) for column in range(len(titles))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (titles, *rows)
    ]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    head = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return [*head, *(f"| {' | '.join(row)} |" for row in rows)]
