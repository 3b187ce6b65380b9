"""What a mutant is: a build or a write path with one fault, and the checks that have to see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from settlement.checks import CHECKS, Form, violations_count
from tests.invariants.scenario import Scenario, undone
from tests.invariants.walls import walls_down

Patch = tuple[object, str, Any]
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Mutant:
    """A fault, and the checks that it turns red: the one that it is made for, and those that see it as well.

    :param check: the start of a check's name, enough to tell it from the others
    :param patches: module or object, attribute, and what stands there in the broken build
    :param walls: what the database would refuse it by; see :func:`tests.invariants.walls.walls_down`
    :param act: what is done with the broken build; the whole day unless said otherwise
    :param also: starts of the names of the other checks that see it, in any form
    :param forms: the forms in which its own check must see it; all that the check has unless said otherwise
    """

    check: str
    words: str
    patches: tuple[Patch, ...] = ()
    walls: tuple[str, ...] = ()
    act: Callable[[Scenario], None] = Scenario.go_on
    also: tuple[str, ...] = ()
    forms: frozenset[Form] = frozenset(Form)

    @property
    def name(self) -> str:
        """Return the full name of its check."""
        return named(self.check)

    @property
    def others(self) -> set[str]:
        """Return the full names of the checks that see it as well."""
        return {named(start) for start in self.also}


def named(start: str) -> str:
    """Return the one check whose name begins so."""
    found = [name for name in CHECKS if name.startswith(start)]
    assert len(found) == 1, (start, found)
    return found[0]


@contextmanager
def built(mutant: Mutant) -> Iterator[None]:
    """Put the faults of a mutant in their places, its walls down."""
    with ExitStack() as stack:
        stack.enter_context(walls_down(*mutant.walls))
        for where, attribute, fault in mutant.patches:
            stack.enter_context(mock.patch.object(where, attribute, fault))
        yield


def red_after(scenario: Scenario, mutant: Mutant) -> dict[Form, set[str]]:
    """Run a course of the day with a broken build, and return which checks of the sound build are red, by form."""
    with undone():
        with built(mutant):
            mutant.act(scenario.fork())
        return red_now(scenario)


def red_now(scenario: Scenario) -> dict[Form, set[str]]:
    """Return which checks are red, by form; the lately form reads from before the day on.

    No day is closed, so the quick form reads all: what it asks like the full one is not asked again.
    """
    since_ms = scenario.begun_ms - 2 * HOUR_MS
    alike = frozenset(
        name for name, check in CHECKS.items() if check.forms.get(Form.QUICK) == check.forms.get(Form.FULL)
    )
    full, lately = _red(Form.FULL), _red(Form.LATELY, since_ms=since_ms)
    return {Form.FULL: full, Form.LATELY: lately, Form.QUICK: _red(Form.QUICK, without=alike) | full & alike}


def _red(form: Form, **options: Any) -> set[str]:
    return {name for name, count in violations_count(form, **options).items() if count}


def replaced(sql: str, old: str, new: str) -> str:
    """Return a statement with one part replaced, which must be there."""
    assert old in sql, f"{old!r} is not in the statement any more"
    return sql.replace(old, new)
