"""All invariants by name: what each asks, in which form, and what the last checks counted.

A check counts its violations; 0 is well. Its *full* form reads everything, its *quick* form what is newer than the
last daily checkpoints, its *lately* form what is newer than the last run and meant for each minute.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog
from django.db import transaction

from kernel import db
from ledger import invariants as of_the_ledger
from ledger.checkpoints import checked_until_ms
from quotes import invariants as of_quotes
from quotes.seals import seals_violations
from realtime import invariants as of_events
from settlement import invariants as of_orders
from settlement.audit import orders_audit

log = structlog.get_logger(__name__)

# SQL that counts violations, or a function that does so of what is newer than an instant; 0 for all.
Question = str | Callable[[int], int]


class Form(StrEnum):
    """How much a check reads."""

    LATELY = "lately"
    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise and how it is asked for; a form that is missing is not asked."""

    name: str
    forms: Mapping[Form, Question]

    @property
    def invariant(self) -> str:
        """Return the number of the invariant, such as ``I-01``."""
        return self.name.partition(" ")[0]


def _outcomes(since_ms: int) -> int:
    """Recompute outcomes from the log: those that differ, and those whose ticks are gone."""
    found = orders_audit(from_ms=since_ms, to_ms=None)
    return len(found.differences) + len(found.unavailable)


def _seals(since_ms: int) -> int:
    """Recompute the seals of minutes: of the newest, or of all."""
    return seals_violations(full=since_ms == 0)


OUTCOMES = "I-12 every outcome follows again from its terms and the log"
SEALS = "I-22 every sealed minute recomputes to its seal"
# Seals are recomputed from the ticks of an hour at least, which is too much for each minute.
_SEALS: dict[str, Question] = {SEALS: _seals}


def _registry() -> dict[str, Check]:
    """Collect the checks of all applications in the order of their names."""
    either: dict[str, Question] = {**of_quotes.CHECKS, **of_orders.CHECKS, OUTCOMES: _outcomes}
    lately = {**of_the_ledger.LATELY_CHECKS, **of_events.CHECKS, **either, **of_orders.LATELY_CHECKS}
    quick = {**of_the_ledger.CHECKS, **of_events.CHECKS, **either, **_SEALS}
    full = {**of_the_ledger.FULL_CHECKS, **of_events.FULL_CHECKS, **either, **_SEALS}
    forms = ((Form.LATELY, lately), (Form.QUICK, quick), (Form.FULL, full))
    return {name: Check(name, {form: asked[name] for form, asked in forms if name in asked}) for name in sorted(full)}


CHECKS = _registry()


def checks_register(questions: Mapping[str, Question]) -> None:
    """Add the checks of an application above, in every form; called by its ``ready()``.

    :param questions: by name; each reads what is newer than ``since_ms``, 0 for all
    """
    added = {name: Check(name, dict.fromkeys(Form, question)) for name, question in questions.items()}
    known = CHECKS | added
    CHECKS.clear()
    CHECKS.update((name, known[name]) for name in sorted(known))


def violations_count(
    form: Form,
    *,
    since_ms: int | None = None,
    part: int | None = None,
    within_ms: int | None = None,
    without: Collection[str] = (),
) -> dict[str, int]:
    """Ask every check that has this form, the queries in one snapshot; return the violations by name.

    :param since_ms: from where the lately form reads; the others know it themselves
    :param part: which part of the accounts that nothing has moved the lately form looks at; None for all of them
    :param within_ms: how long each statement may take
    :param without: names that are not asked now
    """
    if form is not Form.LATELY:
        since_ms = 0 if form is Form.FULL else checked_until_ms()
    assert since_ms is not None
    asked = {name: check.forms[form] for name, check in CHECKS.items() if form in check.forms and name not in without}
    queries = {name: question for name, question in asked.items() if isinstance(question, str)}
    counts = db.violation_counts(queries, {"since_ms": since_ms, "slice": part}, within_ms=within_ms)
    # What these read never changes again, so they need no snapshot; reading an archive needs to write.
    for name, question in asked.items():
        if not isinstance(question, str):
            with transaction.atomic():
                if within_ms is not None:
                    db.run(f"SET LOCAL statement_timeout = {within_ms:d}")
                counts[name] = question(since_ms)
    return {name: counts[name] for name in asked}
