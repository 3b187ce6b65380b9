"""The audit: settled orders are recomputed from the tick log and compared with what was paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kernel import db
from settlement import statements
from settlement.claims import ORDER_WIDTH, ClaimedOrder, evidence_of, order_of, tick_of
from settlement.domain import Evidence, Outcome, Tick, entry, outcome
from trading.domain import NEXT_TICK, TRIMMED_MEAN, OrderState

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
    for page in _pages(from_ms or 0, to_ms or _FOREVER_MS):
        windows = _windows(page)
        for row in page:
            result.checked += 1
            order = order_of(row)
            opening = tick_of(row[-4:])
            if order.row["open_seq"] is not None and opening is None:
                result.unavailable.append(order.id)
            elif not _agrees(order, row[7 + ORDER_WIDTH : -4], opening, evidence_of(row, windows.get(order.id))):
                result.differences.append(order.id)
    return result


def _agrees(order: ClaimedOrder, stored: Sequence[Any], opening: Tick | None, evidence: Evidence) -> bool:
    """Whether the log gives the same opening, the same end and the same payment as were written."""
    if order.row["entry_rule"] == NEXT_TICK:
        made = entry(terms=order.entry_terms, tick=opening)
        if not _opened_at(order, made.tick):
            return False
        if made.refund is not None:
            return _same(Outcome(OrderState.REFUNDED, order.stake, None, made.refund), stored)
    elif not _opened_at(order, opening) or opening is None or opening.revision != order.row["revision"]:
        return False
    return _same(outcome(terms=order.terms, evidence=evidence), stored)


def _opened_at(order: ClaimedOrder, tick: Tick | None) -> bool:
    written = (order.row["open_seq"], order.row["open_at_ms"], order.row["open_price"])
    return written == ((tick.seq, tick.at_ms, tick.price) if tick else (None, None, None))


def _same(decided: Outcome, stored: Sequence[Any]) -> bool:
    tick = decided.tick
    recomputed = [
        decided.state,
        tick and tick.seq,
        tick and tick.at_ms,
        decided.close_price,
        tick and tick.price,
        decided.reason,
        decided.payout,
    ]
    return recomputed == list(stored)


def _windows(page: Sequence[Sequence[Any]]) -> Mapping[UUID, tuple[Sequence[int], Sequence[int]]]:
    ids = [order.id for order in map(order_of, page) if order.row["settlement_rule"] == TRIMMED_MEAN]
    if not ids:
        return {}
    return {row[0]: (row[1], row[2]) for row in db.rows(statements.window_sql(), {"ids": ids})}


def _pages(from_ms: int, to_ms: int) -> Iterator[list[tuple[Any, ...]]]:
    after = UUID(int=0)
    while True:
        page = db.rows(statements.audit_sql(), {"after": after, "from_ms": from_ms, "to_ms": to_ms, "limit": _PAGE})
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1][1]
