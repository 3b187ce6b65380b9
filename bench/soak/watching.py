"""What is looked at while a run goes on: memory of the runtimes, waiting facts, open orders."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from bench.soak import measures
from bench.soak.findings import Findings
from bench.soak.operators import OnThread
from bench.soak.running import RunningPlatform
from kernel.facts import facts_lags

LOOK_S = 5.0
TELL_EVERY = 6


@dataclass
class Watcher:
    """Looks every few seconds and says in a line how the run goes."""

    running: RunningPlatform
    findings: Findings
    on_thread: OnThread
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    facts_lag_ms: list[float] = field(default_factory=list)
    open_most: int = 0

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            self.running.require()
            open_now = await self._look()
            looks += 1
            if looks % TELL_EVERY == 0:
                placed, acts = len(self.findings.accepted), sum(self.findings.acts.values())
                bad = len(self.findings.violations) + self.findings.violations_more
                sys.stderr.write(
                    f"{looks * LOOK_S:6.0f} s  accepted {placed}  open {open_now}  acts {acts}  violations {bad}\n"
                )

    async def _look(self) -> int:
        for name, now_mb in (await asyncio.to_thread(self.running.memory_mb)).items():
            self.memory_mb.setdefault(name, []).append(now_mb)
        waiting, open_now = await self.on_thread(lambda: (facts_lags(), measures.open_orders()))
        self.facts_lag_ms.append(float(max((lag.oldest_ms for lag in waiting), default=0)))
        self.open_most = max(self.open_most, open_now)
        return int(open_now)

    def memory(self) -> dict[str, Any]:
        """Return the first, the largest and the last resident memory of each runtime.

        The first minute is left out of the first: a runtime that has just started has not seen all of its code.
        """
        settled = {name: seen[12:] or seen for name, seen in self.memory_mb.items()}
        return {name: [seen[0], max(self.memory_mb[name]), seen[-1]] for name, seen in settled.items()}
