"""The report on mutants: ``python -m tests.invariants.report`` runs them and writes ``docs/fairness/mutants.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "fairness" / "mutants.md"
# What tests put down for the report, with what they found.
CAUGHT, FALSE_ALARMS = "mutant caught", "false alarms"

_HEAD = """# Mutants

A check that a team trusts can stay green on broken money. So each check of [the invariants](invariants.md) is shown to
turn red: a mutant is the real code with one fault, or a path that writes past it, run through the real services over a
small day on both ledgers, with orders of every outcome under both pairs of rules. Where the database itself would
refuse the fault, that wall is taken down first.

Each mutant below is caught by its own check, in every form that the check has, and beside it exactly the checks in the
last column see it. Over the same day of the sound build no check is red.

`python -m tests.invariants.report` runs all of them and writes this page; `tests/invariants/test_mutants.py` fails if
a check has no mutant, if a mutant is not caught, if another check than those named here sees it, or if this page is
not current.

| invariant | check | mutant | also red |
|---|---|---|---|
"""

_PROPERTIES = """
## Faulty rules

What no stored row can show is a property of the pure rules, tested over generated logs. A faulty rule is refuted by it.

| invariant | property | faulty rule |
|---|---|---|
"""


def mutants() -> tuple[Any, ...]:
    """Return all mutants in the order of their checks; they need Django's applications."""
    from tests.invariants.bridge_mutants import BRIDGE_MUTANTS
    from tests.invariants.feed_mutants import FEED_MUTANTS
    from tests.invariants.ledger_mutants import LEDGER_MUTANTS
    from tests.invariants.order_mutants import ORDER_MUTANTS
    from tests.invariants.seal_mutants import SEAL_MUTANTS

    found = LEDGER_MUTANTS + ORDER_MUTANTS + FEED_MUTANTS + SEAL_MUTANTS + BRIDGE_MUTANTS
    return tuple(sorted(found, key=lambda mutant: mutant.name))


def page() -> str:
    """Return the page of all mutants."""
    from tests.invariants.property_mutants import PROPERTY_MUTANTS

    found = {(mutant.name, mutant.words): _also(mutant) for mutant in mutants()}
    lines = [_row(*key, also) for key, also in sorted(found.items())]
    rules = [f"| {one.invariant} | `{one.where}` | {one.words} |" for one in PROPERTY_MUTANTS]
    return _HEAD + "\n".join(lines) + "\n" + _PROPERTIES + "\n".join(rules) + "\n"


def _also(mutant: Any) -> str:
    return ", ".join(sorted({name[:4] for name in mutant.others}))


def _row(name: str, words: str, also: str) -> str:
    number, _, check = name.partition(" ")
    return f"| {number} | {check} | {words} | {also} |"


def summary(properties: Iterable[tuple[str, object]]) -> str | None:
    """Return the line of figures, None where no mutant has run."""
    found = list(properties)
    caught = [value for name, value in found if name == CAUGHT]
    alarms = [value for name, value in found if name == FALSE_ALARMS]
    if not caught:
        return None
    told = ", ".join(str(value) for value in alarms) or "not asked"
    return f"mutants caught {sum(bool(value) for value in caught)} / {len(caught)}, false alarms {told}"


def properties_of(terminal: Any) -> Iterator[tuple[str, object]]:
    """Yield what the tests of a run put down, from all its workers."""
    for outcome in ("passed", "failed"):
        for report in terminal.stats.get(outcome, ()):
            yield from getattr(report, "user_properties", ())


def main() -> int:
    """Run the mutants, and write the page if all of them are caught."""
    import pytest

    PAGE.touch()
    ended = pytest.main(["-q", str(Path(__file__).with_name("test_mutants.py")), "--deselect", _CURRENT])
    if ended == pytest.ExitCode.OK:
        PAGE.write_text(page())
    return int(ended)


_CURRENT = "tests/invariants/test_mutants.py::test_the_page_of_mutants_is_current"

if __name__ == "__main__":
    sys.exit(main())
