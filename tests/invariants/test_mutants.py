"""Each check turns red on its own fault, and no other does but those that the mutant declares (reliability 0)."""

from __future__ import annotations

import pytest

from settlement.checks import CHECKS, Form
from tests.invariants.feed_mutants import FEED_MUTANTS
from tests.invariants.ledger_mutants import LEDGER_MUTANTS
from tests.invariants.mutant import Mutant, red_after, red_now
from tests.invariants.order_mutants import ORDER_MUTANTS
from tests.invariants.property_mutants import PROPERTY_MUTANTS, PropertyMutant, refuted
from tests.invariants.scenario import Scenario, undone
from trading.models import Order

# One worker runs the day once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("mutants")]

MUTANTS: tuple[Mutant, ...] = LEDGER_MUTANTS + ORDER_MUTANTS + FEED_MUTANTS


def test_the_sound_build_is_green_all_day(scenario: Scenario) -> None:
    """Reliability 0: no false alarm, in any form, over orders of every state on both ledgers under both rules."""
    nothing: dict[Form, set[str]] = {form: set() for form in Form}
    assert red_now(scenario) == nothing
    with undone():
        scenario.fork().go_on()
        assert red_now(scenario) == nothing
        kinds = set(Order.objects.values_list("state", "book", "settlement_rule"))
    states = {state for state, _, _ in kinds}
    assert states == {"open", "won", "lost", "tied", "refunded"}
    assert {(book, rule) for _, book, rule in kinds} >= {("demo", "trimmed_mean_10s/1"), ("real", "last_tick/1")}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.check}: {mutant.words}")
def test_a_mutant_is_caught_by_its_own_check(scenario: Scenario, mutant: Mutant) -> None:
    """Reliability 0: its check is red in every form that it has, and beside it exactly those that see it as well."""
    red = red_after(scenario, mutant)

    forms = set(CHECKS[mutant.name].forms) & mutant.forms
    assert {form for form in Form if mutant.name in red[form]} == forms
    assert set().union(*red.values()) - {mutant.name} == mutant.others


def test_every_check_has_a_mutant() -> None:
    """Reliability 0: every promise is one executable check, and every check has a mutant."""
    assert set(CHECKS) == {mutant.name for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", PROPERTY_MUTANTS, ids=lambda mutant: f"{mutant.invariant}: {mutant.words}")
def test_a_faulty_rule_is_refuted_by_its_property(mutant: PropertyMutant) -> None:
    """I-14, I-15, I-20: what no stored row can show is a property, which a faulty rule does not have."""
    assert refuted(mutant)
