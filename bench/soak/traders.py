"""Clients of a run: users with funded wallets and a token each."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO

from django.core.management import call_command

from accounts.models import User
from accounts.services import token_create, user_create
from kernel.clock import wall_ms

FUNDS = "1000000.00"


@dataclass(frozen=True, slots=True)
class Trader:
    """A client; its token is all that it knows of itself."""

    number: int
    email: str
    user_id: str
    token: str


def traders_create(count: int) -> list[Trader]:
    """Sign clients up, with much money on the real ledger and what everybody gets on the demo ledger."""
    return [_trader(number) for number in range(count)]


def staff_create() -> list[User]:
    """Create two operators, each of whom may approve what the other has asked for."""
    return [
        user_create(email=f"soak-staff-{number}@example.com", password=None, is_staff=True, is_superuser=True)
        for number in (1, 2)
    ]


def _trader(number: int) -> Trader:
    email = f"soak-{number}@example.com"
    user = user_create(email=email, password=None, verified=True)
    call_command("adjust", user=email, ledger="real", amount=FUNDS, reason="soak", stdout=StringIO())
    _, token = token_create(user_id=user.id, scopes=("read", "trade"), now_ms=wall_ms())
    return Trader(number, email, str(user.id), token)
