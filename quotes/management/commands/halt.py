"""Halt a market."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import Problem
from quotes import services


class Command(BaseCommand):
    """Stop a market from taking orders; a repeat changes nothing."""

    help = "Halt a market: new orders are refused with the reason shown, open orders settle as always."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which market and why."""
        parser.add_argument("code", metavar="CODE", help="the symbol, for example EURUSD")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="shown to traders")

    def handle(self, *args: Any, **options: Any) -> None:
        """Halt the market."""
        reason = options["reason"].strip()
        if not 0 < len(reason) <= 200:
            raise CommandError("--reason must have 1 to 200 characters")
        try:
            services.symbol_halt(code=options["code"], reason=reason)
        except Problem as problem:
            raise CommandError(f"there is no symbol {options['code']}") from problem
        self.stdout.write(f"{options['code']} is halted: {reason}")
