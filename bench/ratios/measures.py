"""Slices of work, ratios between them, and what is asked of a ratio. Nothing here knows what is measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Slice:
    """One stretch of one contestant's work.

    :param cpu_s: processor seconds by who used them
    :param waits_ms: how long single operations took, where that was looked at
    """

    operations: float
    wall_s: float
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    waits_ms: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of all processors for each operation."""
        return sum(self.cpu_s.values()) * 1e6 / self.operations if self.operations else 0.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the ratios of all rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bound:
    """What is asked of a figure: at least or at most a value."""

    least: bool
    value: float

    def holds(self, figure: float) -> bool:
        """Whether a figure reaches the bound."""
        return figure >= self.value if self.least else figure <= self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``ours`` and ``other`` are told with their unit."""

    figure: str
    ours: str
    against: str
    other: str
    ratio: Ratio
    shown: str
    required: Bound
    aim: Bound
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the median reaches what is required, and what is aimed at."""
        if not self.required.holds(self.ratio.median):
            return "falls short"
        return "aim reached" if self.aim.holds(self.ratio.median) else "reached"


Contestants = Mapping[str, Callable[[], Slice]]


def interleaved(rounds: int, contestants: Contestants) -> dict[str, list[Slice]]:
    """Let contestants work in turns, each second round the other way round, so that a drift hits all alike."""
    found: dict[str, list[Slice]] = {name: [] for name in contestants}
    for number in range(rounds):
        order = list(contestants.items())
        for name, work in order if number % 2 == 0 else reversed(order):
            found[name].append(work())
    return found


def ratio_of(ours: Sequence[float], others: Sequence[float]) -> Ratio:
    """Compare figures of the same rounds."""
    found = [one / other for one, other in zip(ours, others, strict=True) if other > 0]
    if not found:
        return Ratio(0.0, 0.0, 0.0)
    return Ratio(statistics.median(found), min(found), max(found))


def rates(slices: Sequence[Slice]) -> list[float]:
    """Return operations a second of each slice."""
    return [one.rate for one in slices]


def costs(slices: Sequence[Slice]) -> list[float]:
    """Return processor microseconds for each operation of each slice."""
    return [one.cpu_us for one in slices]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below or at which a share of all values lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def percentiles(slices: Sequence[Slice], share: float) -> list[float]:
    """Return a percentile of the waits of each slice."""
    return [percentile(one.waits_ms, share) for one in slices]


def per_second(slices: Sequence[Slice], what: str) -> str:
    """Tell the median rate."""
    return f"{statistics.median(rates(slices)):,.0f} {what}/s"


def microseconds(slices: Sequence[Slice]) -> str:
    """Tell the median cost."""
    return f"{statistics.median(costs(slices)):,.1f} us"


def milliseconds(values: Sequence[float]) -> str:
    """Tell a median of milliseconds."""
    return f"{statistics.median(values):,.1f} ms"


def at_least(value: float) -> Bound:
    """Ask for no less."""
    return Bound(True, value)


def at_most(value: float) -> Bound:
    """Ask for no more."""
    return Bound(False, value)
