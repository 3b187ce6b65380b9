"""Options of commands about trading hours, as people write them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser

from kernel.errors import Problem
from quotes.calendar import HolidayTerms, Session, sessions_parsed, time_parsed

_HOLIDAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s+(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d))?(?:\s+(.+))?\Z", re.ASCII)
NAME_CHARS_MAX = 100


def hours_options_add(parser: CommandParser) -> None:
    """Declare sessions, holidays, zone and exchange."""
    parser.add_argument("--time-zone", metavar="ZONE", help="such as America/New_York; sessions are local times in it")
    parser.add_argument(
        "--session",
        action="append",
        metavar="TEXT",
        help='repeat for each: "mon-fri 09:30-16:00", "sun 17:00-17:00+1"; 24:00 is the end of the day, +1 the next',
    )
    parser.add_argument(
        "--holiday",
        action="append",
        metavar="TEXT",
        help='repeat for each: "2026-12-25 Christmas", or "2026-12-24 09:30-13:00 Eve" for a half day',
    )
    parser.add_argument("--exchange", metavar="CODE", help="whose holidays import_holidays fetches, such as XNYS")


def sessions_given(options: dict[str, Any]) -> tuple[Session, ...]:
    """Return the sessions of the options.

    :raises CommandError: when one cannot be read
    """
    try:
        return tuple(session for text in options["session"] or () for session in sessions_parsed(text))
    except ValueError as error:
        raise CommandError(f"--session: {error}") from None


def holidays_given(options: dict[str, Any]) -> tuple[HolidayTerms, ...]:
    """Return the holidays of the options.

    :raises CommandError: when one cannot be read
    """
    return tuple(_holiday(text) for text in options["holiday"] or ())


def _holiday(text: str) -> HolidayTerms:
    found = _HOLIDAY.match(text.strip())
    if found is None:
        raise CommandError('--holiday: write "2026-12-25 Christmas" or "2026-12-24 09:30-13:00 Eve"')
    try:
        hours = (time_parsed(found[2]), time_parsed(found[3])) if found[2] else None
        day = date.fromisoformat(found[1])
    except ValueError as error:
        raise CommandError(f"--holiday: {error}") from None
    return HolidayTerms(day, (found[4] or "Holiday")[:NAME_CHARS_MAX], hours)


def refused(problem: Problem) -> CommandError:
    """Return what a command says about a refusal."""
    return CommandError(f"{problem.title} {problem.detail}".strip())
