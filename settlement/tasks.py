"""Celery tasks of settlement: they wake the loop and do nothing else, so losing one loses nothing."""

from __future__ import annotations

from celery import shared_task

from kernel import db


@shared_task(name="settlement.wake")  # type: ignore[untyped-decorator]
def settlement_wake() -> None:
    """Wake the settlement loops of all workers."""
    db.run("NOTIFY settlement_due")
