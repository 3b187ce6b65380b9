"""The page of one run: figures with ticks beside the same page without."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

HEAD = """# The terminal in a browser, {day}

Written by `make bench-terminal WRITE=1` at {time} UTC. The packaged headless Chromium draws in software and shares two
cores with the platform, its database and the source of prices, so absolute figures are an upper bound; the rows beside
each other are comparable.

`{symbol}` is open on the trade page; {symbols} symbols at {asked} ticks a second come from a local source by parser,
gateway and socket. *Without ticks* is the same page in turns with it, {rounds} turns of {seconds} s each: ticks that
come by its socket are dropped.
"""

EXPLAINED = """
- *Script*: what the main thread spends in JavaScript between the begins of two frames, nested calls counted once. *All
  work* adds style, layout and painting.
- *Tick to paint*: from the message with a price of the open symbol to the end of the frame that shows another one.
  *Acceptance to row*: from the answer 201 to the painted row. *Press to answer* has the network and the server in it.
- *Heap*: after a forced collection. A session's ticks are handed to the page's own socket in little time, their times
  run on as in {hours} hours; its orders are placed and settled by the platform. Flat: the last is at most 1.1 times
  the first plus 2 MB.
"""


def page(found: Mapping[str, Any], *, now: datetime, asked_ticks: int, symbols: int) -> str:
    """Return the page of a run."""
    head = HEAD.format(
        day=f"{now:%Y-%m-%d}",
        time=f"{now:%H:%M}",
        asked=asked_ticks,
        symbols=symbols,
        symbol=found["symbol"],
        rounds=found["rounds"],
        seconds=found["seconds"],
    )
    parts = [head, "## Frames\n", _frames(found), "## From what happens to what is seen\n", _delays(found)]
    return "\n".join([*parts, "## Memory\n", _heap(found["heap"]), EXPLAINED.format(hours=found["heap"]["hours"])])


def _frames(found: Mapping[str, Any]) -> str:
    lines = [
        "| processor | page | ticks/s | frames/s | script p50 | p95 | p99 | all work p50 | p95 | p99 | script's share |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, speed in (("full", "cpu1"), ("slowed 4 times", "cpu4")):
        for kind, key in (("with ticks", "ticks"), ("without", "quiet")):
            turn = found[speed][key]
            cells = [name, kind, turn["ticksPerSecond"], turn["framesPerSecond"]]
            cells += [f"{turn[part][share]:.2f} ms" for part in ("script", "task") for share in ("p50", "p95", "p99")]
            lines.append(_row([*cells, f"{turn['scriptShare']} %"]))
    return "\n".join(lines) + "\n"


def _delays(found: Mapping[str, Any]) -> str:
    lines = ["| processor | what | p50 | p95 | p99 | budget for p95 |", "|---|---|---|---|---|---|"]
    for name, speed in (("full", "cpu1"), ("slowed 4 times", "cpu4")):
        of = found[speed]
        for what, spread, budget in (
            ("tick to paint", of["tickToPaint"], "100 ms"),
            ("acceptance to row", of["acceptance"]["toRow"], "100 ms"),
            ("press to answer", of["acceptance"]["toAnswer"], "300 ms"),
        ):
            lines.append(_row([name, what, *(f"{spread[share]:.1f} ms" for share in ("p50", "p95", "p99")), budget]))
    return "\n".join(lines) + "\n"


def _heap(heap: Mapping[str, Any]) -> str:
    lines = ["| ticks so far | heap | DOM nodes | listeners |", "|---|---|---|---|"]
    for point in heap["points"]:
        lines.append(
            _row([f"{point['ticks']:,}", f"{point['heapBytes'] / 1e6:.2f} MB", point["nodes"], point["listeners"]])
        )
    verdict = "flat" if heap["flat"] else "NOT flat"
    return "\n".join(lines) + f"\n\n{verdict}: the bound is {heap['bound'] / 1e6:.2f} MB.\n"


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
