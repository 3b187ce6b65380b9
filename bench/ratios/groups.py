"""The groups of rows by name."""

from __future__ import annotations

from collections.abc import Callable

from bench.ratios import http, placement, settlement
from bench.ratios.measures import Row

GROUPS: dict[str, Callable[..., list[Row]]] = {"placement": placement.rows, "http": http.rows, "settlement": settlement.rows}
