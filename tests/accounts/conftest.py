"""A browser of one's own: its address is nobody else's, so limits by address do not meet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from kernel.http import rates
from tests.accounts.browser import Browser

_addresses = count(1)


@pytest.fixture
def new_browser(db: None) -> Callable[[], Browser]:
    """Return a maker of browsers, each at an address that never called before."""
    rates.rates_reset()

    def make() -> Browser:
        number = next(_addresses)
        return Browser(f"2001:db8:{number:x}::{id(rates) & 0xFFFF:x}")

    return make


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    """Return one browser."""
    return new_browser()
