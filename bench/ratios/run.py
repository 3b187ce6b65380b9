"""What every group of rows gets."""

from __future__ import annotations

from dataclasses import dataclass

from bench.ratios.servers import Rig
from bench.ratios.stock import Stock


@dataclass(frozen=True)
class Run:
    """The servers, what they store, how often each contestant has its turn, and how many seconds a turn lasts."""

    rig: Rig
    stock: Stock
    rounds: int
    seconds: int
