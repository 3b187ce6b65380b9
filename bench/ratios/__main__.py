"""``python -m bench.ratios [--scale N] [--only GROUP]``: exit code 0 when every required ratio is reached."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.ratios.measures import Row
from bench.ratios.servers import ROOT, Rig

if TYPE_CHECKING:
    from bench.ratios.stock import Stock

GROUPS = ("placement", "http", "settlement", "traders", "ticks", "fanout", "delays", "resettle", "bridge")


def options_parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.ratios", description=__doc__)
    parser.add_argument("--scale", type=int, default=1, help="times the users, open orders and stored ticks [1]")
    parser.add_argument("--rounds", type=int, default=4, help="how often each contestant has its turn [4]")
    parser.add_argument("--seconds", type=int, default=2, help="how long a turn is [2]")
    parser.add_argument("--only", action="append", choices=GROUPS, help="measure this group alone; may be repeated")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead of the table")
    parser.add_argument("--write", action="store_true", help="write page and JSON into docs/benchmarks")
    asked = parser.parse_args(arguments)
    if min(asked.scale, asked.rounds, asked.seconds) < 1:
        parser.error("scale, rounds and seconds are at least 1")
    return asked


def measured(rig: Rig, asked: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Fill the database and measure every group that is asked for."""
    # These know the platform's models, which are there only now.
    from bench.ratios import books, groups
    from bench.ratios.run import Run
    from bench.ratios.stock import Stock

    _tell("filling the database")
    stock = Stock.filled(rig.servers.urls.owner)
    rows: list[Row] = []
    failed: list[str] = []
    if asked.scale > 1:
        rows += _grown(rig, stock, asked.scale)
    for name in asked.only or GROUPS:
        _tell(f"measuring {name}")
        try:
            rows += groups.GROUPS[name](Run(rig, stock, asked.rounds, asked.seconds))
        except (RuntimeError, AssertionError) as error:
            # The other figures are worth having all the same; the run has failed.
            failed.append(f"{name}: {error}")
            _tell(f"{name} could not be measured: {error}")
    _tell("checking the books")
    stock.analyze()
    return rows, {"books": books.checked(), "failed": failed, **books.versions()}


def _grown(rig: Rig, stock: Stock, scale: int) -> list[Row]:
    from bench.ratios import growth

    _tell("measuring costs at scale 1")
    before = growth.costs_measured(rig, stock)
    _tell(f"growing to scale {scale}")
    stock.grow(scale)
    return growth.rows(before, growth.costs_measured(rig, stock), scale)


def _tell(what: str) -> None:
    sys.stderr.write(f"{time.monotonic() - _BEGAN_S:6.0f} s  {what}\n")


_BEGAN_S = time.monotonic()


def main() -> int:
    """Run the benchmarks and print their table."""
    asked = options_parsed(sys.argv[1:])
    rig = Rig()
    try:
        rig.prepare()
        from bench.ratios import report

        rows, facts = measured(rig, asked)
        document = report.document_of(
            rows,
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            command=f"make bench{f' SCALE={asked.scale}' if asked.scale > 1 else ''}",
            scale=asked.scale,
            duration_s=time.monotonic() - _BEGAN_S,
            machine=report.machine_described(facts["postgres"], facts["redis"]),
            books=facts["books"],
            failed=facts["failed"],
        )
    finally:
        rig.stop()
    sys.stdout.write(json.dumps(document, indent=1) + "\n" if asked.json else report.table(rows) + "\n")
    sys.stdout.write("" if asked.json else f"\nbooks: {facts['books']}\n")
    if asked.write:
        sys.stderr.write(f"written: {report.written(ROOT / 'docs' / 'benchmarks', rows, document)}\n")
    short = any(row.verdict == "falls short" for row in rows)
    return 1 if short or facts["failed"] or facts["books"] != "all hold" else 0


if __name__ == "__main__":
    sys.exit(main())
