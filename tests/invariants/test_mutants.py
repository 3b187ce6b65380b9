"""Each check turns red on its own fault, and no other does but those that the mutant declares (reliability 0)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from settlement.checks import CHECKS, Form
from tests.invariants.mutant import Mutant, red_after, red_now
from tests.invariants.property_mutants import PROPERTY_MUTANTS, PropertyMutant, refuted
from tests.invariants.report import CAUGHT, FALSE_ALARMS, PAGE, mutants, page
from tests.invariants.scenario import Scenario, undone
from tests.invariants.seal_mutants import day_sealed
from trading.models import Order

# One worker runs the day once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("mutants")]


MUTANTS: tuple[Mutant, ...] = mutants()
Record = Callable[[str, object], None]


def test_the_sound_build_is_green_all_day(scenario: Scenario, record_property: Record) -> None:
    """Reliability 0: no false alarm, in any form, over orders of every state on both ledgers under both rules."""
    nothing: dict[Form, set[str]] = {form: set() for form in Form}
    before = red_now(scenario)
    with undone():
        scenario.fork().go_on()
        day_sealed()
        after = red_now(scenario)
        kinds = set(Order.objects.values_list("state", "book", "settlement_rule"))
    record_property(FALSE_ALARMS, len(set().union(*before.values(), *after.values())))
    assert (before, after) == (nothing, nothing)
    states = {state for state, _, _ in kinds}
    assert states == {"open", "won", "lost", "tied", "refunded"}
    assert {(book, rule) for _, book, rule in kinds} >= {("demo", "trimmed_mean_10s/1"), ("real", "last_tick/1")}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.check}: {mutant.words}")
def test_a_mutant_is_caught_by_its_own_check(scenario: Scenario, mutant: Mutant, record_property: Record) -> None:
    """Reliability 0: its check is red in every form that it has, and beside it exactly those that see it as well."""
    red = red_after(scenario, mutant)

    forms = set(CHECKS[mutant.name].forms) & mutant.forms
    seen = {form for form in Form if mutant.name in red[form]}
    record_property(CAUGHT, seen == forms)
    assert seen == forms
    assert set().union(*red.values()) - {mutant.name} == mutant.others


def test_every_check_has_a_mutant() -> None:
    """Reliability 0: every promise is one executable check, and every check has a mutant."""
    assert set(CHECKS) == {mutant.name for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", PROPERTY_MUTANTS, ids=lambda mutant: f"{mutant.invariant}: {mutant.words}")
def test_a_faulty_rule_is_refuted_by_its_property(mutant: PropertyMutant, record_property: Record) -> None:
    """I-14, I-15, I-20: what no stored row can show is a property, which a faulty rule does not have."""
    caught = refuted(mutant)
    record_property(CAUGHT, caught)
    assert caught


def test_the_page_of_mutants_is_current() -> None:
    """Docs: ``python -m tests.invariants.report`` writes the page; it names the mutants that there are."""
    assert PAGE.read_text() == page()


def test_the_page_of_invariants_names_every_check() -> None:
    """Docs: each promise stands on the page in the words of its check."""
    text = PAGE.with_name("invariants.md").read_text()
    assert [name for name in CHECKS if name.partition(" ")[2] not in text] == []
