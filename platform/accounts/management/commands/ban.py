"""Ban a user."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from accounts.errors import UnknownUserError
from kernel.clock import parse_rfc3339, wall_ms


class Command(BaseCommand):
    """Ban a user; a repeat changes nothing."""

    help = "Ban a user: tokens are suspended, sockets close, open orders settle as always."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whom, why and for how long."""
        parser.add_argument("email")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--until", metavar="RFC3339", help="lift the ban by itself then; never when absent")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ban the user."""
        try:
            until_ms = None if options["until"] is None else parse_rfc3339(options["until"])
            changed = services.user_ban(
                email=options["email"], reason=options["reason"], now_ms=wall_ms(), until_ms=until_ms
            )
        except UnknownUserError as error:
            raise CommandError(f"no user has the e-mail {options['email']}") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['email']} {'is banned' if changed else 'was banned already'}")
