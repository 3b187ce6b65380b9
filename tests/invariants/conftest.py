"""One day for all mutants of a process, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.invariants.report import properties_of, summary
from tests.invariants.scenario import Scenario, scenario_begun, undone


@pytest.fixture(scope="module")
def scenario(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Scenario]:
    with django_db_blocker.unblock(), undone():
        yield scenario_begun()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many mutants were caught."""
    line = summary(properties_of(terminalreporter))
    if line is not None:
        terminalreporter.write_line(line)
