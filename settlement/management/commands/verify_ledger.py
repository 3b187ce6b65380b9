"""Check the invariants of ledger and orders."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from settlement.checks import Form, violations_count

_FULL_WITHIN_MS = 7_200_000


class Command(BaseCommand):
    """``verify_ledger [--full]``"""

    help = "Check ledger and order invariants, one line each with its count of violations; exit code 1 if any."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--full", action="store_true", help="read also what the last checkpoint covers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line an invariant."""
        form = Form.FULL if options["full"] else Form.QUICK
        # Each statement of the full form reads the whole history, for which the bound of requests is too short.
        found = violations_count(form, within_ms=_FULL_WITHIN_MS if options["full"] else None)
        for name, violations in sorted(found.items()):
            self.stdout.write(f"{name}: {violations}")
        if any(found.values()):
            sys.exit(1)
