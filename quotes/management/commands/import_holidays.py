"""Fetch an exchange's holidays."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import Problem
from kernel.jobs import database_now_ms
from quotes.hours import calendar_by_name, holidays_import
from quotes.management.hours_options import refused

YEARS_MAX = 5


class Command(BaseCommand):
    """Fetch the holidays and half days of a calendar's exchange; a repeat brings them up to date."""

    help = (
        "Fetch the holidays and half days of a calendar's exchange from the library exchange_calendars. "
        "Days that somebody wrote stay as they are."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which calendar, and for how long."""
        parser.add_argument("name", metavar="NAME", help="of the hours")
        parser.add_argument("--years", type=int, default=2, metavar="N", help="from today on (default 2)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fetch the holidays."""
        if not 1 <= options["years"] <= YEARS_MAX:
            raise CommandError(f"--years must be 1 to {YEARS_MAX}")
        try:
            calendar, days = holidays_import(
                calendar=calendar_by_name(options["name"]),
                years=options["years"],
                by_id=None,
                now_ms=database_now_ms(),
            )
        except Problem as problem:
            raise refused(problem) from problem
        self.stdout.write(f"{calendar.name}: {days} holidays and half days lie ahead")
