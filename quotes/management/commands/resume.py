"""Let a market trade again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import Problem
from quotes import services


class Command(BaseCommand):
    """End a halt or a close-only state; a repeat changes nothing."""

    help = "Resume a market: it takes orders again as soon as its feed is alive and its price is fresh."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which market."""
        parser.add_argument("code", metavar="CODE", help="the symbol, for example EURUSD")

    def handle(self, *args: Any, **options: Any) -> None:
        """Resume the market."""
        try:
            services.symbol_resume(code=options["code"])
        except Problem as problem:
            raise CommandError(f"there is no symbol {options['code']}") from problem
        self.stdout.write(f"{options['code']} takes orders")
