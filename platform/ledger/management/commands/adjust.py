"""Fund a wallet by an adjustment transfer (development only)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import Problem
from kernel.money import DEFAULT_CURRENCY, AmountPrecisionError, AmountShapeError, format_minor
from ledger import selectors, services
from ledger.domain import signed_minor


class Command(BaseCommand):
    """``adjust --user EMAIL --ledger real --amount 100.00 --reason TEXT``"""

    help = "Fund a user's real wallet by an adjustment transfer. Outside development two people use the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--user", required=True, metavar="EMAIL")
        parser.add_argument("--ledger", required=True, choices=["real"])
        parser.add_argument("--amount", required=True, help="decimal text; a leading - takes money out")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Post the adjustment and print the new balance."""
        if not settings.DEVELOPMENT:
            raise CommandError("adjust is for development; use the admin's adjustments, which need a second person")
        amount = _amount(options["amount"])
        wallet_id = selectors.wallet_by_email(email=options["user"], book=options["ledger"])
        if wallet_id is None:
            raise CommandError(f"no user {options['user']} with a {options['ledger']} wallet")
        try:
            state = services.balance_adjust(wallet_id=wallet_id, amount=amount, reason=options["reason"])
        except Problem as problem:
            raise CommandError(problem.title) from problem
        self.stdout.write(f"balance {format_minor(state.wallet.balance, state.currency)} {state.currency}")


def _amount(text: str) -> int:
    try:
        amount = signed_minor(text, DEFAULT_CURRENCY)
    except (AmountShapeError, AmountPrecisionError):
        raise CommandError("--amount must be a decimal amount such as 100.00") from None
    if amount == 0:
        raise CommandError("--amount must not be zero")
    return amount
