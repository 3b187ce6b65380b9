"""Add trading hours."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import Problem
from kernel.jobs import database_now_ms
from quotes.hours import READY_MADE, Hours, calendar_add, hours_of
from quotes.management.hours_options import holidays_given, hours_options_add, refused, sessions_given
from quotes.models import MarketCalendar


class Command(BaseCommand):
    """Add trading hours that symbols can share; the same hours again change nothing."""

    help = (
        "Add trading hours that symbols can share. These names need no further options: "
        + ", ".join(READY_MADE)
        + ". Use them by add_symbol --calendar or on the symbol's page."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the hours."""
        parser.add_argument("name", metavar="NAME", help="of the hours, at most 60 characters")
        hours_options_add(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Add the hours."""
        name, hours = options["name"], _hours(options)
        known = MarketCalendar.objects.filter(name=name).first()
        if known is None or hours_of(known) != hours:
            try:
                calendar_add(name=name, hours=hours, by_id=None, now_ms=database_now_ms())
            except Problem as problem:
                raise refused(problem) from problem
        self.stdout.write(f"{name} is there: {hours.time_zone}, {', '.join(map(str, hours.sessions))}")


def _hours(options: dict[str, Any]) -> Hours:
    ready = READY_MADE.get(options["name"])
    if ready is not None and not options["session"] and not options["time_zone"]:
        return Hours(ready.time_zone, ready.sessions, holidays_given(options), options["exchange"] or ready.exchange)
    if not options["time_zone"] or not options["session"]:
        raise CommandError(
            "give --time-zone and at least one --session, or one of these names: " + ", ".join(READY_MADE)
        )
    return Hours(options["time_zone"], sessions_given(options), holidays_given(options), options["exchange"] or "")
