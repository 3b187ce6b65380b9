"""The audit: settled orders are recomputed from the tick log and compared with what was paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from kernel import db
from kernel.jobs import DAY_MS
from settlement import archive, statements
from settlement.claims import ORDER_WIDTH, ClaimedOrder, evidence_of, order_of, tick_of
from settlement.domain import TRIMMED_WINDOW_MS, Evidence, Outcome, Tick, entry, outcome
from trading.domain import NEXT_TICK, TRIMMED_MEAN, OrderState

log = structlog.get_logger(__name__)

_PAGE = 2_000
_FOREVER_MS = 2**62


@dataclass(slots=True)
class DayCounts:
    """What an audit counted for the orders settled on one UTC day."""

    checked: int = 0
    differences: int = 0
    unavailable: int = 0


@dataclass(slots=True)
class AuditResult:
    """Counts of an audit, and the ids of the orders that differ or whose ticks are gone.

    ``days``: the counts by day of settlement, in days since 1970.
    """

    checked: int = 0
    differences: list[UUID] = field(default_factory=list)
    unavailable: list[UUID] = field(default_factory=list)
    days: dict[int, DayCounts] = field(default_factory=lambda: defaultdict(DayCounts))

    def check(self, order: ClaimedOrder) -> None:
        """Count an order that is looked at."""
        self.checked += 1
        self._day(order).checked += 1

    def differs(self, order: ClaimedOrder) -> None:
        """Note an order whose result is another one."""
        self.differences.append(order.id)
        self._day(order).differences += 1

    def misses(self, order: ClaimedOrder) -> None:
        """Note an order whose ticks are gone."""
        self.unavailable.append(order.id)
        self._day(order).unavailable += 1

    def _day(self, order: ClaimedOrder) -> DayCounts:
        # The audit reads an order with the instant of its settlement.
        return self.days[order.now_ms // DAY_MS]


def orders_audit(*, from_ms: int | None, to_ms: int | None) -> AuditResult:
    """Recompute every order settled in [from, to); it reads the log and writes nothing."""
    result = AuditResult()
    for page in _pages(from_ms or 0, to_ms or _FOREVER_MS):
        for order in page:
            result.check(order)
        fresh, archived = _parted(page)
        _compare(fresh, "quotes_tick", result)
        if archived:
            _compare_archived(archived, result)
    return result


def _parted(page: Sequence[ClaimedOrder]) -> tuple[list[ClaimedOrder], list[ClaimedOrder]]:
    """Part the orders whose ticks are all in the log from those that need days of the archive."""
    if not page:
        return [], []
    gone_ms = archive.log_begins_ms()
    needed_ms = [_needs_from_ms(order) for order in page]
    fresh = [order for order, at_ms in zip(page, needed_ms, strict=True) if at_ms >= gone_ms]
    return fresh, [order for order, at_ms in zip(page, needed_ms, strict=True) if at_ms < gone_ms]


def _needs_from_ms(order: ClaimedOrder) -> int:
    """Return since when the log must be there; a mean of a short order reaches back to before its opening."""
    begins_ms = int(order.row["entry_after_ms"] or order.row["open_at_ms"])
    if order.row["settlement_rule"] == TRIMMED_MEAN:
        begins_ms = min(begins_ms, order.row["expires_at_ms"] - TRIMMED_WINDOW_MS)
    return begins_ms


def _compare_archived(orders: Sequence[ClaimedOrder], result: AuditResult) -> None:
    from_ms = min(_needs_from_ms(order) for order in orders)
    days = archive.days_dropped(from_ms, max(order.row["expires_at_ms"] for order in orders))
    try:
        archive.ticks_load(days=days, symbol_ids={order.row["symbol_id"] for order in orders})
    except archive.ArchiveDamagedError as error:
        log.warning("archive_damaged", error=str(error), orders=len(orders))
        for order in orders:
            result.misses(order)
    else:
        _compare(orders, archive.EVERYTHING, result)


def _compare(orders: Sequence[ClaimedOrder], ticks: str, result: AuditResult) -> None:
    """Recompute orders from a table of ticks."""
    if not orders:
        return
    ids = {"ids": [order.id for order in orders]}
    means = [order.id for order in orders if order.row["settlement_rule"] == TRIMMED_MEAN]
    windows = {row[0]: (row[1], row[2]) for row in db.rows(statements.window_sql(ticks), {"ids": means})}
    for row in db.rows(statements.audit_sql(ticks), ids):
        order = order_of(row)
        opening = tick_of(row[-4:])
        if order.row["open_seq"] is not None and opening is None:
            result.misses(order)
        elif not _agrees(order, row[7 + ORDER_WIDTH : -4], opening, evidence_of(row, windows.get(order.id))):
            result.differs(order)


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
        decided.tick_price,
        decided.reason,
        decided.payout,
    ]
    return recomputed == list(stored)


def _pages(from_ms: int, to_ms: int) -> Iterator[list[ClaimedOrder]]:
    after = UUID(int=0)
    while True:
        bounds = {"after": after, "from_ms": from_ms, "to_ms": to_ms, "limit": _PAGE}
        page = [order_of(row) for row in db.rows(statements.SETTLED, bounds)]
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1].id
