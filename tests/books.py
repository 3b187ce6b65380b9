"""The invariants of ledger and orders, as the command that operators run sees them."""

from __future__ import annotations

from kernel.db import row, violation_counts
from ledger import invariants as ledger_invariants
from settlement import invariants as order_invariants

CHECKS = ledger_invariants.CHECKS | order_invariants.CHECKS


def violations() -> dict[str, int]:
    """Return the invariants that do not hold, with their counts; empty when the books are sound."""
    return {name: count for name, count in violation_counts(CHECKS).items() if count}


class SnapshotReader:
    """Check every snapshot that can be had, as a bank's auditor would: one bad read is a violation."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> None:
        """Read balances and entries once."""
        moving = {name: sql for name, sql in ledger_invariants.CHECKS.items() if name[:4] in ("I-02", "I-03", "I-05")}
        found = violation_counts(moving)
        assert not any(found.values()), found
        self.reads += 1


_COUNTED = (
    "ledger_account",
    "ledger_transfer",
    "ledger_adjustment",
    "trading_order",
    "trading_order_open",
    "realtime_event",
    "realtime_event_counter",
    "kernel_idempotencykey",
)


def fingerprint() -> dict[str, str]:
    """Return a digest of every table that money and orders live in: equal when nothing has changed."""
    found = {}
    for table in _COUNTED:
        digest = row(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} AS t")
        assert digest is not None
        found[table] = digest[0]
    return found
