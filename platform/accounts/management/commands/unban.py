"""Lift a ban."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from accounts.errors import UnknownUserError
from kernel.clock import wall_ms


class Command(BaseCommand):
    """Lift a user's ban; a repeat changes nothing."""

    help = "Lift the ban of a user; tokens work again."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whom."""
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        """Lift the ban."""
        try:
            changed = services.user_unban(email=options["email"], now_ms=wall_ms())
        except UnknownUserError as error:
            raise CommandError(f"no user has the e-mail {options['email']}") from error
        self.stdout.write(f"{options['email']} {'is no longer banned' if changed else 'was not banned'}")
