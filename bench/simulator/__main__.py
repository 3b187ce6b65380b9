"""``python -m bench.simulator --seed N [--steps M] [--trace]`` or ``--seeds A..B``: exit code 0 if nothing is found."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from bench.simulator.build import CORRECT
from bench.simulator.mutants import MUTANTS
from bench.simulator.run import SECONDS, Result, simulated

TRACE_LINES = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that are asked for and print what they show."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulator", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="one run, with what it has seen")
    which.add_argument("--seeds", type=_seeds, metavar="A..B", help="many runs; the first that fails is shown")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"virtual seconds of disturbance [{SECONDS}]")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--trace", action="store_true", help="print every step, not the last ones before a finding")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="run a build with this defect")
    asked = parser.parse_args(arguments)
    build = MUTANTS[asked.mutant].build if asked.mutant else CORRECT
    seeds = [asked.seed] if asked.seeds is None else asked.seeds
    begun_s, seen, orders = time.monotonic(), Counter[str](), 0
    for seed in seeds:
        result = simulated(seed, build=build, seconds=asked.seconds, steps=asked.steps)
        seen, orders = seen + result.seen, orders + result.orders
        if result.findings or (asked.trace and asked.seeds is None):
            again = simulated(seed, build=build, seconds=asked.seconds, steps=asked.steps, tracing=True)
            sys.stdout.write(report(again, whole=asked.trace, mutant=asked.mutant))
        if result.findings:
            return 1
    for name, times in sorted(seen.items()):
        sys.stdout.write(f"{times:8d}  {name}\n")
    took_s = time.monotonic() - begun_s
    sys.stdout.write(f"{len(seeds)} seeds, {orders} orders, 0 findings, {took_s:.1f} s; digest {result.digest:016x}\n")
    return 0


def report(result: Result, *, whole: bool, mutant: str | None = None) -> str:
    """Return a run as lines: its trace up to the first finding, its findings, and how to see it again."""
    lines = list(result.trace)
    first = next((place for place, line in enumerate(lines) if line[10:16] == "oracle"), len(lines) - 1)
    shown = lines if whole else lines[max(0, first - TRACE_LINES) : first + 1]
    found = [f"{one.at_ms / 1000:9.3f} {one.rule}: {one.text}" for one in result.findings]
    broken = f" --mutant {mutant}" if mutant else ""
    again = [f"seed {result.seed}; again: python -m bench.simulator --seed {result.seed}{broken} --trace"]
    return "\n".join([*shown, "", *found, *again, ""])


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last) + 1)


if __name__ == "__main__":
    sys.exit(main())
