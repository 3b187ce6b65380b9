"""When a symbol's revision takes effect: after its last open order, or at once with a second person (rules, section 1).

A placement takes no lock on the symbol, so one that read the symbol before a revision was asked for may still be in
flight when its last order seems to be settled. No clock can tell; transaction numbers can:

1. A placement has its number before it reads the symbol, because it locks its wallet first.
2. The fence is the number of a transaction that began to work when the request was committed. Numbers are given out in
   ascending order, so every placement that read the symbol as it was before has a smaller number than the fence. The
   end of a snapshot would not do: it counts what has ended, and a number above it may belong to such a placement.
3. When no transaction below the fence is unfinished in a snapshot, that same snapshot shows all orders of such
   placements. If it shows none open, there will be none: later placements find the symbol close-only.

A transaction that hangs anywhere in the database only delays the revision.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from kernel import db
from kernel.errors import Problem
from kernel.failpoints import reach
from kernel.money import format_minor, format_scaled
from quotes.errors import symbol_unknown
from quotes.models import Incident, Symbol
from quotes.revisions import (
    MAY_APPROVE,
    MAY_REVISE,
    LockedRevision,
    person_require,
    revision_locked,
    revision_not_waiting,
    revision_put_in_force,
    revision_since,
)
from trading.models import OrderOpen

log = structlog.get_logger(__name__)

_WAITING = """
SELECT symbol_id, number, fence_xid FROM quotes_symbol_revision
WHERE since_ms IS NULL AND cancelled_at_ms IS NULL AND NOT emergency ORDER BY symbol_id"""

_FENCE = """
UPDATE quotes_symbol_revision SET fence_xid = pg_current_xact_id()::text::bigint
WHERE symbol_id = %(symbol_id)s AND number = %(number)s AND fence_xid IS NULL AND cancelled_at_ms IS NULL"""

# One snapshot for both: what is finished in it is visible in it.
_RUN_OUT = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= revision.fence_xid
   AND NOT EXISTS (SELECT FROM trading_order_open AS opened WHERE opened.symbol_id = revision.symbol_id)
FROM quotes_symbol_revision AS revision
WHERE revision.symbol_id = %(symbol_id)s AND revision.number = %(number)s"""

# What the orders that an emergency refunds would have been by the last price of the revision that ends.
_STANDINGS = """
SELECT CASE WHEN o.book LIKE 't:%%' THEN 'tournament' ELSE o.book END, o.currency,
       CASE WHEN o.open_price IS NULL OR %(price)s::bigint IS NULL THEN 'waiting'
            WHEN o.open_price = %(price)s::bigint THEN 'tied'
            WHEN (o.open_price < %(price)s::bigint) = (o.direction = 'up') THEN 'won'
            ELSE 'lost' END AS standing,
       count(*), sum(o.stake)::bigint, sum(o.stake * o.payout_percent / 100)::bigint
FROM trading_order_open AS opened JOIN trading_order AS o ON o.id = opened.order_id
WHERE opened.symbol_id = %(symbol_id)s AND opened.expires_at_ms >= %(since_ms)s AND o.revision = %(revision)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""

STANDINGS = ("won", "lost", "tied", "waiting")


def revision_same_person() -> Problem:
    """Return the refusal of an approval by the person who asked."""
    return Problem("revision.same_person", status=403, title="It takes another person than the one who asked for it.")


def revisions_activate() -> int:
    """Put in force what has waited for its symbol's last open order; one statement when nothing waits.

    :return: how many revisions took effect
    """
    activated = 0
    for symbol_id, number, fence_xid in db.rows(_WAITING):
        if fence_xid is None:
            _fence(symbol_id, number)
            reach("revise.fenced")
        if _has_run_out(symbol_id, number):
            reach("revise.run_out")
            activated += _activated(symbol_id, number)
            reach("revise.committed")
    return activated


def orders_open(symbol_id: int) -> int:
    """Return how many orders of a symbol are open: what its revision waits for."""
    return OrderOpen.objects.filter(symbol_id=symbol_id).count()


@transaction.atomic
def revision_emergency_approve(*, code: str, number: int, by_id: UUID) -> Incident:
    """Let an emergency revision take effect at once, and publish what it does to the open orders.

    Those whose result the log does not fix yet are refunded, for ``revision``, when they fall due.

    :param number: of the revision that the second person has seen; it cannot be edited, only withdrawn
    :raises Problem: ``symbol.unknown``, ``revision.not_waiting``, ``revision.same_person``; ``revision.forbidden`` when
        the second person may not approve, or the first one may not revise any more
    """
    symbol_id = Symbol.objects.filter(code=code).values_list("pk", flat=True).first()
    if symbol_id is None:
        raise symbol_unknown()
    locked = revision_locked(symbol_id=symbol_id, number=number)
    if locked is None or not locked.revision.emergency:
        raise revision_not_waiting(code)
    if by_id == locked.revision.requested_by_id:
        raise revision_same_person()
    person_require(by_id, MAY_APPROVE)
    person_require(locked.revision.requested_by_id, MAY_REVISE)
    since_ms = revision_since(locked)
    incident = _incident(locked, since_ms)
    revision_put_in_force(locked, since_ms=since_ms, approved_by_id=by_id)
    reach("emergency.in_force")
    incident.save(force_insert=True)
    reach("emergency.published")
    log.warning("emergency_revision", symbol=code, number=number, by=str(by_id), orders=incident.orders)
    return incident


@transaction.atomic(durable=True)
def _fence(symbol_id: int, number: int) -> None:
    """Note this transaction's number; nothing is written before, so that it is given out after the request's commit."""
    db.run(_FENCE, {"symbol_id": symbol_id, "number": number})


def _has_run_out(symbol_id: int, number: int) -> bool:
    found = db.row(_RUN_OUT, {"symbol_id": symbol_id, "number": number})
    return found is not None and found[0] is True


@transaction.atomic(durable=True)
def _activated(symbol_id: int, number: int) -> bool:
    locked = revision_locked(symbol_id=symbol_id, number=number)
    # Somebody may have withdrawn it, or another worker may have been faster.
    if locked is None:
        return False
    revision_put_in_force(locked, since_ms=revision_since(locked))
    reach("revise.in_force")
    return True


def _incident(locked: LockedRevision, since_ms: int) -> Incident:
    symbol, head = locked.symbol, locked.head
    rows = db.rows(
        _STANDINGS,
        {"symbol_id": symbol.pk, "revision": symbol.revision, "price": head.tick_price, "since_ms": since_ms},
    )
    return Incident(
        revision=locked.revision,
        symbol=symbol,
        at_ms=locked.now_ms,
        reason=locked.revision.reason,
        orders=sum(row[3] for row in rows),
        figures={
            "price": None if head.tick_price is None else format_scaled(head.tick_price, symbol.price_scale),
            "ledgers": _ledgers(rows),
        },
    )


def _ledgers(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for ledger, currency, standing, orders, stakes, profits in rows:
        figures = found.setdefault(
            (ledger, currency),
            {"ledger": ledger, "currency": currency} | {name: _figure(currency, 0, 0) for name in STANDINGS},
        )
        figures[standing] = _figure(currency, orders, stakes)
        if standing == "won":
            figures["won"]["profits"] = format_minor(profits, currency)
    for (_, currency), figures in found.items():
        figures["won"].setdefault("profits", format_minor(0, currency))
    return list(found.values())


def _figure(currency: str, orders: int, stakes: int) -> dict[str, Any]:
    return {"orders": orders, "stakes": format_minor(stakes, currency)}
