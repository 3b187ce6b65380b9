"""Loops that are timed: until the time is over, or for a piece of work."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

from bench.ratios.measures import Slice


def own_cpu_s() -> float:
    """Return the processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(work: Callable[[], int], *, seconds: float, others: Callable[[], float] | None = None) -> Slice:
    """Repeat a piece of work for some seconds; it returns how many operations it was.

    :param others: processor seconds of other processes that work for it
    """
    before = (own_cpu_s(), others() if others else 0.0)
    done, waits_ms, began_s = 0, [], time.perf_counter()
    until_s, now_s = began_s + seconds, began_s
    while now_s < until_s:
        started_s = now_s
        moved = work()
        if moved == 0:
            raise RuntimeError("there is nothing left to do")
        done += moved
        now_s = time.perf_counter()
        waits_ms.append((now_s - started_s) * 1000)
    after = (own_cpu_s(), others() if others else 0.0)
    cpu_s = {"python": after[0] - before[0], "postgres": after[1] - before[1]}
    return Slice(done, now_s - began_s, cpu_s, waits_ms)
