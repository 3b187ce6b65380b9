"""Print the address of a new hook for alerts of TradingView."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from ea import services
from ea.domain import LEDGERS
from ea.hooks import hook_create
from kernel.clock import wall_ms


class Command(BaseCommand):
    """Register an installation if need be and make a hook of it; stdout holds its path, and its secret."""

    help = "Create a hook for alerts of TradingView and print '/ea/v1/hook/<token> [<secret>]', shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whose alerts come and where their orders go."""
        parser.add_argument("--user", required=True, metavar="EMAIL")
        parser.add_argument("--account", required=True, metavar="NAME", help="the installation's account, or any name")
        parser.add_argument("--server", default="tradingview", metavar="NAME", help="its trade server [tradingview]")
        parser.add_argument("--ledger", default="demo", choices=LEDGERS[:2], help="where its orders go [demo]")
        parser.add_argument("--networks", metavar="CIDR,...", default="", help="only from these addresses")
        parser.add_argument("--with-secret", action="store_true", help="each alert must say a secret besides")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the hook."""
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
            _, token, secret = hook_create(
                link_id=link.pk,
                ledgers=[options["ledger"]],
                networks=[part for part in options["networks"].split(",") if part.strip()],
                with_secret=options["with_secret"],
                now_ms=now_ms,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(" ".join(filter(None, [f"/ea/v1/hook/{token}", secret])))
