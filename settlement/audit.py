"""The audit: settled orders are recomputed from the tick log and compared with what was paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from kernel import db
from settlement import statements
from settlement.domain import outcome
from settlement.services import due_order

_PAGE = 2_000
_FOREVER_MS = 2**62


@dataclass(slots=True)
class AuditResult:
    """Counts of an audit, and the ids of the orders that differ or whose ticks are gone."""

    checked: int = 0
    differences: list[UUID] = field(default_factory=list)
    unavailable: list[UUID] = field(default_factory=list)


def orders_audit(*, from_ms: int | None, to_ms: int | None) -> AuditResult:
    """Recompute every order settled in [from, to); it reads the log and writes nothing."""
    result = AuditResult()
    for row in _settled(from_ms or 0, to_ms or _FOREVER_MS):
        due = due_order(row[:17])
        *stored, opening_price, opening_revision, open_seq, close_at_ms = row[17:]
        result.checked += 1
        if open_seq is not None and opening_price is None:
            result.unavailable.append(due.id)
            continue
        decided = outcome(terms=due.terms, evidence=due.evidence)
        tick = decided.tick
        recomputed = [decided.state, tick and tick.seq, tick and tick.price, decided.reason, decided.payout]
        same_opening = (opening_price, opening_revision) == (due.terms.open_price, due.terms.revision)
        if [*recomputed, tick and tick.at_ms] != [*stored, close_at_ms] or not same_opening:
            result.differences.append(due.id)
    return result


def _settled(from_ms: int, to_ms: int) -> Iterator[tuple[object, ...]]:
    after = UUID(int=0)
    while True:
        page = db.rows(statements.AUDIT, {"after": after, "from_ms": from_ms, "to_ms": to_ms, "limit": _PAGE})
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]
