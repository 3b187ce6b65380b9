"""Writes of disputes: a client's objection keeps an order's ticks in the log, and changes no result."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction

from trading.errors import DisputeStateError
from trading.models import Dispute


@transaction.atomic
def dispute_open(*, order_id: UUID, by_id: UUID, note: str, now_ms: int) -> Dispute:
    """Put an order in dispute: its ticks stay in the log until somebody has looked. The result does not change.

    :raises DisputeStateError: when there is an open dispute over it
    """
    try:
        with transaction.atomic():
            return Dispute.objects.create(order_id=order_id, opened_at_ms=now_ms, opened_by_id=by_id, note=note)
    except IntegrityError:
        raise DisputeStateError from None


@transaction.atomic
def dispute_close(*, dispute_id: int, by_id: UUID, finding: str, now_ms: int) -> Dispute:
    """Close a dispute with what was found.

    :raises DisputeStateError: when it is closed already
    """
    dispute = Dispute.objects.select_for_update(no_key=True).get(pk=dispute_id)
    if dispute.closed_at_ms is not None:
        raise DisputeStateError
    dispute.closed_at_ms, dispute.closed_by_id, dispute.finding = now_ms, by_id, finding
    dispute.save(update_fields=["closed_at_ms", "closed_by_id", "finding"])
    return dispute
