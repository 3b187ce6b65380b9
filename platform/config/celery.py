"""The Celery application: the settlement worker and the static schedule."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("fairstrike")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A wake-up that nobody took within a second is worthless: the loop asks the database by itself.
    "settlement-wake": {"task": "settlement.wake", "schedule": 1.0, "options": {"expires": 1.0}},
}


@setup_logging.connect  # type: ignore[untyped-decorator]
def _logging(**_: Any) -> None:
    """Keep the logging that the settings configured."""


def _settlement_step() -> None:
    from settlement.worker import SettlementStep

    app.steps["worker"].add(SettlementStep)


@app.on_after_finalize.connect  # type: ignore[untyped-decorator]
def _finalized(sender: Celery, **_: Any) -> None:
    """Add the loop once Django's applications are ready."""
    del sender
    _settlement_step()
