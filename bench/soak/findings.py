"""What a run has seen: counts, times and violations, written by all its parts on one event loop."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

SHOWN_MAX = 50
PERCENTILES = (50, 95, 99)


@dataclass(slots=True)
class Findings:
    """Everything that is counted while orders are placed.

    :param latencies_ms: from the moment an order was due to be sent to its last final answer
    :param answers_ms: from the moment a request was sent to its answer, the platform's part of it
    :param accepted: trader's number by the id of each order that was acknowledged
    """

    answers: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    answers_ms: list[float] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    violations: list[str] = field(default_factory=list)
    violations_more: int = 0

    def violated(self, text: str) -> None:
        """Keep a violation; beyond the first ones only their number is kept."""
        if len(self.violations) < SHOWN_MAX:
            self.violations.append(text)
        else:
            self.violations_more += 1


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of an ascending sequence do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Return count, percentiles and maximum of values."""
    ordered = sorted(values)
    named = {f"p{percent}": round(percentile(ordered, percent), 1) for percent in PERCENTILES}
    return {"count": len(ordered), **named, "max": round(ordered[-1], 1) if ordered else 0.0}
