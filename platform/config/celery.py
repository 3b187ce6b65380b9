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
# The static schedule: a task, and how often it is asked for in seconds. A new job is a line here and a task whose body
# is one call. A job that runs once in a period claims it with kernel.jobs.job_once and is asked for more often than the
# period is long (a daily one each ten minutes): then a lost message, a failure or a restart delays it, and no more.
SCHEDULE: dict[str, float] = {
    "settlement.wake": 1.0,
    "settlement.payouts_recalculate": 20.0,
    "settlement.ticks_archive": 600.0,
    "settlement.orders_audit": 600.0,
    "settlement.invariants_check": 600.0,
    "settlement.execution_days_count": 300.0,
    "settlement.invariants_watch": 20.0,
    "accounts.bans_lapse": 10.0,
    "ledger.checkpoint": 600.0,
    "ledger.adjustments_expire": 30.0,
    "realtime.events_expire": 600.0,
    "quotes.partitions_ensure": 600.0,
    "quotes.windows_extend": 60.0,
    "quotes.gaps_find": 20.0,
}
app.conf.beat_schedule = {
    # Nobody needs a request that was not taken before the next one: a worker that was away finds one of each.
    task: {"task": task, "schedule": every_s, "options": {"expires": every_s}}
    for task, every_s in SCHEDULE.items()
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
