"""The report of a run: one document, shown as a table and kept as JSON, and the verdict on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LAG_LIMIT_MS = 2_000
RESTART_LIMIT_MS = 30_000
WIDTH = 46

Document = dict[str, Any]


def verdict(document: Mapping[str, Any]) -> list[str]:
    """Return everything that makes a run fail, in words; nothing when it holds."""
    found = [f"violation: {text}" for text in document["violations"]]
    if more := document.get("violations_more"):
        found.append(f"{more} more violations")
    for name in ("settlement lag", "entry lag"):
        p99 = document["lags_ms"][name]["p99"]
        if p99 > LAG_LIMIT_MS:
            found.append(f"the {name} is {p99} ms at the 99th percentile; the limit is {LAG_LIMIT_MS} ms")
    if not document["lags_ms"]["settlement lag"]["count"]:
        found.append("no order was settled")
    found += [
        f"settlement stood still for {length_ms} ms after a kill; the limit is {RESTART_LIMIT_MS} ms"
        for length_ms in document["outages_ms"]
        if length_ms > RESTART_LIMIT_MS
    ]
    if document["still_open"]:
        found.append(f"{document['still_open']} orders are still open")
    if document["facts_waiting"]:
        found.append(f"{document['facts_waiting']} batches of facts are not applied")
    for name, result in document["checks"].items():
        if result["code"] != 0:
            found.append(f"{name} ended with code {result['code']}: {result['said']}")
    return found


def report_text(document: Mapping[str, Any]) -> str:
    """Return the report as a plain table."""
    lines = [f"soak: {document['minutes']} min, {document['rate']} orders/s, seed {document['seed']}"]
    for title in ("orders asked", "answers", "orders ended", "orders by rules", "operators", "upstream", "ticks"):
        lines += _section(title, document[title.replace(" ", "_")])
    lines += ["", f"{'milliseconds':<{WIDTH}}{'count':>9}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}"]
    for name, spread in document["lags_ms"].items():
        cells = "".join(f"{spread[column]:>9}" for column in ("count", "p50", "p95", "p99", "max"))
        lines.append(f"  {name:<{WIDTH - 2}}{cells}")
    lines += _section("memory, MB: first, most, last", document["memory_mb"])
    lines += _section("other", document["other"])
    lines += ["", "checks", *(_check_line(name, result) for name, result in document["checks"].items())]
    problems = document["problems"]
    lines += ["", *(f"FAILED {problem}" for problem in problems)] if problems else ["", "the soak holds"]
    return "\n".join(lines)


def report_write(document: Mapping[str, Any], folder: Path) -> Path:
    """Keep the report as JSON and return its path."""
    path = folder / "soak-report.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def _check_line(name: str, result: Mapping[str, Any]) -> str:
    said = result["said"] or f"code {result['code']}"
    return f"  {name}: {said} ({result['seconds']} s)"


def _section(title: str, rows: Mapping[str, Any]) -> list[str]:
    return ["", title, *(f"  {name:<{WIDTH - 2}}{_cell(value)}" for name, value in sorted(rows.items()))]


def _cell(value: Any) -> str:
    return "".join(f"{one:>9}" for one in value) if isinstance(value, list) else f"{value:>9}"
