"""The commands of the contract about people, run as an operator runs them."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.callers import token_caller
from accounts.domain import address_parsed
from accounts.models import ApiToken, User
from tests.accounts.people import person

pytestmark = pytest.mark.django_db


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_create_token_prints_the_token_and_nothing_else() -> None:
    """Contract, commands: stdout holds one token, which works with the terms asked for."""
    user = person()
    printed = _run(
        *("create_token", "--user", user.email.upper(), "--scopes", "read,trade"),
        *("--ledgers", "demo", "--ips", "10.0.0.0/8,192.0.2.1"),
    )
    assert printed.count("\n") == 1
    caller = token_caller(printed.strip(), address=address_parsed("192.0.2.1"))
    assert caller.user_id == user.pk
    assert (caller.scopes, caller.ledgers) == (frozenset({"read", "trade"}), frozenset({"demo"}))


@pytest.mark.parametrize(
    "terms",
    [
        ("--user", "nobody@example.com", "--scopes", "read"),
        ("--user", "{email}", "--scopes", "admin"),
        ("--user", "{email}", "--scopes", ""),
        ("--user", "{email}", "--scopes", "read", "--ledgers", "gold"),
        ("--user", "{email}", "--scopes", "read", "--ips", "nowhere"),
        ("--user", "{email}", "--scopes", "read", "--stake-day-cap", "much"),
        ("--user", "{email}", "--scopes", "read", "--stake-day-cap", "0"),
        ("--user", "{email}", "--scopes", "read", "--loss-day-cap", "1.001"),
    ],
)
def test_create_token_refuses_clearly(terms: tuple[str, ...]) -> None:
    """Contract, commands: bad terms print no token and end with an error."""
    email = person().email
    with pytest.raises(CommandError) as refused:
        _run("create_token", *(term.format(email=email) for term in terms))
    assert refused.value.returncode == 1


def test_create_token_takes_caps() -> None:
    """Rules 12, API tokens: caps are decimal amounts in any 24 hours."""
    user = person()
    asked = ("--user", user.email, "--scopes", "trade", "--stake-day-cap", "100.00", "--loss-day-cap", "20")
    assert token_caller(_run("create_token", *asked).strip(), address=None).capped
    token = ApiToken.objects.get(user=user)
    assert (token.stake_day_cap, token.loss_day_cap) == (10_000, 2_000)


def test_ban_and_unban() -> None:
    """Contract, commands: ban and unban may be repeated; an unknown user is an error with exit code 1."""
    email = person().email
    assert _run("ban", email, "--reason", "test") == f"{email} is banned\n"
    assert _run("ban", email, "--reason", "again") == f"{email} was banned already\n"
    assert User.objects.get(email=email).ban_reason == "test"
    assert _run("unban", email) == f"{email} is no longer banned\n"
    assert _run("unban", email) == f"{email} was not banned\n"
    for command in (("ban", "nobody@example.com", "--reason", "x"), ("unban", "nobody@example.com")):
        with pytest.raises(CommandError, match="no user") as refused:
            _run(*command)
        assert refused.value.returncode == 1
