"""``manage.py adjust``: development only, by a transfer that its owner sees (contract; rules 6)."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from ledger.selectors import statement
from tests.books import fingerprint, violations
from tests.market import Trader, trader_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="10.00")


def _adjust(trader: Trader | str, amount: str) -> str:
    out = StringIO()
    email = trader if isinstance(trader, str) else trader.user.email
    arguments = ["--user", email, "--ledger", "real", f"--amount={amount}", "--reason", "test"]
    call_command("adjust", *arguments, stdout=out)
    return out.getvalue()


def test_it_funds_a_real_wallet_and_takes_back(trader: Trader) -> None:
    """Contract: funds a wallet by an adjustment transfer."""
    assert _adjust(trader, "100.00") == "balance 110.00 USD\n"
    assert _adjust(trader, "-9.99") == "balance 100.01 USD\n"
    entries = statement(account_id=trader.wallets["real"], before_no=None, limit=2)
    assert [(entry.family, entry.amount) for entry in entries] == [("adjustment", -999), ("adjustment", 10_000)]
    assert violations() == {}


@pytest.mark.parametrize("amount", ["0", "0.00", "-0", "1.001", "1e3", "ten", "", "--1", "+1", "-10.01", "1" * 16])
def test_an_amount_that_means_nothing_is_refused(trader: Trader, amount: str) -> None:
    """S-36: whole minor units only, never below zero; nothing has changed."""
    before = fingerprint()
    with pytest.raises(CommandError):
        _adjust(trader, amount)
    assert fingerprint() == before


def test_an_unknown_user_is_refused() -> None:
    """Errors are told, never swallowed."""
    with pytest.raises(CommandError, match="no user"):
        _adjust("nobody@example.com", "1.00")


def test_it_does_not_exist_outside_development(trader: Trader) -> None:
    """Rules 6: outside development adjustments need a second person."""
    with override_settings(DEVELOPMENT=False), pytest.raises(CommandError, match="development"):
        _adjust(trader, "1.00")
