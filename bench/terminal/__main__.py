"""``python -m bench.terminal [--write] [--pictures]``: measure the terminal in a browser, or take its pictures."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bench.soak.running import PlatformError
from bench.terminal.beside import ROOT, commanded, playwright, started
from bench.terminal.report import page
from bench.terminal.source import FastSource

SYMBOLS = 20
TICKS_PER_S = 500
BENCH = "playwright.bench.config.ts"
SCREENS = "playwright.screens.config.ts"


def options_parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.terminal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns with and without ticks at each speed [3]")
    parser.add_argument("--seconds", type=int, default=10, help="how long a turn is [10]")
    parser.add_argument("--orders", type=int, default=30, help="orders whose rows are waited for at each speed [30]")
    parser.add_argument("--write", action="store_true", help="write page and JSON into docs/benchmarks")
    parser.add_argument("--pictures", action="store_true", help="take the pictures of docs/screens instead")
    return parser.parse_args(arguments)


async def measured(asked: argparse.Namespace) -> int:
    """Measure, print the page, and return the exit code."""
    codes = [f"FAST{number:02}" for number in range(1, SYMBOLS + 1)]
    async with FastSource([f"{code}USDT" for code in codes], TICKS_PER_S).serving() as address:
        running = await started({"FEED_BINANCE_URL": address})
        out = running.data_dir / "bench.json"
        try:
            for name in codes:
                terms = ("--feed", "binance", "--source", f"{name}USDT", "--price-scale", "2", "--min-duration", "5")
                await asyncio.to_thread(commanded, running, "add_symbol", name, *terms, "--price-source", "last")
            extra = {"BENCH_OUT": str(out), "BENCH_SYMBOL": codes[0], "BENCH_ORDERS": str(asked.orders)}
            extra |= {"BENCH_ROUNDS": str(asked.rounds), "BENCH_SECONDS": str(asked.seconds)}
            code = await playwright(running, ("-c", BENCH), extra)
            found = json.loads(out.read_text()) if out.exists() else None
        finally:
            await asyncio.to_thread(running.stop)
            running.tidy()
    if found is None:
        return code or 1
    now = datetime.now(UTC)
    text = page(found, now=now, asked_ticks=TICKS_PER_S, symbols=SYMBOLS)
    sys.stdout.write(text)
    if asked.write:
        kept = ROOT / "docs" / "benchmarks" / f"terminal-{now:%Y-%m-%d}"
        Path(f"{kept}.md").write_text(text)
        Path(f"{kept}.json").write_text(json.dumps(found, indent=1) + "\n")
    return code


async def pictured() -> int:
    """Take the pictures of all screens on a fresh platform."""
    running = await started({})
    try:
        return await playwright(running, ("-c", SCREENS), {})
    finally:
        await asyncio.to_thread(running.stop)
        running.tidy()


def main() -> int:
    """Do what is asked for."""
    asked = options_parsed(sys.argv[1:])
    try:
        return asyncio.run(pictured() if asked.pictures else measured(asked))
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
