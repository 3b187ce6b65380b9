"""The invariants of ledger and orders, as the command that operators run sees them."""

from __future__ import annotations

from kernel.db import violation_counts
from ledger import invariants as ledger_invariants
from settlement import invariants as order_invariants

CHECKS = ledger_invariants.CHECKS | order_invariants.CHECKS


def violations() -> dict[str, int]:
    """Return the invariants that do not hold, with their counts; empty when the books are sound."""
    return {name: count for name, count in violation_counts(CHECKS).items() if count}
