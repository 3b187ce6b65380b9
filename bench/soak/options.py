"""What a run of the soak is asked for."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Length and size of a run; ``seed`` decides everything that is drawn, but not the times at which things happen.

    :param rate: orders a second over all traders
    :param keep: leave the database and all logs where they are
    """

    minutes: float = 10.0
    rate: float = 50.0
    seed: int = 0
    traders: int = 40
    keep: bool = False

    @property
    def seconds(self) -> float:
        """How long orders are placed."""
        return self.minutes * 60


def options_parsed(arguments: Sequence[str]) -> Options:
    """Return what the command line asks for; a seed is drawn when none is given."""
    parser, usual = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__), Options()
    parser.add_argument("--minutes", type=_positive, default=usual.minutes, help="how long orders are placed [10]")
    parser.add_argument("--rate", type=_positive, default=usual.rate, help="orders a second in all [50]")
    parser.add_argument("--seed", type=int, default=None, help="repeats what a run has drawn")
    parser.add_argument("--traders", type=int, default=usual.traders, help="how many clients place them [40]")
    parser.add_argument("--keep", action="store_true", help="leave the database for a look")
    asked = parser.parse_args(arguments)
    if asked.traders < 5:
        parser.error("--traders must be at least 5")
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    return Options(asked.minutes, asked.rate, seed, asked.traders, asked.keep)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 10**6:
        raise argparse.ArgumentTypeError("must be above zero")
    return number
