"""Celery tasks of settlement: each calls one service, and losing one loses nothing."""

from __future__ import annotations

from celery import shared_task

from kernel import db
from settlement.payouts import payouts_recalculate_once


@shared_task(name="settlement.wake")  # type: ignore[untyped-decorator]
def settlement_wake() -> None:
    """Wake the settlement loops of all workers."""
    db.run("NOTIFY settlement_due")


@shared_task(name="settlement.payouts_recalculate")  # type: ignore[untyped-decorator]
def settlement_payouts_recalculate() -> None:
    """Recalculate the payouts, once a minute however often it is asked."""
    payouts_recalculate_once()
