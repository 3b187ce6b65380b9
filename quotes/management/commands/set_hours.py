"""Change trading hours."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from kernel.errors import Problem
from kernel.jobs import database_now_ms
from quotes.hours import Hours, calendar_by_name, hours_of, hours_set
from quotes.management.hours_options import holidays_given, hours_options_add, refused, sessions_given


class Command(BaseCommand):
    """Change trading hours from now on; the same hours again change nothing."""

    help = (
        "Change trading hours for new orders, from now on; what is not given stays as it is. Open orders settle by the "
        "terms they were accepted under."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the hours."""
        parser.add_argument("name", metavar="NAME", help="of the hours")
        hours_options_add(parser)
        parser.add_argument("--no-holidays", action="store_true", help="drop the holidays that are there")

    def handle(self, *args: Any, **options: Any) -> None:
        """Change the hours."""
        try:
            calendar = calendar_by_name(options["name"])
            before = hours_of(calendar)
            hours = Hours(
                options["time_zone"] or before.time_zone,
                sessions_given(options) or before.sessions,
                holidays_given(options) or (() if options["no_holidays"] else before.holidays),
                before.exchange if options["exchange"] is None else options["exchange"],
            )
            hours_set(calendar=calendar, hours=hours, by_id=None, now_ms=database_now_ms())
        except Problem as problem:
            raise refused(problem) from problem
        self.stdout.write(f"{calendar.name}: {hours.time_zone}, {', '.join(map(str, hours.sessions))}")
