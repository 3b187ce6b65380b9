"""What the nightly checks found, written down to be published: the runs of a job are forgotten one day."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from kernel import db
from kernel.jobs import DAY_MS
from settlement.audit import AuditResult
from settlement.models import InvariantNight, Resettlement

_DAYS = """
INSERT INTO settlement_resettled_day AS known (day, at_ms, checked, differences, unavailable)
SELECT date '1970-01-01' + new.day, %(at_ms)s, new.checked, new.differences, new.unavailable
FROM unnest(%(days)s::int[], %(checked)s::bigint[], %(differences)s::bigint[], %(unavailable)s::bigint[])
    AS new(day, checked, differences, unavailable)
ON CONFLICT (day) DO UPDATE SET at_ms = excluded.at_ms, checked = excluded.checked,
    differences = excluded.differences, unavailable = excluded.unavailable"""


@transaction.atomic
def resettlement_record(found: AuditResult, *, to_ms: int, at_ms: int) -> None:
    """Publish a re-settlement of all orders settled before ``to_ms``, and its counts by day of settlement."""
    Resettlement.objects.create(
        at_ms=at_ms,
        from_ms=min(found.days) * DAY_MS if found.days else None,
        to_ms=to_ms,
        checked=found.checked,
        differences=len(found.differences),
        unavailable=len(found.unavailable),
    )
    days = sorted(found.days.items())
    columns = {
        "days": [day for day, _ in days],
        "checked": [counts.checked for _, counts in days],
        "differences": [counts.differences for _, counts in days],
        "unavailable": [counts.unavailable for _, counts in days],
    }
    db.run(_DAYS, columns | {"at_ms": at_ms})


def invariants_record(violations: Mapping[str, int], *, at_ms: int) -> None:
    """Publish a check of all invariants."""
    InvariantNight.objects.create(at_ms=at_ms, violations=dict(violations))
