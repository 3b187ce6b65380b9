"""What a run of the faults is asked for."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# One step of each runtime and transaction, for runs that must be short.
SHORT = ("place.written", "settle.orders_written", "ticks.candles_written")
SHORT_FAULTS = 2


@dataclass(frozen=True, slots=True)
class Options:
    """Size of a run; ``seed`` decides what is drawn, but not how fast the machine is.

    :param minutes: the matrix is repeated until then; the first pass is always whole
    :param short: a few steps and faults only
    :param only: a regular expression: the steps and the faults that it is found in
    :param result: where the report is kept as JSON
    :param page: page of the docs whose tables are written
    """

    minutes: float = 0.0
    seed: int = 0
    short: bool = False
    only: str = ""
    keep: bool = False
    result: Path | None = None
    page: Path | None = None


def options_parsed(arguments: Sequence[str]) -> Options:
    """Return what the command line asks for; a seed is drawn when none is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="repeat the matrix until then [one pass]")
    parser.add_argument("--seed", type=int, default=None, help="repeats what a run has drawn")
    parser.add_argument("--short", action="store_true", help="a few steps and faults only")
    parser.add_argument("--only", default="", metavar="PATTERN", help="steps and faults that this is found in")
    parser.add_argument("--keep", action="store_true", help="leave the database for a look")
    parser.add_argument("--result", type=Path, metavar="JSON", help="where the report is kept as well")
    parser.add_argument("--page", type=Path, metavar="MD", help="write the tables into this page of the docs")
    asked = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    return Options(asked.minutes, seed, asked.short, asked.only, asked.keep, asked.result, asked.page)
