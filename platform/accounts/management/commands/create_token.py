"""Print a new API token."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from accounts.models import User
from kernel.clock import wall_ms
from kernel.money import DEFAULT_CURRENCY, AmountPrecisionError, AmountShapeError, parse_amount


class Command(BaseCommand):
    """Create an API token for a user; stdout holds the token and nothing else."""

    help = "Create an API token and print it; it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare who, what and from where."""
        parser.add_argument("--user", required=True, metavar="EMAIL")
        parser.add_argument("--scopes", required=True, metavar="read,trade,...")
        parser.add_argument("--ledgers", metavar="demo,...", help="only these ledgers; all when absent")
        parser.add_argument("--ips", metavar="CIDR,...", help="only from these addresses; everywhere when absent")
        parser.add_argument("--stake-day-cap", metavar="100.00", help="the most its orders may stake in 24 hours")
        parser.add_argument("--loss-day-cap", metavar="100.00", help="the most its orders may lose in 24 hours")
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the token."""
        user = User.objects.filter(email=options["user"].strip().lower()).first()
        if user is None:
            raise CommandError(f"no user has the e-mail {options['user']}")
        try:
            _, secret = services.token_create(
                user_id=user.pk,
                scopes=_listed(options["scopes"]),
                ledgers=None if options["ledgers"] is None else _listed(options["ledgers"]),
                ips=_listed(options["ips"] or ""),
                name=options["name"],
                stake_day_cap=_cap(options["stake_day_cap"]),
                loss_day_cap=_cap(options["loss_day_cap"]),
                now_ms=wall_ms(),
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _cap(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        # Every currency has the same two decimals; a cap counts whatever its orders are staked in.
        return parse_amount(text, DEFAULT_CURRENCY)
    except (AmountShapeError, AmountPrecisionError):
        raise ValueError(f"{text} is no amount with at most two decimals") from None
