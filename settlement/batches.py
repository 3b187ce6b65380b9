"""How many orders one settlement batch takes."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT_START, LIMIT_MIN, LIMIT_MAX = 250, 50, 2_000
# A batch holds its wallets' locks about this long, so that traders in it do not stall.
HELD_TARGET_S = 0.025


@dataclass(slots=True)
class BatchSize:
    """Grows while full batches are quick and shrinks when one holds its locks too long."""

    limit: int = LIMIT_START

    def observe(self, *, settled: int, held_s: float) -> None:
        """Learn from a batch of ``settled`` orders that took ``held_s`` seconds; a small one tells nothing."""
        if settled < self.limit:
            return
        wanted = self.limit * HELD_TARGET_S / max(held_s, 1e-6)
        # At most doubled or halved at once: one slow flush says little about the next.
        bounded = min(max(wanted, self.limit / 2), self.limit * 2)
        self.limit = int(min(max(bounded, LIMIT_MIN), LIMIT_MAX))
