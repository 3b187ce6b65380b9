"""The groups of rows by name."""

from __future__ import annotations

from collections.abc import Callable

from bench.ratios import bridge, delays, fanout, http, placement, resettle, settlement, ticks, traders
from bench.ratios.measures import Row
from bench.ratios.run import Run

GROUPS: dict[str, Callable[[Run], list[Row]]] = {
    "placement": placement.rows,
    "http": http.rows,
    "settlement": settlement.rows,
    "traders": traders.rows,
    "ticks": ticks.rows,
    "fanout": fanout.rows,
    "delays": delays.rows,
    "resettle": resettle.rows,
    "bridge": bridge.rows,
}
