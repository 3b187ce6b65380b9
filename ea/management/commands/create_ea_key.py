"""Print a new key of the bridge."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from ea import services
from ea.domain import LEDGERS
from kernel.clock import wall_ms


class Command(BaseCommand):
    """Register an installation if need be and make a key of it; stdout holds ``<kid> <secret>`` and nothing else."""

    help = "Create a key for an Expert Advisor and print '<kid> <secret>'; the secret is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whose terminal it is and where its orders go."""
        parser.add_argument("--user", required=True, metavar="EMAIL")
        parser.add_argument("--account", required=True, metavar="LOGIN", help="the login of the terminal's account")
        parser.add_argument("--server", required=True, metavar="NAME", help="the trade server of that account")
        parser.add_argument("--ledger", default="demo", choices=LEDGERS[:2], help="where its orders go [demo]")
        parser.add_argument("--networks", metavar="CIDR,...", default="", help="only from these addresses")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the key."""
        user = User.objects.filter(email=options["user"].strip().lower()).first()
        if user is None:
            raise CommandError(f"no user has the e-mail {options['user']}")
        now_ms = wall_ms()
        try:
            link = services.link_ensure(
                user_id=user.pk,
                account=options["account"],
                server=options["server"],
                ledger=options["ledger"],
                now_ms=now_ms,
            )
            key, secret = services.key_create(
                link_id=link.pk,
                ledgers=[options["ledger"]],
                networks=[part for part in options["networks"].split(",") if part.strip()],
                now_ms=now_ms,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{key.kid} {secret}")
