"""Celery tasks of this app."""

from __future__ import annotations

import structlog
from celery import shared_task

from accounts import services
from kernel.clock import wall_ms

log = structlog.get_logger(__name__)


@shared_task(name="accounts.bans_lapse")  # type: ignore[untyped-decorator]
def bans_lapse() -> None:
    """Lift the bans whose end has come."""
    if lifted := services.bans_lapse(now_ms=wall_ms()):
        log.info("bans_lapsed", lifted=lifted)
