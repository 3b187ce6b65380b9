"""Celery tasks of settlement: each calls one service, and losing one loses nothing."""

from __future__ import annotations

import structlog
from celery import shared_task

from kernel import db
from kernel.jobs import DAY_MS, HOUR_MS, MINUTE_MS, database_now_ms, job_once
from kernel.metrics import count
from settlement.archive import ticks_archive
from settlement.audit import orders_audit
from settlement.checks import OUTCOMES, Form, violations_count
from settlement.fairness.execution import execution_days_count
from settlement.fairness.nights import invariants_record, resettlement_record
from settlement.invariant_results import invariants_watch, results_keep
from settlement.payouts import payouts_recalculate_once

log = structlog.get_logger(__name__)

# The night is quiet, and the day before it is complete.
AUDIT_AFTER_MS = 2 * HOUR_MS


@shared_task(name="settlement.wake")  # type: ignore[untyped-decorator]
def settlement_wake() -> None:
    """Wake the settlement loops of all workers."""
    db.run("NOTIFY settlement_due")


@shared_task(name="settlement.payouts_recalculate")  # type: ignore[untyped-decorator]
def settlement_payouts_recalculate() -> None:
    """Recalculate the payouts, once a minute however often it is asked."""
    payouts_recalculate_once()


@shared_task(name="settlement.ticks_archive")  # type: ignore[untyped-decorator]
def settlement_ticks_archive() -> None:
    """Archive the days of ticks that have ended, and drop those that nobody needs any more."""
    now_ms = database_now_ms()
    job_once("settlement.ticks_archive", DAY_MS, now_ms, lambda: ticks_archive(now_ms=now_ms), takeover_ms=6 * HOUR_MS)


@shared_task(name="settlement.orders_audit")  # type: ignore[untyped-decorator]
def settlement_orders_audit() -> None:
    """Recompute all settled orders once a night, and publish what was found."""
    now_ms = database_now_ms()

    def audited() -> str:
        found = orders_audit(from_ms=None, to_ms=now_ms)
        resettlement_record(found, to_ms=now_ms, at_ms=database_now_ms())
        if found.differences or found.unavailable:
            count("audit_findings", len(found.differences) + len(found.unavailable))
        differ = len(found.differences) + len(found.unavailable)
        results_keep(form=Form.FULL, found={OUTCOMES: differ}, now_ms=now_ms)
        return f"checked {found.checked}, differences {len(found.differences)}, unavailable {len(found.unavailable)}"

    if now_ms % DAY_MS >= AUDIT_AFTER_MS:
        job_once("settlement.orders_audit", DAY_MS, now_ms, audited, takeover_ms=6 * HOUR_MS)


@shared_task(name="settlement.invariants_check")  # type: ignore[untyped-decorator]
def settlement_invariants_check() -> None:
    """Check every invariant in full once a night, and publish what is violated.

    Outcomes are recomputed by the audit of the same night.
    """
    now_ms = database_now_ms()

    def checked() -> str:
        found = violations_count(Form.FULL, within_ms=2 * HOUR_MS, without=frozenset({OUTCOMES}))
        invariants_record(found, at_ms=database_now_ms())
        results_keep(form=Form.FULL, found=found, now_ms=now_ms)
        violated = {name.partition(" ")[0]: violations for name, violations in found.items() if violations}
        if violated:
            count("invariant_violations", sum(violated.values()))
            log.error("invariants_violated", violated=violated)
        return f"checked {len(found)}, violated {violated or 'none'}"

    if now_ms % DAY_MS >= AUDIT_AFTER_MS:
        job_once("settlement.invariants_check", DAY_MS, now_ms, checked, takeover_ms=6 * HOUR_MS)


@shared_task(name="settlement.execution_days_count")  # type: ignore[untyped-decorator]
def settlement_execution_days_count() -> None:
    """Count how the orders of the days that are over were executed, once an hour until nothing of a day can change."""
    now_ms = database_now_ms()
    job_once(
        "settlement.execution_days_count",
        HOUR_MS,
        now_ms,
        lambda: f"{execution_days_count(now_ms=now_ms)} days",
        takeover_ms=HOUR_MS,
    )


@shared_task(name="settlement.invariants_watch")  # type: ignore[untyped-decorator]
def settlement_invariants_watch() -> None:
    """Check what is new against every invariant, once a minute however often it is asked."""
    now_ms = database_now_ms()
    job_once(
        "settlement.invariants_watch",
        MINUTE_MS,
        now_ms,
        lambda: invariants_watch(now_ms=now_ms),
        takeover_ms=5 * MINUTE_MS,
    )
