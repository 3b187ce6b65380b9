"""What the checks counted last: kept for the front page and the collector, told when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from kernel import db
from kernel.jobs import DAY_MS, MINUTE_MS
from kernel.metrics import count
from ledger.invariants import ACCOUNT_SLICES
from settlement.checks import CHECKS, Form, violations_count

log = structlog.get_logger(__name__)

# No statement's transaction lasts longer: what was not committed at the last run is in the next one's time.
OVERLAP_MS = MINUTE_MS
# After a long pause a run of a minute would be a full one; the nightly check makes up for the rest.
LOOKBACK_MAX_MS = DAY_MS
WITHIN_MS = 5_000

_KEPT = """
SELECT name, violations, since_ms, checked_at_ms, full_violations, full_checked_at_ms
FROM settlement_invariant_result ORDER BY name"""

_LATELY_WRITE = """
INSERT INTO settlement_invariant_result AS kept (name, violations, since_ms, checked_at_ms)
SELECT name, violations, %(since_ms)s, %(now_ms)s
FROM unnest(%(names)s::text[], %(violations)s::bigint[]) AS new(name, violations)
ON CONFLICT (name) DO UPDATE SET
    violations = excluded.violations, since_ms = excluded.since_ms, checked_at_ms = excluded.checked_at_ms"""

_FULL_WRITE = """
INSERT INTO settlement_invariant_result AS kept (name, full_violations, full_checked_at_ms)
SELECT name, violations, %(now_ms)s
FROM unnest(%(names)s::text[], %(violations)s::bigint[]) AS new(name, violations)
ON CONFLICT (name) DO UPDATE SET
    full_violations = excluded.full_violations, full_checked_at_ms = excluded.full_checked_at_ms"""


@dataclass(frozen=True, slots=True)
class Result:
    """The newest counts of one check, in the order of the table's columns; None where it was not asked yet."""

    name: str
    lately: int | None
    since_ms: int | None
    checked_at_ms: int | None
    full: int | None
    full_checked_at_ms: int | None

    @property
    def violations(self) -> int:
        """Return the greater count: what the night has found stands until the next full check."""
        return max(self.lately or 0, self.full or 0)

    @property
    def newest_ms(self) -> int:
        """Return when it was asked last, in any form."""
        return max(self.checked_at_ms or 0, self.full_checked_at_ms or 0)


def invariant_results() -> list[Result]:
    """Return the newest counts of all checks that there are, in the order of their names."""
    return [result for result in (Result(*found) for found in db.rows(_KEPT)) if result.name in CHECKS]


def invariants_watch(*, now_ms: int) -> str:
    """Check what is new since the last run, keep the counts, and tell of those that changed.

    A check that is violated keeps its beginning: the count stays until the cause is mended or the look-back ends.

    :return: what operators should read about the run
    """
    kept = {result.name: result for result in invariant_results()}
    since_ms = _begins_ms(kept, now_ms)
    found = violations_count(
        Form.LATELY, since_ms=since_ms, part=now_ms // MINUTE_MS % ACCOUNT_SLICES, within_ms=WITHIN_MS
    )
    results_keep(form=Form.LATELY, found=found, now_ms=now_ms, since_ms=since_ms)
    return f"checked {len(found)}, violated {_named(found)}"


def results_keep(*, form: Form, found: Mapping[str, int], now_ms: int, since_ms: int = 0) -> None:
    """Keep counts, and log those that have changed: once, not with every run.

    :param since_ms: from where the lately form has read
    """
    full = form is Form.FULL
    before = {result.name: (result.full if full else result.lately) or 0 for result in invariant_results()}
    values = {"names": list(found), "violations": list(found.values()), "now_ms": now_ms, "since_ms": since_ms}
    db.run(_FULL_WRITE if full else _LATELY_WRITE, values)
    for name, violations in found.items():
        if violations != before.get(name, 0):
            told = log.error if violations else log.warning
            told("invariant_violated" if violations else "invariant_holds_again", invariant=name, violations=violations)
            count("invariant_changes", invariant=CHECKS[name].invariant)


def invariants_gauges() -> str:
    """Return violations and the time of the last check by invariant in the Prometheus text format."""
    violations: dict[str, int] = {}
    checked_ms: dict[str, int] = {}
    for result in invariant_results():
        number = CHECKS[result.name].invariant
        violations[number] = violations.get(number, 0) + result.violations
        checked_ms[number] = min(checked_ms.get(number, result.newest_ms), result.newest_ms)
    lines = [f'fairstrike_invariant_violations{{invariant="{number}"}} {found}' for number, found in violations.items()]
    lines += [
        f'fairstrike_invariants_checked_at_seconds{{invariant="{number}"}} {at_ms // 1000}'
        for number, at_ms in checked_ms.items()
    ]
    return "".join(f"{line}\n" for line in lines)


def _begins_ms(kept: Mapping[str, Result], now_ms: int) -> int:
    """Return from where to read: a minute before the last run, or where the oldest violation was found."""
    lately = [result for result in kept.values() if result.checked_at_ms is not None and result.since_ms is not None]
    if not lately:
        return now_ms - LOOKBACK_MAX_MS
    begins = [result.since_ms if result.lately else (result.checked_at_ms or 0) - OVERLAP_MS for result in lately]
    return max(min(begin for begin in begins if begin is not None), now_ms - LOOKBACK_MAX_MS)


def _named(found: Mapping[str, int]) -> str:
    violated = {CHECKS[name].invariant: violations for name, violations in found.items() if violations}
    return str(violated or "none")
