"""``python -m bench.faults.acts NAME JSON``: one piece of scheduled work, or one decision of an operator, as a process.

The services that it calls are those of the worker's tasks and of the admin's pages; a process of its own can die alone.
A second run finds what the first one left, as the next request of the schedule or a second click does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID


def _payouts(_: Mapping[str, Any]) -> None:
    from settlement.tasks import settlement_payouts_recalculate

    settlement_payouts_recalculate()


def _archive(_: Mapping[str, Any]) -> None:
    from settlement.tasks import settlement_ticks_archive

    settlement_ticks_archive()


def _expire(_: Mapping[str, Any]) -> None:
    from realtime.tasks import realtime_events_expire

    realtime_events_expire()


def _checkpoint(told: Mapping[str, Any]) -> None:
    """Close the days up to an instant that may lie ahead: no order is placed any more when this runs."""
    from kernel.jobs import DAY_MS, job_once
    from ledger.checkpoints import checkpoint_make

    now_ms = told["now_ms"]
    job_once("ledger.checkpoint", DAY_MS, now_ms, lambda: str(checkpoint_make(now_ms=now_ms)))


def _approve(told: Mapping[str, Any]) -> None:
    from kernel.clock import wall_ms
    from kernel.errors import Problem
    from ledger.adjustments import adjustment_approve

    try:
        adjustment_approve(
            request_id=UUID(told["request"]),
            approver_id=UUID(told["by"]),
            seen_hash=bytes.fromhex(told["hash"]),
            now_ms=wall_ms(),
        )
    except Problem as problem:
        if problem.code != "adjustment.decided":
            raise


def _emergency(told: Mapping[str, Any]) -> None:
    from kernel.errors import Problem
    from settlement.revisions import revision_emergency_approve

    try:
        revision_emergency_approve(code=told["code"], number=told["number"], by_id=UUID(told["by"]))
    except Problem as problem:
        if problem.code != "revision.not_waiting":
            raise


ACTS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "payouts": _payouts,
    "archive": _archive,
    "expire": _expire,
    "checkpoint": _checkpoint,
    "approve": _approve,
    "emergency": _emergency,
}


def main(arguments: list[str]) -> int:
    """Do one act."""
    import django

    django.setup()
    ACTS[arguments[0]](json.loads(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
